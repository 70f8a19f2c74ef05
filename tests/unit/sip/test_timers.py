"""The heap of deadlines."""

from __future__ import annotations

from engine.sip.timers import TimerHeap, Timers


class Log:
    def __init__(self, heap: TimerHeap) -> None:
        self.heap = heap
        self.rang: list[tuple[str, float]] = []

    def timer_rang(self, what: str, now: float) -> None:
        self.rang.append((what, now))
        if what == "chain":
            self.heap.start(now, self, "link")


def test_timers_ring_in_order_of_deadline_then_of_arming() -> None:
    heap = TimerHeap()
    log = Log(heap)
    for deadline, what in ((2.0, "c"), (1.0, "a"), (1.0, "b"), (9.0, "later")):
        heap.start(deadline, log, what)
    heap.ring(2.0)
    assert log.rang == [("a", 2.0), ("b", 2.0), ("c", 2.0)]
    assert (len(heap), heap.next_deadline()) == (1, 9.0)


def test_a_timer_armed_while_ringing_for_now_rings_too() -> None:
    heap = TimerHeap()
    log = Log(heap)
    heap.start(1.0, log, "chain")
    heap.ring(1.0)
    assert [what for what, _ in log.rang] == ["chain", "link"]


def test_a_cancelled_timer_is_silent_and_forgotten() -> None:
    heap = TimerHeap()
    log = Log(heap)
    timer = heap.start(1.0, log, "a")
    heap.cancel(timer)
    heap.cancel(timer)
    heap.cancel(None)
    assert timer.owner is None
    assert (len(heap), heap.next_deadline()) == (0, None)
    heap.ring(5.0)
    assert log.rang == []


def test_cancelled_timers_do_not_pile_up() -> None:
    heap = TimerHeap()
    log = Log(heap)
    keep = [heap.start(1e9, log, "keep") for _ in range(10)]
    for _ in range(100_000):
        heap.cancel(heap.start(1e6, log, "gone"))
    assert len(heap) == len(keep)
    assert len(heap._heap) < 3000
    heap.ring(2e9)
    assert len(log.rang) == len(keep)


def test_intervals_follow_from_the_base_ones() -> None:
    assert (Timers().transaction, Timers().completed) == (32.0, 32.0)
    assert (Timers(t1=0.1).transaction, Timers(t1=0.1).completed) == (6.4, 32.0)
    assert Timers(t1=1.0).completed == 64.0


def test_timers_that_may_ring_late_ring_together_and_never_early() -> None:
    heap = TimerHeap()
    log = Log(heap)
    for deadline in (1.5, 1.01, 1.3):
        heap.start_late(deadline, log, "late")
    heap.start(1.49, log, "exact")
    assert heap.next_deadline() == 1.49
    heap.ring(1.49)
    assert log.rang == [("exact", 1.49)]
    assert heap.next_deadline() == 1.5
    heap.ring(1.5)
    assert log.rang[1:] == [("late", 1.5)] * 3
