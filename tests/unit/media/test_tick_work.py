from __future__ import annotations

from engine.media.tick_work import WINDOW, TickWork


def test_nothing_worked_is_nothing() -> None:
    figures = TickWork().figures()
    assert (figures.p50, figures.p99) == (0.0, 0.0)


def test_the_dearest_hundredth_does_not_count_and_the_next_does() -> None:
    work = TickWork()
    for number in range(100):
        work.note(number / 1000)
    figures = work.figures()
    assert (figures.p50, figures.p99) == (0.049, 0.098)


def test_only_the_last_ticks_count() -> None:
    work = TickWork()
    for _ in range(WINDOW):
        work.note(0.015)
    for _ in range(WINDOW):
        work.note(0.001)
    assert work.figures().p99 == 0.001
    work.clear()
    assert work.figures().p99 == 0.0
