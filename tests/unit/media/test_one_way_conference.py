"""Who is not heard in a conference, or hears nothing of it, is told like anybody in a call."""

from __future__ import annotations

import struct

import pytest

from engine.media.commands import Direction, JoinConference
from engine.media.events import OneWayAudio, Way
from engine.media.leg import Leg
from engine.media.rtcp import Report, parse
from tests.support.media_fakes import Bench, Speaker


def told(bench: Bench) -> list[OneWayAudio]:
    return [event for event in bench.told() if isinstance(event, OneWayAudio)]


def talk(bench: Bench, seconds: float, *speakers: Speaker) -> None:
    for _ in range(round(seconds * 50)):
        for speaker in speakers:
            bench.speak(speaker)
        bench.pass_tick()


def room(names: str = "abc", **changes: object) -> tuple[Bench, list[Speaker]]:
    """Members of one conference; `changes` are those of the last one's seat."""
    bench = Bench()
    speakers = [Speaker(bench.leg(name)) for name in names]
    for name in names:
        seat = JoinConference(leg=name, conference="room", **(changes if name == names[-1] else {}))  # type: ignore[arg-type]
        bench.do(seat)
    return bench, speakers


def deaf(leg: Leg) -> list[Report]:
    """The peer's receiver report: as little has come as before."""
    made = struct.pack("!IIIIII", leg.tx.ssrc, 0, 7, 0, 0, 0)
    return parse(struct.pack("!BBHI", 0x81, 201, 7, 9) + made) or []


def test_a_member_who_is_not_heard_is_told_within_three_seconds_and_nobody_else() -> None:
    bench, (a, b, c) = room()
    talk(bench, 3.0, a, b)
    assert told(bench) == [OneWayAudio(leg="c", way=Way.IN)]
    talk(bench, 5.0, a, b)
    assert told(bench) == []
    talk(bench, 1.0, a, b, c)
    assert told(bench) == [OneWayAudio(leg="c", way=Way.IN, over=True)]
    talk(bench, 10.0, a, b, c)
    assert told(bench) == []


def test_one_other_who_sends_is_enough() -> None:
    bench, (a, b, c) = room()
    talk(bench, 5.0, a, b, c)
    talk(bench, 3.0, b)
    assert {(event.leg, event.way) for event in told(bench)} == {("a", Way.IN), ("c", Way.IN)}


def test_who_is_alone_or_among_the_silent_misses_nobody() -> None:
    bench, (a,) = room("a")
    for _ in range(30):
        a.leg.tx.refused += 3
        talk(bench, 0.1, a)
    assert told(bench) == []
    bench, _ = room()
    talk(bench, 10.0)
    assert told(bench) == []


def test_who_leaves_is_not_missed() -> None:
    bench, (a, b) = room("ab")
    talk(bench, 1.0, a, b)
    bench.do(JoinConference(leg="b", conference="another"))
    talk(bench, 5.0, a)
    assert told(bench) == []


def test_a_muted_member_is_not_missed_but_hears() -> None:
    bench, (a, b, c) = room(speaks=False)
    talk(bench, 5.0, a, b)
    assert told(bench) == []
    for _ in range(3):
        bench.rounds.heard(c.leg, deaf(c.leg), bench.now)
        talk(bench, 5.0, a, b)
    assert told(bench) == [OneWayAudio(leg="c", way=Way.OUT)]


def test_where_all_others_are_muted_or_hold_nobody_is_missed() -> None:
    bench, (a, b) = room("ab", speaks=False)
    talk(bench, 5.0, b)
    assert told(bench) == []
    bench = Bench()
    bench.leg("a"), bench.leg("b", direction=Direction.SENDONLY)
    for name in "ab":
        bench.do(JoinConference(leg=name, conference="room"))
    talk(bench, 5.0, a)
    assert told(bench) == []


@pytest.mark.parametrize("hears", [True, False])
def test_who_hears_nothing_of_it_is_told_unless_it_is_not_to(hears: bool) -> None:
    bench, (a, b, c) = room(hears=hears)
    for _ in range(3):
        talk(bench, 5.0, a, b, c)
        bench.rounds.heard(c.leg, deaf(c.leg), bench.now)
    talk(bench, 1.0, a, b, c)
    assert told(bench) == ([OneWayAudio(leg="c", way=Way.OUT)] if hears else [])
