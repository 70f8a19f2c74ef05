"""Keys reach the other side whichever way its audio goes, and silence is counted anew after a hold."""

from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, Codec, Connect, Direction, DtmfDigit, RtpTimeout
from tests.support.media_fakes import Bench, Speaker, remote


@pytest.fixture
def bench() -> Bench:
    return Bench()


def press(bench: Bench, speaker: Speaker, code: int) -> None:
    """A key as RFC 4733 sends it: four updates and three ends."""
    stamp = speaker.stamp
    for number in range(1, 8):
        end = 0x80 if number > 4 else 0
        payload = bytes((code, end | 10)) + (160 * min(number, 5)).to_bytes(2)
        speaker.payload_type, speaker.stamp = 101, stamp
        bench.speak(speaker, payload, marker=number == 1)
        bench.now += 0.02
    speaker.payload_type, speaker.stamp = 0, stamp + 960


def test_keys_reach_a_side_that_is_mixed(bench: Bench) -> None:
    a, z = bench.leg("a"), bench.leg("z", codec=Codec.PCMA, dtmf_payload_type=96)
    bench.bridge("a", "z")
    speaker = Speaker(a)
    bench.speak(speaker)
    press(bench, speaker, 5)
    press(bench, speaker, 6)
    bench.pass_tick(30)

    digits = [event.digit for event in bench.told() if isinstance(event, DtmfDigit)]
    assert digits == ["5", "6"]
    events = [packet for packet in bench.heard(z) if packet.payload_type == 96]
    assert [packet.payload[0] for packet in events] == [5] * 7 + [6] * 7
    assert {packet.payload_type for packet in bench.heard(a)} <= {0}


def test_keys_that_pass_through_are_not_sent_twice(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    press(bench, speaker, 5)
    bench.pass_tick(20)
    assert len([packet for packet in bench.heard(b) if packet.payload_type == 101]) == 7


def test_keys_go_neither_back_nor_where_nobody_understands_them(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", codec=Codec.PCMA, dtmf_payload_type=None)
    bench.bridge("a", "b")
    bench.do(Connect(source="a", sink="a"))
    speaker = Speaker(a)
    bench.speak(speaker)
    press(bench, speaker, 5)
    bench.pass_tick(20)
    assert {packet.payload_type for packet in bench.heard(b)} <= {8}
    assert {packet.payload_type for packet in bench.heard(a)} <= {0}


def test_silence_after_a_hold_is_told_again(bench: Bench) -> None:
    a = bench.leg("a")
    bench.speak(Speaker(a))
    bench.do(remote("a", direction=Direction.RECVONLY))
    bench.pass_tick(600)
    assert [type(event) for event in bench.told() if isinstance(event, RtpTimeout)] == [RtpTimeout]
    bench.do(remote("a"))
    bench.pass_tick(450)
    assert [event for event in bench.told() if isinstance(event, RtpTimeout)] == []
    bench.pass_tick(100)
    assert len([event for event in bench.told() if isinstance(event, RtpTimeout)]) == 1


def test_a_flood_of_keys_silences_the_other_side_for_a_moment_only(bench: Bench) -> None:
    a, z = bench.leg("a"), bench.leg("z", codec=Codec.PCMA)
    bench.bridge("a", "z")
    speaker = Speaker(a)
    for _ in range(200):
        press(bench, speaker, 5)
    bench.heard(z)
    bench.pass_tick(100)

    kinds = [packet.payload_type for packet in bench.heard(z)]
    assert kinds.count(101) <= 7 * 11
    assert kinds[-1] == 8


def test_a_key_that_is_down_when_the_leg_is_closed_is_not_told_afterwards(bench: Bench) -> None:
    a = bench.leg("a")
    bench.speak(Speaker(a, payload_type=101), bytes((7, 10, 0, 160)), marker=True)
    bench.do(CloseLeg(leg="a"))
    bench.told()
    bench.pass_tick(50)

    assert bench.told() == []
