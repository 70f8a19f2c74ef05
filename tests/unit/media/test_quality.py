from __future__ import annotations

from dataclasses import replace

import pytest

from engine.media.commands import Quality
from engine.media.quality import COUNTERS_S, news, quality
from tests.support.media_fakes import Bench, Speaker


@pytest.fixture
def figures() -> Quality:
    bench = Bench()
    a, _ = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    for _ in range(5):
        bench.speak(Speaker(a))
    return quality(a)


def test_packets_are_counted_over_every_stream_of_a_leg() -> None:
    """A phone that is moved, or restarted, begins another one."""
    bench = Bench()
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    first, second = Speaker(a), Speaker(a)
    second.ssrc = first.ssrc + 1
    for speaker, packets in ((first, 3), (second, 4)):
        for _ in range(packets):
            bench.speak(speaker)
    assert (quality(a).packets_received, quality(a).octets_received) == (7, 7 * 160)
    assert (quality(b).packets_sent, quality(a).lost) == (7, 0)


def test_the_first_figures_are_news(figures: Quality) -> None:
    assert news(None, figures, 0.0)


def test_the_same_figures_never_are(figures: Quality) -> None:
    assert not news(figures, figures, 3600.0)


def test_counters_alone_are_news_now_and_then(figures: Quality) -> None:
    more = replace(figures, packets_received=999)

    assert not news(figures, more, COUNTERS_S - 0.1)
    assert news(figures, more, COUNTERS_S)


@pytest.mark.parametrize(
    "change",
    [
        {"lost": 77},
        {"jitter_ms": 50.0},
        {"remote_lost": 3},
        {"round_trip_ms": 40.0},
        {"strangers": 9},
        {"refused": 1},
    ],
)
def test_what_a_caller_would_hear_is_news_at_once(figures: Quality, change: dict[str, float]) -> None:
    assert news(figures, replace(figures, **change), 1.0)


def test_a_leg_on_which_nothing_came_has_no_news() -> None:
    bench = Bench()
    a = bench.leg("a")
    assert not news(None, quality(a), 0.0)


@pytest.mark.parametrize("change", [{"remote_lost": 0}, {"strangers": 1}, {"refused": 1}])
def test_a_leg_on_which_nothing_right_came_has_news_once_something_came(change: dict[str, int]) -> None:
    bench = Bench()
    assert news(None, replace(quality(bench.leg("a")), **change), 0.0)  # type: ignore[arg-type]
