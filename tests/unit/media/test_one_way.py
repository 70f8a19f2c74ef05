"""Who is not heard is missed within three seconds, and nobody else is."""

from __future__ import annotations

import struct

import pytest

from engine.media.commands import Direction, Disconnect
from engine.media.events import OneWayAudio, Way
from engine.media.leg import Leg
from engine.media.quality import quality
from engine.media.rtcp import Report, ReportBlock, parse
from tests.support.media_fakes import Bench, Speaker, remote


@pytest.fixture
def bench() -> Bench:
    return Bench()


def told(bench: Bench) -> list[OneWayAudio]:
    return [event for event in bench.told() if isinstance(event, OneWayAudio)]


def talk(bench: Bench, seconds: float, *speakers: Speaker) -> None:
    for _ in range(round(seconds * 50)):
        for speaker in speakers:
            bench.speak(speaker)
        bench.pass_tick()


def block(leg: Leg, highest: int, *, ssrc: int | None = None) -> list[Report]:
    """The peer's receiver report, by way of the wire."""
    made = struct.pack("!IIIIII", leg.tx.ssrc if ssrc is None else ssrc, 0, highest, 0, 0, 0)
    return parse(struct.pack("!BBHI", 0x81, 201, 7, 9) + made) or []


NOTHING: list[Report] = []
"""A report without a block."""


def test_who_is_not_heard_is_told_within_three_seconds(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    talk(bench, 3.0, Speaker(a))
    assert told(bench) == [OneWayAudio(leg="b", way=Way.IN)]
    talk(bench, 20.0, Speaker(a))
    assert told(bench) == []
    assert quality(b, bench.board.table, bench.now).one_way == "in"
    assert quality(a, bench.board.table, bench.now).one_way == ""


@pytest.mark.parametrize("gain_db", [0.0, -3.0])
def test_who_falls_silent_is_told_and_so_is_that_it_is_heard_again(bench: Bench, gain_db: float) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=gain_db)
    one, other = Speaker(a), Speaker(b)
    talk(bench, 10.0, one, other)
    assert told(bench) == []
    talk(bench, 1.9, one)
    assert told(bench) == []
    talk(bench, 1.1, one)
    assert told(bench) == [OneWayAudio(leg="b", way=Way.IN)]
    talk(bench, 1.0, one, other)
    assert told(bench) == [OneWayAudio(leg="b", way=Way.IN, over=True)]
    assert quality(b, bench.board.table, bench.now).one_way == "in"


def test_who_is_missed_stays_so_when_the_other_falls_silent_too(bench: Bench) -> None:
    a, _ = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    talk(bench, 3.0, Speaker(a))
    told(bench)
    talk(bench, 10.0)
    assert told(bench) == []


def test_two_who_are_both_silent_miss_nobody(bench: Bench) -> None:
    bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    talk(bench, 20.0)
    assert told(bench) == []


def test_who_talks_with_nobody_is_not_missed(bench: Bench) -> None:
    a = bench.leg("a")
    bench.leg("b")
    talk(bench, 10.0, Speaker(a))
    assert told(bench) == []
    bench.bridge("a", "b")
    bench.do(Disconnect(source="b", sink="a"))
    talk(bench, 10.0, Speaker(a))
    assert told(bench) == []


@pytest.mark.parametrize("direction", [Direction.SENDONLY, Direction.INACTIVE, Direction.RECVONLY])
def test_who_holds_is_not_missed(bench: Bench, direction: Direction) -> None:
    a = bench.leg("a")
    bench.leg("b", direction=direction)
    bench.bridge("a", "b")
    talk(bench, 10.0, Speaker(a))
    assert told(bench) == []


def test_who_may_rest_is_missed_before_its_first_packet_only(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b", cn_payload_type=13)
    bench.bridge("a", "b")
    talk(bench, 3.0, Speaker(a))
    assert len(told(bench)) == 1
    talk(bench, 1.0, Speaker(a), Speaker(b))
    told(bench)
    talk(bench, 20.0, Speaker(a))
    assert told(bench) == []


def test_a_peer_whose_reports_say_that_nothing_comes_is_told(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    one, other = Speaker(a), Speaker(b)
    talk(bench, 5.0, one, other)
    bench.rounds.heard(b, block(b, 200), bench.now)
    talk(bench, 5.0, one, other)
    bench.rounds.heard(b, block(b, 400), bench.now)
    talk(bench, 5.0, one, other)
    assert told(bench) == []
    bench.rounds.heard(b, block(b, 400), bench.now)
    talk(bench, 1.0, one, other)
    assert told(bench) == [OneWayAudio(leg="b", way=Way.OUT)]
    bench.rounds.heard(b, block(b, 500), bench.now)
    talk(bench, 1.0, one, other)
    assert told(bench) == [OneWayAudio(leg="b", way=Way.OUT, over=True)]


def test_reports_without_a_word_of_ours_count_from_the_second_on(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    one, other = Speaker(a), Speaker(b)
    for reports, expected in ((block(b, 9, ssrc=1), []), (NOTHING, [OneWayAudio(leg="b", way=Way.OUT)])):
        talk(bench, 5.0, one, other)
        bench.rounds.heard(b, reports, bench.now)
        talk(bench, 0.6, one, other)
        assert told(bench) == expected


def test_reports_mean_nothing_while_little_was_sent(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    talk(bench, 0.5, Speaker(a), Speaker(b))
    for _ in range(5):
        bench.rounds.heard(b, NOTHING, bench.now)
        bench.rounds.heard(b, block(b, 3), bench.now)
        talk(bench, 0.5, Speaker(b))
    assert told(bench) == []


def test_a_host_that_refuses_our_packets_hears_nothing(bench: Bench) -> None:
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    one, other = Speaker(a), Speaker(b)
    for step in range(30):
        b.tx.refused += 3
        talk(bench, 0.1, one, other)
        if step < 18:
            assert told(bench) == []
    assert told(bench) == [OneWayAudio(leg="b", way=Way.OUT)]
    talk(bench, 1.2, one, other)
    assert told(bench) == [OneWayAudio(leg="b", way=Way.OUT, over=True)]


def test_a_leg_that_is_put_on_hold_is_missed_no_longer(bench: Bench) -> None:
    a = bench.leg("a")
    bench.leg("b")
    bench.bridge("a", "b")
    talk(bench, 3.0, Speaker(a))
    bench.do(remote("b", direction=Direction.RECVONLY))
    talk(bench, 1.0, Speaker(a))
    assert [event.over for event in told(bench)] == [False, True]


def test_a_block_tells_its_highest_number() -> None:
    leg = Bench().leg("a")
    (found,) = block(leg, 70_000)
    assert isinstance(found, ReportBlock)
    assert found.highest == 70_000
