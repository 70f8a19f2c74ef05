"""The callers' side: order, positions, patience, full queues."""

from __future__ import annotations

import pytest

from engine.calls.directory import Queue
from engine.calls.log import CallerLeft, CallerQueued, OfferEnded, OfferOutcome, QueueExit
from engine.calls.ports import ReleaseCaller, ReleaseReason, WithdrawOffer, WithdrawReason
from engine.errors import InvalidRequest, NotFound
from engine.ids import CallId, QueueName
from tests.support.acd_floor import AcdFloor, queue_of


def settings(*, max_wait_s: float = 0, max_callers: int = 0, ring_timeout_s: float = 15) -> Queue:
    return Queue(
        name=QueueName("q"), max_wait_s=max_wait_s, max_callers=max_callers, ring_timeout_s=ring_timeout_s, wrap_up_s=0
    )


def test_callers_are_served_in_the_order_of_arrival() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings()))
    for call in ("c1", "c2", "c3"):
        floor.call(call)
    floor.register("anna")
    for call in ("c1", "c2", "c3"):
        made = floor.offer()
        assert made.call == call
        floor.answer(made.offer)
        floor.end_talk(call)


def test_a_caller_who_was_not_taken_stays_at_the_head() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=settings()), registered=["anna"])
    floor.call("c1")
    floor.call("c2")
    floor.fail(floor.offer().offer)
    assert [(view.call, view.position) for view in floor.queue().callers] == [("c1", 1), ("c2", 2)]
    floor.register("ben")
    assert floor.rung() == [("c1", "ben")]


def test_positions() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings()))
    for call in ("c1", "c2", "c3", "c4"):
        floor.call(call)
    floor.hang_up("c3")
    floor.hang_up("c2")
    floor.call("c5")
    assert [(left.position, left.entry_position) for left in floor.logged(CallerLeft)] == [(3, 3), (2, 2)]
    assert [queued.position for queued in floor.logged(CallerQueued)] == [1, 2, 3, 4, 3]
    views = floor.queue().callers
    assert [(view.call, view.position, view.entry_position) for view in views] == [
        ("c1", 1, 1),
        ("c4", 2, 4),
        ("c5", 3, 3),
    ]


def test_an_unknown_queue() -> None:
    floor = AcdFloor(*queue_of("anna"))
    with pytest.raises(NotFound, match="no queue 'nope'; there are: q"):
        floor.call("c1", "nope")
    assert floor.acd.live().callers == 0


def test_a_call_waits_in_one_queue_at_a_time() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    with pytest.raises(InvalidRequest):
        floor.call("c1")
    floor.answer(floor.offer().offer)
    with pytest.raises(InvalidRequest):
        floor.call("c1")


def test_leaving_twice_or_never_having_come_does_nothing() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.call("c1")
    floor.hang_up("c1")
    floor.hang_up("c1")
    floor.hang_up("c9")
    floor.end_talk("c9")
    assert len(floor.logged(CallerLeft)) == 1


# --- max_wait_s ---


def test_who_waits_too_long_is_let_go() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_wait_s=60)))
    floor.call("c1")
    floor.pass_time(59.9)
    assert floor.take() == []
    floor.pass_time(0.1)
    assert floor.take() == [ReleaseCaller(call=CallId("c1"), reason=ReleaseReason.TIMEOUT)]
    assert floor.logged(CallerLeft) == [
        CallerLeft(queue=QueueName("q"), why=QueueExit.TIMEOUT, waited_s=60, position=1, entry_position=1)
    ]
    assert floor.acd.live().callers == 0


def test_patience_ends_while_an_agent_rings() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_wait_s=10)), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.pass_time(10)
    assert floor.take() == [
        WithdrawOffer(offer=offer, reason=WithdrawReason.QUEUE_TIMEOUT),
        ReleaseCaller(call=CallId("c1"), reason=ReleaseReason.TIMEOUT),
    ]
    assert floor.logged(OfferEnded)[0].outcome is OfferOutcome.QUEUE_TIMEOUT
    floor.call("c2")
    assert floor.rung() == [("c2", "anna")], "nothing was the agent's fault"


@pytest.mark.parametrize("end", ["answer", "hang_up"])
def test_patience_is_over_with_the_wait(end: str) -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_wait_s=60)), registered=["anna"])
    floor.call("c1")
    if end == "answer":
        floor.answer(floor.offer().offer)
    else:
        floor.hang_up("c1")
    assert floor.acd.next_deadline() is None


# --- max_callers ---


def test_a_full_queue_refuses_and_writes_no_entry() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_callers=2)))
    for call in ("c1", "c2", "c3"):
        floor.call(call)
    assert floor.take() == [ReleaseCaller(call=CallId("c3"), reason=ReleaseReason.FULL)]
    assert [view.call for view in floor.queue().callers] == ["c1", "c2"]
    assert len(floor.logged(CallerQueued)) == 2
    assert floor.logged(CallerLeft) == [
        CallerLeft(queue=QueueName("q"), why=QueueExit.FULL, waited_s=0, position=3, entry_position=3)
    ]
    floor.hang_up("c1")
    floor.call("c4")
    assert floor.take() == []


def test_a_queue_says_whether_it_has_room() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_callers=1)))
    assert floor.acd.has_room(QueueName("q"))
    floor.call("c1")
    assert not floor.acd.has_room(QueueName("q"))
    floor.hang_up("c1")
    assert floor.acd.has_room(QueueName("q"))
    with pytest.raises(NotFound, match="no queue 'none'"):
        floor.acd.has_room(QueueName("none"))


def test_a_call_being_offered_counts_but_one_that_is_connected_does_not() -> None:
    floor = AcdFloor(*queue_of("anna", queue=settings(max_callers=1)), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.call("c2")
    assert floor.take() == [ReleaseCaller(call=CallId("c2"), reason=ReleaseReason.FULL)]
    floor.answer(offer)
    floor.call("c3")
    assert floor.take() == []
