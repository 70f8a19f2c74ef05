"""Keys reach the other side whichever way its audio goes, and silence is counted anew after a hold."""

from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, Codec, Connect, Direction, JoinConference, SendDtmf
from engine.media.events import DtmfDigit, LegFailed, RtpTimeout
from engine.media.matrix import Route
from tests.support.media_fakes import Bench, Sent, Speaker, remote


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


def hold(bench: Bench, speaker: Speaker, code: int, ticks: int) -> None:
    """A key that goes down and stays down for so long; one update a tick."""
    stamp = speaker.stamp
    for number in range(1, ticks + 1):
        speaker.payload_type, speaker.stamp = 101, stamp
        bench.speak(speaker, bytes((code, 10)) + (160 * number).to_bytes(2), marker=number == 1)
        bench.pass_tick()
    speaker.payload_type, speaker.stamp = 0, stamp + 160 * ticks


def events(packets: list[Sent], payload_type: int = 101) -> list[Sent]:
    return [packet for packet in packets if packet.payload_type == payload_type]


def test_a_key_that_is_held_is_held_on_the_other_side_meanwhile(bench: Bench) -> None:
    a, z = bench.leg("a"), bench.leg("z", codec=Codec.PCMA)
    bench.bridge("a", "z")
    speaker = Speaker(a)
    bench.speak(speaker)
    hold(bench, speaker, 5, 50)
    sent = events(bench.heard(z))
    assert len(sent) >= 48
    assert not any(packet.payload[1] & 0x80 for packet in sent)
    assert not [event for event in bench.told() if isinstance(event, DtmfDigit)]

    bench.pass_tick(30)  # its ends are lost
    (told,) = [event for event in bench.told() if isinstance(event, DtmfDigit)]
    assert told == DtmfDigit(leg="a", digit="5", duration_ms=1000)
    ends = [packet for packet in events(bench.heard(z)) if packet.payload[1] & 0x80]
    assert len(ends) == 3
    assert len({packet.stamp for packet in (*sent, *ends)}) == 1
    bench.speak(speaker)
    bench.pass_tick(10)
    assert bench.heard(z)[-1].payload_type == 8


def test_a_key_that_is_held_does_not_silence_a_conference(bench: Bench) -> None:
    a, z = bench.leg("a"), bench.leg("z", codec=Codec.PCMA)
    bench.leg("b")
    bench.bridge("a", "z")
    bench.bridge("b", "z")
    speaker = Speaker(a)
    bench.speak(speaker)
    hold(bench, speaker, 5, 50)
    assert events(bench.heard(z)) == []
    bench.pass_tick(30)
    assert len(events(bench.heard(z))) == 7


def test_a_key_is_let_go_with_the_leg_that_held_it(bench: Bench) -> None:
    a, z = bench.leg("a"), bench.leg("z", codec=Codec.PCMA)
    bench.bridge("a", "z")
    speaker = Speaker(a)
    bench.speak(speaker)
    hold(bench, speaker, 5, 20)
    bench.do(CloseLeg(leg="a"))
    bench.heard(z)
    bench.pass_tick(20)
    assert len([packet for packet in events(bench.heard(z)) if packet.payload[1] & 0x80]) == 3
    assert z.route is not Route.DIGITS


def test_digits_are_sent_as_long_as_was_asked_for(bench: Bench) -> None:
    a = bench.leg("a", dtmf_clock_rate=16000)
    bench.do(SendDtmf(leg="a", digits="1", duration_ms=5000))
    bench.pass_tick(270)
    sent = events(bench.heard(a))
    assert len(sent) == 252
    assert [packet.marker for packet in sent].count(True) == 1
    assert sent[-1].stamp - sent[0].stamp == 0xFFFF // 2  # in units of the sound
    assert int.from_bytes(sent[-1].payload[2:]) == 5 * 16000 - 0xFFFF
    assert sent[-1].payload[1] & 0x80


@pytest.mark.parametrize("change", [{"duration_ms": 39}, {"duration_ms": 60_001}, {"digits": "1" * 257}])
def test_digits_that_would_never_end_are_refused(bench: Bench, change: dict[str, int]) -> None:
    bench.leg("a")
    bench.do(SendDtmf(**({"leg": "a", "digits": "1"} | change)))  # type: ignore[arg-type]
    assert any(isinstance(event, LegFailed) for event in bench.told())


def test_events_of_another_clock_are_made_anew_for_who_hears_by_pass_through(bench: Bench) -> None:
    a, b = bench.leg("a", dtmf_clock_rate=48000), bench.leg("b")
    bench.bridge("a", "b")
    speaker = Speaker(a)
    bench.speak(speaker)
    press(bench, speaker, 5)
    bench.pass_tick(20)
    sent = events(bench.heard(b))
    assert [int.from_bytes(packet.payload[2:]) for packet in sent] == [160, 320, 320, 320]  # 16 ms, as short as can be


def test_amid_a_tick_keys_wait_for_its_end(bench: Bench) -> None:
    """Packets come between its pieces, and its plan counts on the routes."""
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=-1)
    speaker = Speaker(a)
    bench.speak(speaker)
    tick = bench.board.tick(bench.tick, bench.now)
    next(tick)
    bench.told()
    press(bench, speaker, 5)
    assert b.route is Route.MIX
    assert not bench.told()
    for _ in tick:
        assert b.route is Route.MIX

    assert b.route is Route.DIGITS
    assert [event.digit for event in bench.told() if isinstance(event, DtmfDigit)] == ["5"]


def test_keys_are_not_sent_into_a_conference(bench: Bench) -> None:
    legs = [bench.leg(name) for name in "abc"]
    bench.do(*(JoinConference(leg=name, conference="room") for name in "abc"))
    speaker = Speaker(legs[0])
    bench.speak(speaker)
    press(bench, speaker, 5)

    assert [event.digit for event in bench.told() if isinstance(event, DtmfDigit)] == ["5"]
    assert [leg.route for leg in legs] == [Route.MIX] * 3
