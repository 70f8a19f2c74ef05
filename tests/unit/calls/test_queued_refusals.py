"""Queued calls that come to nothing: phones that refuse, offers withdrawn, queues without room."""

from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.leg import LegState
from engine.calls.media_records import LegClosed
from engine.calls.ports import MakeOffer, OfferResult, ReleaseReason, WithdrawReason
from engine.calls.routing import ToQueue
from engine.ids import AgentName, OfferId, QueueName
from tests.support.call_rig import Rig


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (486, OfferResult.BUSY),
        (600, OfferResult.BUSY),
        (603, OfferResult.REJECTED),
        (403, OfferResult.REJECTED),
        (480, OfferResult.REJECTED),
        (302, OfferResult.REJECTED),
        (404, OfferResult.UNREACHABLE),
        (503, OfferResult.UNREACHABLE),
        (488, OfferResult.UNREACHABLE),
    ],
)
def test_what_the_queue_is_told_when_an_agents_phone_refuses(status: int, result: OfferResult) -> None:
    rig = Rig()
    caller, call = rig.queued()
    agent = rig.offered(call)
    rig.legs.far_fail(agent, status)
    rig.pump()
    assert rig.queues.failed == [("anna", result)]
    assert rig.media.players[caller]
    assert rig.media.ports.keys() == {caller}
    assert rig.manager.live() == (1, 1, 1, 0, 0)


def test_a_phone_that_never_replies_is_unreachable() -> None:
    rig = Rig()
    _, call = rig.queued()
    agent = rig.offered(call)
    rig.legs.far_fail(agent, 408, timed_out=True)
    rig.pump()
    assert rig.queues.failed == [("anna", OfferResult.UNREACHABLE)]


def test_no_port_for_the_agents_leg_is_our_failure_and_the_caller_waits_on() -> None:
    rig = Rig()
    caller, call = rig.queued()
    rig.media.free_ports = 1
    rig.queues.make_offer(call, "anna")
    rig.pump()
    assert rig.queues.failed == [("anna", OfferResult.FAILED)]
    assert rig.legs.placed() == []
    assert rig.media.players[caller]


def test_a_withdrawn_offer_stops_ringing() -> None:
    rig = Rig()
    _, call = rig.queued()
    agent = rig.offered(call)
    (offer,) = rig.queues.offers
    rig.queues.withdraw(offer, WithdrawReason.RING_TIMEOUT)
    rig.pump()
    cause = rig.legs.legs[agent].cause
    assert cause is not None
    assert (cause.reason, cause.sip_code) == (Reason.NO_ANSWER, 480)
    assert rig.legs.legs[agent].text == "no answer in time"
    assert rig.queues.failed == []
    assert agent not in rig.media.ports


def test_an_offer_withdrawn_before_its_port_is_open_is_never_placed() -> None:
    rig = Rig()
    _, call = rig.queued()
    rig.media.held = True
    offer = rig.queues.make_offer(call, "anna")
    rig.pump()
    rig.queues.withdraw(offer, WithdrawReason.AGENT_UNREACHABLE)
    rig.pump()
    rig.media.release()
    rig.pump()
    assert rig.legs.placed() == []
    assert rig.manager.live() == (1, 1, 1, 0, 0)


def test_of_several_that_ring_the_first_to_answer_talks_and_the_others_are_told_so() -> None:
    rig = Rig()
    _, call = rig.queued()
    anna, bert = rig.offered(call, "anna"), rig.offered(call, "bert")
    rig.legs.far_answer(bert)
    rig.legs.far_answer(anna)
    rig.pump()
    assert rig.queues.talking == {call: "bert"}
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.media.hears(bert) == {rig.manager._board.calls[call].caller.id}
    assert anna not in rig.media.ports


def test_those_who_ring_in_vain_are_not_shown_a_missed_call() -> None:
    rig = Rig()
    _, call = rig.queued()
    anna, bert = rig.offered(call, "anna"), rig.offered(call, "bert")
    rig.legs.far_answer(bert)
    rig.pump()
    cause = rig.legs.legs[anna].cause
    assert cause is not None
    assert (cause.reason, cause.sip_code) == (Reason.CANCELLED, 200)


def test_an_offer_for_a_call_that_is_over_fails() -> None:
    rig = Rig()
    caller, call = rig.queued()
    rig.legs.far_hang_up(caller)
    rig.pump()
    made = MakeOffer(offer=OfferId("late"), call=call, queue=QueueName("sales"), agent=AgentName("anna"))
    rig.queues.offers[made.offer] = made
    rig.manager.queue_effect(made, rig.now)
    assert rig.queues.failed == [("anna", OfferResult.FAILED)]
    assert rig.legs.placed() == []
    rig.assert_clean()


def test_a_full_queue_refuses_as_busy_instead_of_answering() -> None:
    rig = Rig()
    rig.queues.capacity = 0
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 486
    assert rig.end().cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.QUEUE_FULL, sip_code=486)
    rig.assert_clean()


@pytest.mark.parametrize(
    ("why", "reason"),
    [(ReleaseReason.TIMEOUT, Reason.QUEUE_TIMEOUT), (ReleaseReason.QUEUE_REMOVED, Reason.OPERATOR)],
)
def test_a_caller_whom_the_queue_lets_go_is_hung_up_on(why: ReleaseReason, reason: Reason) -> None:
    rig = Rig()
    leg, call = rig.queued()
    rig.offered(call)
    rig.queues.let_go(call, why)
    rig.pump()
    cause = rig.legs.legs[leg].cause
    assert cause is not None
    assert cause.reason is reason
    assert rig.end().ended_by == "engine"
    rig.assert_clean()


def test_a_queue_that_is_not_there_is_no_route() -> None:
    rig = Rig(ToQueue(queue=QueueName("ghost")))
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 404
    assert rig.end().cause == EndCause(outcome=Outcome.SERVER, reason=Reason.NO_ROUTE, sip_code=404)
    rig.assert_clean()


def test_no_port_for_the_caller_is_said_as_503() -> None:
    rig = Rig()
    rig.media.free_ports = 0
    leg = rig.call_in()
    assert (rig.legs.legs[leg].refused_with, rig.legs.legs[leg].retry_after_s) == (503, 5)
    assert rig.end().cause == EndCause(outcome=Outcome.SERVER, reason=Reason.NO_MEDIA_PORT, sip_code=503)
    rig.assert_clean()


def test_a_leg_that_never_was_up_leaves_no_quality_record() -> None:
    rig = Rig()
    caller, call = rig.queued()
    rig.offered(call)
    rig.legs.far_hang_up(caller)
    rig.pump()
    assert [b.leg for b in rig.bodies(LegClosed) if isinstance(b, LegClosed)] == [caller]


@pytest.mark.parametrize("wished", [None, 30])
def test_the_queue_hears_when_the_phone_wants_to_be_asked_again(wished: int | None) -> None:
    rig = Rig()
    _, call = rig.queued()
    rig.legs.far_fail(rig.offered(call), 486, retry_after_s=wished)
    rig.pump()
    assert rig.queues.wished == wished
