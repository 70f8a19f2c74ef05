from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.log_format import LogFormat
from engine.media.options import PlaneOptions
from engine.media.plane import options_from


def options(**changes: Any) -> PlaneOptions:
    return PlaneOptions(socket=Path("/run/m.sock"), secret_file=Path("/run/secret"), **changes)


def test_the_command_line_brings_every_option_across() -> None:
    sent = options(
        port_min=30000,
        port_max=30010,
        bind="127.0.0.1",
        dscp=34,
        idle_exit_s=1.5,
        orphan_s=7.0,
        dead_s=2.5,
        coalesce_s=0.002,
        log_level="debug",
        log_format=LogFormat.JSON,
    )

    assert options_from(sent.arguments()) == sent


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"port_min": 30001, "port_max": 30001}, "30001-30001"),
        ({"port_min": 80}, "80-29998"),
        ({"port_max": 70_000}, "20002-70000"),
        ({"coalesce_s": 1.0}, "coalesce_s"),
        ({"dscp": 64}, "dscp: found 64"),
        ({"dscp": -1}, "dscp: found -1"),
    ],
)
def test_options_that_cannot_work_are_refused_by_name(change: dict[str, Any], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        options(**change)
