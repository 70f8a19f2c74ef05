from __future__ import annotations

import pytest

from engine.media.emodel import mos, rating
from engine.media.meter import MEASURED_OVER, Meter
from tests.support.media_fakes import Bench, Speaker


class Line:
    """A leg whose peer's packets may be lost, and its meter."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.leg = self.bench.leg("a")
        self.speaker = Speaker(self.leg)
        self.meter = Meter()

    def send(self, count: int, *, lose: tuple[int, ...] = ()) -> None:
        for at in range(count):
            if at in lose:
                self.speaker.seq += 1
                self.speaker.stamp += 160
            else:
                self.bench.speak(self.speaker)

    def look(self, *, discarded: int = 0, round_trip_s: float | None = None, closing: bool = False) -> float | None:
        self.leg.settle()
        self.meter.look(self.leg.rx, discarded=discarded, round_trip_s=round_trip_s, depth_ms=40.0, closing=closing)
        return self.meter.mos


def test_a_good_line_is_good() -> None:
    line = Line()
    line.send(MEASURED_OVER)
    assert line.look() == pytest.approx(mos(rating(loss=0.0, delay_ms=60.0)))


def test_too_few_packets_say_nothing_until_the_end() -> None:
    line = Line()
    line.send(MEASURED_OVER - 1)
    assert line.look() is None
    assert line.look(closing=True) is not None
    short = Line()
    short.send(9)
    assert short.look(closing=True) is None


def test_lost_packets_count_and_those_of_one_gap_count_more() -> None:
    scattered, together = Line(), Line()
    scattered.send(200, lose=(20, 50, 80, 110, 140, 170))
    together.send(200, lose=(50, 51, 52, 53, 54, 55))
    alone = scattered.look()
    assert alone == pytest.approx(mos(rating(loss=0.03, delay_ms=60.0)), abs=0.01)
    bursts = together.look()
    assert alone is not None
    assert bursts is not None
    assert bursts < alone - 0.03
    assert bursts == pytest.approx(mos(rating(loss=0.03, burst_ratio=6 * 0.97, delay_ms=60.0)), abs=0.01)


def test_packets_that_came_too_late_count_as_lost() -> None:
    line = Line()
    line.send(200)
    assert line.look(discarded=6) == pytest.approx(mos(rating(loss=0.03, delay_ms=60.0)), abs=0.01)


def test_half_the_round_trip_counts_as_delay() -> None:
    line = Line()
    line.send(200)
    assert line.look(round_trip_s=0.5) == pytest.approx(mos(rating(loss=0.0, delay_ms=310.0)))


def test_each_look_is_at_what_came_since_and_the_worst_and_the_mean_are_kept() -> None:
    line = Line()
    line.send(200)
    best = line.look()
    line.send(200, lose=tuple(range(0, 200, 10)))
    worst = line.look()
    line.send(400)
    assert line.look() == best
    assert best is not None
    assert worst is not None
    assert line.meter.worst == worst < best
    assert line.meter.mean == pytest.approx((600 * best + 200 * worst) / 800)
