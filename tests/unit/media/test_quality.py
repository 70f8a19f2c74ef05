from __future__ import annotations

from dataclasses import replace

import pytest

from engine.media.codecs import PEAK_0DBM0
from engine.media.commands import CloseLeg, Codec, Disconnect
from engine.media.events import LegClosed, Quality
from engine.media.quality import COUNTERS_S, news, quality
from tests.support.media_fakes import Bench, Speaker, sine_frames


@pytest.fixture
def figures() -> Quality:
    bench = Bench()
    a, _ = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b")
    for _ in range(5):
        bench.speak(Speaker(a))
    return quality(a, bench.board.table, bench.now)


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
    a.settle()
    b.settle()
    found = quality(a, bench.board.table, bench.now)
    assert (found.packets_received, found.octets_received, found.lost) == (7, 7 * 160, 0)
    assert quality(b, bench.board.table, bench.now).packets_sent == 7


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
    assert not news(None, quality(a, bench.board.table, bench.now), 0.0)


@pytest.mark.parametrize("change", [{"remote_lost": 0}, {"strangers": 1}, {"refused": 1}])
def test_a_leg_on_which_nothing_right_came_has_news_once_something_came(change: dict[str, int]) -> None:
    bench = Bench()
    assert news(None, replace(quality(bench.leg("a"), bench.board.table, bench.now), **change), 0.0)  # type: ignore[arg-type]


def test_loudness_and_silence_alone_are_no_news(figures: Quality) -> None:
    assert not news(figures, replace(figures, level_dbm0=-20.0, silent_s=9.0), COUNTERS_S - 0.1)
    assert not news(figures, replace(figures, silent_s=9.0), 3600.0)


@pytest.mark.parametrize("change", [{"mos": 3.0}, {"unauthentic": 1}, {"discarded": 1}])
def test_what_is_new_of_the_sound_is_news_at_once(figures: Quality, change: dict[str, float]) -> None:
    assert news(figures, replace(figures, **change), 1.0)
    assert not news(replace(figures, mos=4.0), replace(figures, mos=4.1), 1.0)


@pytest.mark.parametrize("gain_db", [0.0, -6.0])
def test_a_relayed_leg_and_a_mixed_one_are_measured_each_second(gain_db: float) -> None:
    bench = Bench()
    a, b = bench.leg("a"), bench.leg("b")
    bench.bridge("a", "b", gain_db=gain_db)
    speaker = Speaker(a)
    for payload in sine_frames(1004, frames=250, peak=PEAK_0DBM0 / 10, codec=Codec.PCMU):
        bench.speak(speaker, payload)
        bench.pass_tick()
    told = [event for event in bench.told() if isinstance(event, Quality)]
    assert 1 < len(told) <= 5
    last = quality(a, bench.board.table, bench.now)
    assert last.level_dbm0 == pytest.approx(-20, abs=0.5)
    assert (last.silent_s or 0) <= 1.1
    assert (last.mos or 0) > 4.3
    assert last.mos_worst == last.mos_mean == last.mos
    assert quality(b, bench.board.table, bench.now).level_dbm0 is None

    for _ in range(250):
        bench.speak(speaker, b"\xff" * 160)
        bench.pass_tick()
    assert quality(a, bench.board.table, bench.now).silent_s == pytest.approx(5, abs=1.1)


def test_a_closed_leg_tells_what_its_rows_have_counted() -> None:
    bench = Bench()
    a = bench.leg("a")
    bench.leg("b")
    bench.bridge("a", "b", gain_db=-6.0)
    speaker = Speaker(a)
    for at in range(40):
        if at == 20:
            missing = replace(speaker)
            speaker.seq, speaker.stamp = speaker.seq + 1, speaker.stamp + 160
        else:
            bench.speak(speaker)
        bench.pass_tick()
    bench.speak(missing)
    bench.do(Disconnect(source="a", sink="b"))
    assert a.row == -1
    bench.do(CloseLeg(leg="a"))
    (closed,) = [event for event in bench.told() if isinstance(event, LegClosed)]
    assert closed.quality.discarded == 1
    assert closed.quality.concealed_ms == 20
    assert closed.quality.mos is not None
