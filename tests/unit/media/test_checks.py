from __future__ import annotations

from typing import Any

import pytest

from engine.media.checks import fault
from engine.media.commands import CloseLeg, Connect, Hello, ListLegs, Play, SetRemote, Sound, Tone
from tests.support.media_fakes import remote


def changed(**values: Any) -> SetRemote:
    return remote("a", **values)


@pytest.mark.parametrize(
    "command",
    [
        ListLegs(),
        CloseLeg(leg="a"),
        Connect(source="a", sink="b", gain_db=-3),
        Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),)),
        changed(dtmf_payload_type=None),
    ],
)
def test_good_commands_have_no_fault(command: Any) -> None:
    assert fault(command) is None


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (CloseLeg(leg=5), "leg"),  # type: ignore[arg-type]
        (CloseLeg(leg=["a"]), "leg"),  # type: ignore[arg-type]
        (changed(port="4000"), "port"),
        (changed(port=True), "port"),
        (changed(dtmf_payload_type="x"), "dtmf_payload_type"),
        (changed(codec="G729"), "codec"),
        (Connect(source="a", sink="b", gain_db=float("nan")), "gain_db"),
        (Connect(source="a", sink="b", gain_db=float("-inf")), "gain_db"),
        (Play(leg="a", player="p", playlist=(Sound(tone=Tone.BUSY),), loop=1), "loop"),
        (Play(leg="a", player="p", playlist=5), "playlist"),  # type: ignore[arg-type]
        (Play(leg="a", player="p", playlist=(Sound(file=1),)), "playlist[0].file"),  # type: ignore[arg-type]
        (Play(leg="a", player="p", playlist=("x",)), "playlist[0]"),  # type: ignore[arg-type]
        (Hello(version="1", secret="s"), "version"),  # type: ignore[arg-type]
    ],
)
def test_a_field_of_another_type_is_named(command: Any, field: str) -> None:
    assert (fault(command) or "").startswith(f"{field} is ")
