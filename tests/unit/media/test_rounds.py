from __future__ import annotations

import pytest

from engine.media.commands import CloseLeg, Direction, ListLegs, OpenLeg, WatchLeg
from engine.media.events import DtmfDigit, LegFailed, Legs, Quality, RtpResumed, RtpStopped, RtpTimeout
from engine.media.rtcp import SenderReport, ntp, parse
from tests.support.media_fakes import HEADER, Bench, Speaker, remote


@pytest.fixture
def bench() -> Bench:
    return Bench()


def of(bench: Bench, *kinds: type) -> list[object]:
    return [event for event in bench.told() if isinstance(event, kinds)]


def pass_seconds(bench: Bench, seconds: float) -> None:
    bench.pass_tick(round(seconds / 0.02))


def test_silence_is_told_once_and_its_end_too(bench: Bench) -> None:
    a = bench.leg("a")
    speaker = Speaker(a)
    bench.speak(speaker)
    pass_seconds(bench, 9.5)
    assert of(bench, RtpTimeout) == []
    pass_seconds(bench, 20)
    (timeout,) = of(bench, RtpTimeout)
    assert isinstance(timeout, RtpTimeout)
    assert timeout.silent_s == pytest.approx(10, abs=0.6)

    bench.speak(speaker)
    pass_seconds(bench, 0.7)
    (resumed,) = of(bench, RtpResumed)
    assert isinstance(resumed, RtpResumed)
    assert resumed.silent_s == pytest.approx(29.5, abs=0.6)

    pass_seconds(bench, 11)
    assert len(of(bench, RtpTimeout)) == 1


def test_a_leg_that_was_never_heard_is_silent_from_its_first_offer(bench: Bench) -> None:
    bench.leg("a")
    pass_seconds(bench, 10.7)

    assert len(of(bench, RtpTimeout)) == 1


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE])
def test_who_need_not_speak_is_not_silent(bench: Bench, direction: Direction) -> None:
    bench.leg("a")
    bench.do(remote("a", direction=direction))
    pass_seconds(bench, 30)
    assert of(bench, RtpTimeout) == []

    bench.do(remote("a"))
    pass_seconds(bench, 9)
    assert of(bench, RtpTimeout) == []
    pass_seconds(bench, 2)
    assert len(of(bench, RtpTimeout)) == 1


def test_silence_that_nobody_heard_of_is_told_to_who_comes(bench: Bench) -> None:
    bench.leg("a")
    bench.rounds.told = False
    pass_seconds(bench, 15)
    assert of(bench, RtpTimeout) == []

    bench.rounds.told = True
    pass_seconds(bench, 0.7)
    assert len(of(bench, RtpTimeout)) == 1
    bench.do(ListLegs())
    pass_seconds(bench, 0.7)
    assert len(of(bench, RtpTimeout)) == 1


def test_reports_of_the_peer_are_a_sign_of_life_but_no_sound(bench: Bench) -> None:
    """A telephone that sends nothing while nobody speaks still says that it is there."""
    a = bench.leg("a")
    bench.speak(Speaker(a))
    for _ in range(6):
        pass_seconds(bench, 5)
        bench.rounds.heard(a, [], bench.now)
    assert of(bench, RtpTimeout, RtpStopped) == [RtpStopped(leg="a", silent_s=pytest.approx(3, abs=0.6))]
    pass_seconds(bench, 11)
    assert len(of(bench, RtpTimeout)) == 1
    bench.rounds.heard(a, [], bench.now)
    pass_seconds(bench, 0.7)
    assert len(of(bench, RtpResumed)) == 1


@pytest.mark.parametrize(
    ("packet", "lives"),
    [
        (HEADER.pack(0x80, 0, 1, 2, 3), True),
        (HEADER.pack(0x80, 20, 1, 2, 3) + b"x", True),
        (HEADER.pack(0x80, 13, 1, 2, 3) + b"x", True),
        (b"", False),
        (b"\r\n\r\n", False),
        (HEADER.pack(0x40, 0, 1, 2, 3) + b"x" * 160, False),
        (HEADER.pack(0xAF, 20, 1, 2, 3) + b"x", False),
    ],
    ids=["no-payload", "unknown", "noise", "nothing", "line-ends", "no-rtp", "cut-off"],
)
def test_keep_alives_in_rtp_are_a_sign_of_life_but_no_sound(bench: Bench, packet: bytes, lives: bool) -> None:
    """RFC 6263: a telephone that is muted, or keeps the way through its router open."""
    a = bench.leg("a")
    bench.speak(Speaker(a))
    for _ in range(6):
        pass_seconds(bench, 5)
        bench.arrive(a, packet)
    told = of(bench, RtpTimeout, RtpStopped)
    assert told[0] == RtpStopped(leg="a", silent_s=pytest.approx(3, abs=0.6))
    assert [type(event) for event in told[1:]] == ([] if lives else [RtpTimeout])
    assert a.rx.received == 1
    assert a.rx.strangers == 6


def test_each_silence_of_three_seconds_is_told_once(bench: Bench) -> None:
    speaker = Speaker(bench.leg("a"))
    pass_seconds(bench, 5)
    assert of(bench, RtpStopped) == [], "it was never heard"
    for _ in range(2):
        bench.speak(speaker)
        pass_seconds(bench, 2.9)
        assert of(bench, RtpStopped) == []
        pass_seconds(bench, 4)
        assert of(bench, RtpStopped) == [RtpStopped(leg="a", silent_s=pytest.approx(3, abs=0.6))]
    bench.speak(speaker)
    bench.do(remote("a", direction=Direction.SENDONLY))
    pass_seconds(bench, 5)
    assert of(bench, RtpStopped) == []
    bench.do(remote("a"))
    bench.rounds.told = False
    pass_seconds(bench, 5)
    bench.rounds.told = True
    pass_seconds(bench, 0.6)
    assert len(of(bench, RtpStopped)) == 1, "who comes later is told too"


def test_reports_go_out_every_five_seconds_or_so(bench: Bench) -> None:
    a = bench.leg("a")
    pass_seconds(bench, 1)
    assert bench.wire.rtcp[a.port] == [], "the first is not sent at once (RFC 3550 6.2)"
    pass_seconds(bench, 29)

    assert 6 <= len(bench.wire.rtcp[a.port]) <= 8
    assert all(parse(packet) is not None for packet in bench.wire.rtcp[a.port])


def test_a_sender_report_carries_the_time_of_day(bench: Bench) -> None:
    a = bench.leg("a")
    a.latched = None  # such a leg is sent silence
    pass_seconds(bench, 10)
    (report, *_) = parse(bench.wire.rtcp[a.port][-1]) or []
    assert isinstance(report, SenderReport)
    seconds, _ = ntp(1e9 + bench.now)
    assert 0 <= (seconds & 0xFFFF) - (report.ntp_middle >> 16) <= 8


def test_a_leg_says_goodbye_when_it_is_closed_and_nothing_after(bench: Bench) -> None:
    a = bench.leg("a")
    bench.do(CloseLeg(leg="a"))
    (packet,) = bench.wire.rtcp[a.port]
    assert packet[-8:-4] == b"\x81\xcb\x00\x01"

    pass_seconds(bench, 20)
    assert len(bench.wire.rtcp[a.port]) == 1


def test_figures_are_told_at_most_once_a_second_and_when_they_say_more(bench: Bench) -> None:
    a = bench.leg("a")
    speaker = Speaker(a)
    for _ in range(500):
        speaker.seq += 1  # every other packet is lost
        bench.speak(speaker)
        bench.pass_tick()
    told = of(bench, Quality)
    assert 8 <= len(told) <= 11

    pass_seconds(bench, 30)
    assert len(of(bench, Quality)) <= 2


def test_a_digit_whose_end_was_lost_is_told_in_the_rounds(bench: Bench) -> None:
    a = bench.leg("a")
    bench.arrive(a, HEADER.pack(0x80, 101, 5, 800, 1) + b"\x07\x0a\x01\x40")
    pass_seconds(bench, 0.7)

    assert of(bench, DtmfDigit) == [DtmfDigit(leg="a", digit="7", duration_ms=40)]


def test_a_peer_that_has_not_spoken_gets_silence_until_it_does(bench: Bench) -> None:
    bench.do(OpenLeg(leg="a", tag=""), remote("a"))
    a = bench.board.legs["a"]
    assert len(bench.heard(a)) == 1
    pass_seconds(bench, 5)
    sent = bench.heard(a)
    assert 10 <= len(sent) <= 11
    assert {packet.payload for packet in sent} == {b"\xff" * 160}
    assert sent[2].stamp - sent[1].stamp & 0xFFFFFFFF == pytest.approx(4000, abs=170)

    a.latched = ("192.0.2.1", 4000)
    pass_seconds(bench, 2)
    assert bench.heard(a) == []


def test_every_leg_is_visited_twice_a_second(bench: Bench) -> None:
    legs = [bench.leg(str(number)) for number in range(19)]
    for leg in legs:
        leg.latched = None
    pass_seconds(bench, 10)

    assert {len(bench.heard(leg)) for leg in legs} <= {19, 20, 21}


def test_ticks_that_are_left_out_leave_no_leg_out(bench: Bench) -> None:
    legs = [bench.leg(str(number)) for number in range(19)]
    for leg in legs:
        leg.latched = None
    for number in range(5, 505, 5):
        bench.rounds.tick(number, bench.now + number * 0.02)

    assert {len(bench.heard(leg)) for leg in legs} <= {19, 20, 21}


def test_a_leg_that_nobody_else_looks_after_is_told_of_earlier_whatever_rtcp_says(bench: Bench) -> None:
    bench.leg("a")
    bench.leg("b")
    bench.do(WatchLeg(leg="a", silent_s=2.0))
    for _ in range(8):
        bench.rounds.heard(bench.board.legs["a"], [], bench.now)
        pass_seconds(bench, 0.5)
    (timeout,) = of(bench, RtpTimeout)
    assert isinstance(timeout, RtpTimeout)
    assert (timeout.leg, timeout.silent_s) == ("a", pytest.approx(2.3, abs=0.4))
    bench.do(WatchLeg(leg="a", silent_s=0.0))
    (failed,) = of(bench, LegFailed)
    assert isinstance(failed, LegFailed)
    assert failed.command == "WatchLeg"


def test_the_name_of_the_dialog_is_in_the_list_of_legs(bench: Bench) -> None:
    bench.leg("a")
    bench.do(remote("a", dialog="id us them"))
    bench.do(OpenLeg(leg="b", tag="t"))
    bench.told()
    bench.do(ListLegs())
    (found,) = of(bench, Legs)
    assert isinstance(found, Legs)
    assert [(info.leg, info.dialog) for info in found.legs] == [("a", "id us them"), ("b", "")]
