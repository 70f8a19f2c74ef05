"""One caller, one agent, one offer: how it comes to be and every way in which it ends."""

from __future__ import annotations

import pytest

from engine.acd.agent import AgentState
from engine.acd.floor import MAX_WISHED_REST_S
from engine.acd.snapshot import LiveCounts
from engine.calls.directory import AgentStatus, Queue
from engine.calls.events import UnreachableReason
from engine.calls.log import (
    AgentStateChanged,
    AgentStatusChanged,
    CallerConnected,
    CallerLeft,
    OfferEnded,
    OfferMade,
    OfferOutcome,
    OfferRinging,
    QueueExit,
)
from engine.calls.ports import MakeOffer, OfferResult, WithdrawOffer, WithdrawReason
from engine.ids import OfferId, QueueName
from tests.support.acd_floor import AcdFloor, queue_of

AT_REST = LiveCounts(callers=0, offers=0, talks=0, own_calls=0, deadlines=0, effects=0)


def test_a_caller_is_offered_at_once_to_an_idle_agent() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    made = floor.offer()
    assert (made.call, made.queue, made.agent) == ("c1", "q", "anna")
    assert floor.state("anna") is AgentState.OFFERED
    assert floor.logged(OfferMade) == [OfferMade(offer=made.offer, queue=made.queue, agent=made.agent)]


def test_a_caller_who_waits_is_offered_to_the_next_agent_who_comes_free() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.call("c1")
    assert floor.rung() == []
    floor.register("anna")
    assert floor.rung() == [("c1", "anna")]


def test_ringing_is_told_once() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.acd.offer_ringing(offer, floor.now)
    floor.acd.offer_ringing(offer, floor.now)
    assert floor.state("anna") is AgentState.RINGING
    assert len(floor.logged(OfferRinging)) == 1


def test_an_answer_joins_caller_and_agent_and_wrap_up_follows_the_talk() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.call("c0")
    floor.call("c1")
    floor.pass_time(2)
    floor.register("anna")
    offer = floor.offer().offer
    floor.pass_time(3)
    assert floor.answer(offer)
    assert floor.take() == []
    assert floor.logged(CallerConnected) == [
        CallerConnected(
            queue=QueueName("q"), agent=floor.agent("anna").name, offer=offer, waited_s=5, rang_s=3, position=1
        )
    ]
    assert floor.agent("anna").call == "c0"
    floor.pass_time(30)
    floor.end_talk("c0")
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.pass_time(9.9)
    assert floor.rung() == []
    floor.pass_time(0.1)
    assert floor.rung() == [("c1", "anna")]
    states = [change.state for change in floor.logged(AgentStateChanged)]
    assert states == ["idle", "offered", "ringing", "in_call", "wrap_up", "idle", "offered"]


def test_nothing_is_left_when_all_is_over() -> None:
    floor = AcdFloor(*queue_of("anna", queue=Queue(name=QueueName("q"), max_wait_s=60)), registered=["anna"])
    floor.connect("c1")
    floor.end_talk("c1")
    floor.pass_time(10)
    assert floor.acd.live() == AT_REST
    assert floor.acd.next_deadline() is None


# --- RONA ---


def test_an_agent_who_does_not_answer_is_set_to_a_break_and_told_why() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    first = floor.offer()
    floor.pass_time(14.9)
    assert floor.take() == []
    floor.pass_time(0.1)
    withdrawn, second = floor.take()
    assert withdrawn == WithdrawOffer(offer=first.offer, reason=WithdrawReason.RING_TIMEOUT)
    assert isinstance(second, MakeOffer)
    assert second.agent == "ben"
    anna = floor.agent("anna")
    assert (anna.status, anna.status_reason) == (AgentStatus.BREAK, "rona: no answer for 15 s (queue q)")
    assert anna.state is AgentState.IDLE
    assert floor.logged(AgentStatusChanged)[0].by == "engine"
    ended = floor.logged(OfferEnded)[0]
    assert (ended.outcome, ended.rang_s) == (OfferOutcome.RING_TIMEOUT, 15.0)


def test_after_rona_the_caller_waits_for_whoever_comes_back() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    floor.pass_time(100)
    assert floor.rung() == [("c1", "anna")]
    floor.available("anna")
    assert floor.rung() == [("c1", "anna")]


def test_without_rona_the_same_agent_rests_retry_s_and_is_asked_again() -> None:
    floor = AcdFloor(*queue_of("anna", queue=Queue(name=QueueName("q"), rona_break=False)), registered=["anna"])
    floor.call("c1")
    floor.pass_time(15)
    assert floor.rung() == [("c1", "anna")]
    assert floor.agent("anna").status is AgentStatus.AVAILABLE
    floor.pass_time(4.9)
    assert floor.rung() == []
    floor.pass_time(0.1)
    assert floor.rung() == [("c1", "anna")]


def test_without_rona_another_idle_agent_is_asked_at_once() -> None:
    queue = Queue(name=QueueName("q"), rona_break=False)
    floor = AcdFloor(*queue_of("anna", "ben", queue=queue), registered=["anna", "ben"])
    floor.call("c1")
    floor.pass_time(15)
    assert floor.rung() == [("c1", "anna"), ("c1", "ben")]


# --- the phone refuses ---


@pytest.mark.parametrize("result", list(OfferResult))
def test_a_refused_caller_goes_to_others_at_once_and_the_agent_rests(result: OfferResult) -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    floor.fail(floor.offer().offer, result)
    assert floor.offer().agent == "ben"
    assert floor.agent("anna").status is AgentStatus.AVAILABLE
    assert [member.resting for member in floor.queue().members] == [True, False]
    assert floor.logged(OfferEnded)[0].outcome == result.value
    floor.call("c2")
    assert floor.take() == []
    floor.pass_time(5)
    assert floor.offer().agent == "anna"


def test_a_resting_agent_is_still_there_for_other_queues() -> None:
    other = queue_of("anna", queue=Queue(name=QueueName("other")))
    floor = AcdFloor(*queue_of("anna"), *[e for e in other if e not in queue_of("anna")], registered=["anna"])
    floor.call("c1")
    floor.fail(floor.offer().offer)
    floor.call("c2", "other")
    assert floor.rung() == [("c2", "anna")]


def test_saying_available_ends_the_rest() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    floor.fail(floor.offer().offer, OfferResult.BUSY)
    assert floor.take() == []
    floor.available("anna")
    assert floor.rung() == [("c1", "anna")]


def test_a_phone_that_refuses_at_once_is_not_called_again_at_once_even_without_retry() -> None:
    floor = AcdFloor(*queue_of("anna", queue=Queue(name=QueueName("q"), retry_s=0)), registered=["anna"])
    floor.call("c1")
    floor.fail(floor.offer().offer)
    assert floor.take() == []
    floor.pass_time(0.4)
    assert floor.take() == []
    floor.pass_time(0.1)
    assert floor.rung() == [("c1", "anna")]


# --- the ground is taken away ---


def test_a_lost_binding_stops_the_ringing_and_the_caller_keeps_the_place() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna"])
    floor.call("c1")
    floor.call("c2")
    offer = floor.offer().offer
    floor.acd.offer_ringing(offer, floor.now)
    floor.unregister("anna", UnreachableReason.CONNECTION_LOST)
    assert floor.take() == [WithdrawOffer(offer=offer, reason=WithdrawReason.AGENT_UNREACHABLE)]
    assert floor.state("anna") is AgentState.UNREACHABLE
    assert floor.logged(OfferEnded)[0].outcome is OfferOutcome.UNREACHABLE
    floor.register("ben")
    assert floor.rung() == [("c1", "ben")]


def test_with_another_agent_idle_the_lost_offer_is_made_again_in_the_same_instant() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    assert floor.rung() == [("c1", "anna")]
    floor.unregister("anna")
    assert floor.rung() == [("c1", "ben")]


def test_a_break_while_ringing_withdraws() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.pause("anna")
    assert floor.take() == [WithdrawOffer(offer=offer, reason=WithdrawReason.AGENT_UNAVAILABLE)]
    assert floor.state("anna") is AgentState.IDLE
    assert floor.acd.next_deadline() is None


def test_an_own_call_while_ringing_withdraws() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.engage("anna", "own")
    withdrawn, again = floor.take()
    assert withdrawn == WithdrawOffer(offer=offer, reason=WithdrawReason.AGENT_UNAVAILABLE)
    assert isinstance(again, MakeOffer)
    assert again.agent == "ben"
    assert floor.agent("anna").call == "own"


def test_a_caller_who_hangs_up_withdraws_and_frees_the_agent() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.pass_time(4)
    floor.hang_up("c1")
    assert floor.take() == [WithdrawOffer(offer=offer, reason=WithdrawReason.CALLER_LEFT)]
    assert floor.state("anna") is AgentState.IDLE
    assert floor.logged(CallerLeft) == [
        CallerLeft(queue=QueueName("q"), why=QueueExit.ABANDONED, waited_s=4, position=1, entry_position=1)
    ]
    assert floor.acd.live() == AT_REST


# --- races ---


def test_an_answer_after_any_end_of_the_offer_is_too_late() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.hang_up("c1")
    assert floor.acd.offer_answered(offer, floor.now) is False
    assert floor.state("anna") is AgentState.IDLE
    assert floor.acd.offer_answered(OfferId("never"), floor.now) is False


def test_an_answer_counts_once() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    assert floor.acd.offer_answered(offer, floor.now) is True
    assert floor.acd.offer_answered(offer, floor.now) is False
    assert len(floor.logged(CallerConnected)) == 1


def test_what_comes_after_the_answer_is_ignored() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.answer(offer)
    floor.fail(offer)
    floor.acd.offer_ringing(offer, floor.now)
    floor.hang_up("c1")
    floor.pass_time(60)
    assert floor.take() == []
    assert floor.state("anna") is AgentState.IN_CALL
    assert floor.logged(CallerLeft) == []


def test_a_failure_that_crosses_the_withdrawal_is_ignored() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.hang_up("c1")
    floor.fail(offer)
    assert len(floor.logged(OfferEnded)) == 1
    floor.call("c2")
    assert floor.rung() == [("c2", "anna")], "no rest for an offer that had ended before"


def test_the_ring_timeout_that_falls_together_with_the_answer_loses_when_it_comes_second() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.call("c1")
    offer = floor.offer().offer
    floor.clock.now += 15
    assert floor.answer(offer)
    floor.acd.handle_deadline(floor.now)
    assert floor.agent("anna").status is AgentStatus.AVAILABLE
    assert floor.state("anna") is AgentState.IN_CALL


@pytest.mark.parametrize(("wished", "rests"), [(None, 5.0), (2, 5.0), (60, 60.0), (10**9, MAX_WISHED_REST_S)])
def test_a_phone_that_says_when_to_ask_again_is_not_asked_before(wished: int | None, rests: float) -> None:
    queue = Queue(name=QueueName("q"), max_wait_s=0)
    floor = AcdFloor(*queue_of("anna", queue=queue), registered=["anna"])
    floor.call("c1")
    floor.fail(floor.offer().offer, retry_after_s=wished)
    floor.pass_time(rests - 0.1)
    assert floor.rung() == []
    floor.pass_time(0.2)
    assert floor.rung() == [("c1", "anna")]
