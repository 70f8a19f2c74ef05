from __future__ import annotations

import pytest

from engine.media.agreed import check_agreed, dtmf_heard_as, heard_as
from engine.media.commands import Codec
from engine.media.refusal import CommandFailed
from tests.support.media_fakes import remote


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payload_type": 128}, r"payload types \(128, 101\) must differ and lie in 0..127"),
        ({"payload_type": 101}, r"payload types \(101, 101\) must differ"),
        ({"cn_payload_type": 101}, r"payload types \(0, 101, 101\) must differ"),
        ({"heard_as": -1}, r"payload types \(-1, 101\) must differ and lie"),
        ({"heard_as": 96, "dtmf_heard_as": 96}, r"payload types \(96, 96\) must differ"),
        ({"ptime_ms": 25}, "ptime_ms 25 must be one of"),
        ({"ptime_ms": 0}, "ptime_ms 0 must be one of"),
        ({"ptime_ms": 70}, "ptime_ms 70 must be one of"),
        ({"clock_rate": 16000}, "clock_rate 16000 must be 8000 with PCMU"),
        ({"codec": Codec.L16_16K, "clock_rate": 8000}, "clock_rate 8000 must be 16000 with L16/16000"),
        ({"codec": Codec.G722, "clock_rate": 16000}, "clock_rate 16000 must be 8000 with G722"),
        ({"opaque": "opus/48000/2"}, "opaque is 'opus/48000/2', but the codec is PCMU"),
        ({"codec": Codec.OPAQUE, "payload_type": 96}, "must be named in the field opaque"),
        ({"codec": Codec.OPAQUE, "payload_type": 96, "opaque": "x", "clock_rate": 0}, "clock_rate 0 must lie in"),
    ],
)
def test_refuses_what_no_exchange_agrees_on(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(CommandFailed, match=reason):
        check_agreed(remote("a", **changes))


def test_hears_with_the_numbers_that_it_sends_with_unless_told_otherwise() -> None:
    told = remote("a", payload_type=97, dtmf_payload_type=98, heard_as=98, dtmf_heard_as=97)
    check_agreed(told)

    assert (heard_as(told), dtmf_heard_as(told)) == (98, 97)
    assert (heard_as(remote("a")), dtmf_heard_as(remote("a"))) == (0, 101)
    assert dtmf_heard_as(remote("a", dtmf_payload_type=None)) is None
