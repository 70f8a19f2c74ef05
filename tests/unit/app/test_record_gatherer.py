from __future__ import annotations

from collections.abc import Callable

from engine.app.record_gatherer import GATHER_ROWS, GATHER_S, RecordGatherer
from engine.calls.journal import Record
from tests.support.records import queue_call


class Desk:
    """A gatherer with what it hands on, and its timer."""

    def __init__(self) -> None:
        self.kept: list[list[Record]] = []
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.gatherer = RecordGatherer(
            lambda records: self.kept.append(list(records)), later=lambda delay, call: self.due.append((delay, call))
        )

    def ring(self) -> None:
        _, call = self.due.pop()
        call()


def test_a_burst_is_handed_on_in_order_and_in_one_piece_by_one_timer() -> None:
    desk, records = Desk(), queue_call("c1")
    desk.gatherer.gather(records[:3])
    desk.gatherer.gather(records[3:7])
    assert desk.kept == []
    assert [delay for delay, _ in desk.due] == [GATHER_S]
    desk.ring()
    assert desk.kept == [records[:7]]
    desk.gatherer.gather(records[7:])
    desk.ring()
    assert desk.kept == [records[:7], records[7:]]


def test_what_waits_for_an_occasion_has_it_with_every_batch() -> None:
    desk, records = Desk(), queue_call("c1")
    seen: list[int] = []
    desk.gatherer.beside(lambda: seen.append(len(desk.kept)))
    desk.gatherer.flush()
    assert seen == []
    desk.gatherer.gather(records[:3])
    desk.ring()
    assert seen == [1]


def test_what_is_gathered_is_far_less_than_the_second_that_kill_9_may_cost() -> None:
    """The rest of it is the writer's (test_writer_killed)."""
    desk = Desk()
    desk.gatherer.gather(queue_call("c1"))
    assert [delay <= 0.25 for delay, _ in desk.due] == [True]


def test_flush_hands_on_at_once_and_the_timer_finds_nothing() -> None:
    desk, records = Desk(), queue_call("c1")
    desk.gatherer.gather(records)
    desk.gatherer.flush()
    assert desk.kept == [records]
    desk.ring()
    assert desk.kept == [records]


def test_a_storm_is_not_held_and_needs_no_second_timer() -> None:
    desk, records = Desk(), queue_call("c1") * GATHER_ROWS
    desk.gatherer.gather(records[: GATHER_ROWS - 1])
    assert desk.kept == []
    desk.gatherer.gather(records[:1])
    assert [len(batch) for batch in desk.kept] == [GATHER_ROWS]
    desk.gatherer.gather(records[:2])
    assert len(desk.due) == 1
    desk.ring()
    assert [len(batch) for batch in desk.kept] == [GATHER_ROWS, 2]
    desk.gatherer.gather(records[:3])
    desk.ring()
    assert [len(batch) for batch in desk.kept] == [GATHER_ROWS, 2, 3]
