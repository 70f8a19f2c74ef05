"""The directory changes while callers wait, phones ring and people talk."""

from __future__ import annotations

import pytest

from engine.acd.agent import AgentState
from engine.calls.directory import Agent, AgentStatus, Drop, Member, Put, Queue, StrategyName, Trunk
from engine.calls.log import CallerLeft, OfferEnded, OfferOutcome, QueueExit
from engine.calls.ports import MakeOffer, ReleaseCaller, ReleaseReason, WithdrawOffer, WithdrawReason
from engine.errors import NotFound
from engine.ids import AgentName, CallId, QueueName, TrunkName
from tests.support.acd_floor import AcdFloor, agents, queue_of

Q, ANNA, BEN = QueueName("q"), AgentName("anna"), AgentName("ben")


def test_a_member_added_while_callers_wait_is_rung_at_once() -> None:
    floor = AcdFloor(Queue(name=Q), *agents("anna"), registered=["anna"])
    floor.call("c1")
    assert floor.take() == []
    floor.change(Put(entity=Member(queue=Q, agent=ANNA)))
    assert floor.rung() == [("c1", "anna")]


def test_an_agent_and_a_queue_added_while_the_engine_runs() -> None:
    floor = AcdFloor()
    floor.change(Put(entity=Queue(name=Q)))
    floor.change(Put(entity=Agent(name=ANNA, status=AgentStatus.BREAK)))
    floor.change(Put(entity=Member(queue=Q, agent=ANNA)))
    floor.register("anna")
    floor.call("c1")
    assert floor.take() == []
    floor.available("anna")
    assert floor.rung() == [("c1", "anna")]


def test_a_member_removed_while_ringing_stops_and_the_caller_goes_to_the_next() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.change(Drop(entity=Member(queue=Q, agent=ANNA)))
    withdrawn, made = floor.take()
    assert withdrawn == WithdrawOffer(offer=offer, reason=WithdrawReason.AGENT_UNAVAILABLE)
    assert isinstance(made, MakeOffer)
    assert made.agent == "ben"
    assert floor.logged(OfferEnded)[0].outcome is OfferOutcome.AGENT_UNAVAILABLE
    assert floor.agent("anna").queues == ()


def test_a_member_removed_from_another_queue_goes_on_ringing_in_this_one() -> None:
    other = Queue(name=QueueName("other"))
    floor = AcdFloor(*queue_of("anna"), other, Member(queue=other.name, agent=ANNA), registered=["anna"])
    floor.call("c1")
    floor.take()
    floor.change(Drop(entity=Member(queue=other.name, agent=ANNA)))
    assert floor.take() == []
    assert floor.state("anna") is AgentState.OFFERED


def test_a_member_removed_while_resting_leaves_no_deadline() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    floor.fail(floor.offer().offer)
    floor.change(Drop(entity=Member(queue=Q, agent=ANNA)))
    assert floor.acd.next_deadline() is None


def test_an_agent_removed_while_ringing() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.change(Drop(entity=Agent(name=ANNA)))
    assert floor.take() == [WithdrawOffer(offer=offer, reason=WithdrawReason.AGENT_UNAVAILABLE)]
    assert floor.acd.snapshot(floor.now).agents == ()
    assert floor.queue().members == ()
    assert not floor.answer(offer)
    floor.unregister("anna")
    with pytest.raises(NotFound):
        floor.pause("anna")


def test_an_agent_removed_while_talking_is_forgotten_after_the_talk() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.change(Drop(entity=Agent(name=ANNA)))
    floor.call("c2")
    with pytest.raises(NotFound, match="there are: none"):
        floor.available("anna")
    with pytest.raises(NotFound):
        floor.acd.directory_changed(Put(entity=Member(queue=Q, agent=ANNA)), floor.now)
    assert floor.acd.live().talks == 1
    floor.end_talk("c1")
    floor.pass_time(60)
    assert floor.take() == []
    assert floor.acd.live().talks == 0
    floor.change(Put(entity=Agent(name=ANNA)))
    assert floor.state("anna") is AgentState.UNREACHABLE, "a new agent of that name"


def test_an_agent_removed_in_wrap_up_leaves_no_deadline() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.end_talk("c1")
    floor.change(Drop(entity=Agent(name=ANNA)))
    assert floor.acd.next_deadline() is None
    assert floor.acd.snapshot(floor.now).agents == ()


def test_an_agent_put_back_during_the_same_call_is_in_it_still() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.change(Drop(entity=Agent(name=ANNA)))
    floor.change(Put(entity=Agent(name=ANNA)))
    floor.change(Put(entity=Member(queue=Q, agent=ANNA)))
    floor.call("c2")
    assert floor.take() == []
    assert floor.state("anna") is AgentState.IN_CALL
    floor.end_talk("c1")
    floor.pass_time(10)
    assert floor.rung() == [("c2", "anna")]


def test_a_changed_agent_keeps_the_status_that_the_engine_owns() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.pause("anna", "lunch")
    floor.change(Put(entity=Agent(name=ANNA, display="Anna A.")))
    view = floor.agent("anna")
    assert (view.display, view.status, view.status_reason) == ("Anna A.", AgentStatus.BREAK, "lunch")


def test_a_queue_removed_lets_its_callers_go_and_leaves_talks_alone() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.connect("c1")
    floor.call("c2")
    floor.call("c3")
    offer = floor.offer().offer
    floor.change(Drop(entity=Queue(name=Q)))
    assert floor.take() == [
        WithdrawOffer(offer=offer, reason=WithdrawReason.CALLER_LEFT),
        ReleaseCaller(call=CallId("c2"), reason=ReleaseReason.QUEUE_REMOVED),
        ReleaseCaller(call=CallId("c3"), reason=ReleaseReason.QUEUE_REMOVED),
    ]
    assert {left.why for left in floor.logged(CallerLeft)} == {QueueExit.QUEUE_REMOVED}
    assert floor.state("anna") is AgentState.IN_CALL
    floor.end_talk("c1")
    assert floor.state("anna") is AgentState.IDLE
    with pytest.raises(NotFound):
        floor.call("c4")
    assert floor.acd.next_deadline() is None


def test_a_new_patience_is_measured_from_the_arrival() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.call("c1")
    floor.pass_time(20)
    floor.change(Put(entity=Queue(name=Q, max_wait_s=30)))
    assert floor.acd.next_deadline() == floor.now + 10
    floor.change(Put(entity=Queue(name=Q, max_wait_s=0)))
    assert floor.acd.next_deadline() is None


def test_a_new_strategy_counts_for_those_who_are_idle_and_those_who_wait() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["ben"])
    floor.pass_time(1)
    floor.register("anna")
    floor.change(Put(entity=Queue(name=Q, strategy=StrategyName.RINGALL)))
    floor.call("c1")
    assert floor.rung() == [("c1", "anna"), ("c1", "ben")]


def test_switching_to_ringall_rings_the_others_for_who_is_being_offered() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    assert floor.rung() == [("c1", "anna")]
    floor.change(Put(entity=Queue(name=Q, strategy=StrategyName.RINGALL)))
    assert floor.rung() == [("c1", "ben")]


def test_a_new_penalty_counts_at_once() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.change(Put(entity=Member(queue=Q, agent=ANNA, penalty=3)))
    floor.call("c1")
    assert floor.rung() == [("c1", "ben")]


def test_a_membership_of_nobody_is_an_error_and_dropping_nothing_is_none() -> None:
    floor = AcdFloor(*queue_of("anna"))
    with pytest.raises(NotFound):
        floor.acd.directory_changed(Put(entity=Member(queue=Q, agent=BEN)), floor.now)
    with pytest.raises(NotFound):
        floor.acd.directory_changed(Put(entity=Member(queue=QueueName("nope"), agent=ANNA)), floor.now)
    for entity in (Agent(name=BEN), Queue(name=QueueName("nope")), Member(queue=Q, agent=BEN)):
        floor.acd.directory_changed(Drop(entity=entity), floor.now)
    trunk = Trunk(name=TrunkName("t"), host="192.0.2.1")
    floor.acd.directory_changed(Put(entity=trunk), floor.now)
    floor.acd.directory_changed(Drop(entity=trunk), floor.now)
    assert floor.take() == []
