from __future__ import annotations

from engine.calls.timers import Timers


def test_the_nearest_comes_first_and_only_when_due() -> None:
    timers: Timers[str] = Timers()
    timers.set("late", 9.0)
    timers.set("soon", 3.0)
    assert timers.next_deadline() == 3.0
    assert timers.pop_due(2.9) is None
    assert timers.pop_due(10.0) == "soon"
    assert timers.pop_due(10.0) == "late"
    assert timers.pop_due(10.0) is None


def test_a_cancelled_deadline_never_comes() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("b", 2.0)
    timers.cancel("a")
    timers.cancel("unknown")
    assert len(timers) == 1
    assert timers.next_deadline() == 2.0
    assert timers.pop_due(5.0) == "b"


def test_setting_again_replaces() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("a", 4.0)
    assert timers.pop_due(2.0) is None
    assert timers.pop_due(4.0) == "a"
    assert len(timers) == 0


def test_cancelled_entries_do_not_pile_up() -> None:
    timers: Timers[int] = Timers()
    for i in range(10_000):
        timers.set(i, float(i))
        timers.cancel(i)
    assert len(timers._heap) < 100
