from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Drop, Trunk
from engine.calls.leg import LegState
from engine.calls.log import CallConnected, CallHeld, CallRouted, CallStarted
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.calls.routing import Route, ToAgent, ToTrunk
from engine.calls.turns import MOST_TURNS
from engine.ids import AgentName, LegId, TrunkName
from engine.media.commands import Codec, Direction
from tests.support.call_rig import Rig

TO_BERT = ToAgent(agent=AgentName("bert"), ring_timeout_s=20)
TO_PBX = ToTrunk(trunk=TrunkName("pbx"), number="0305550", ring_timeout_s=60)


def ringing(route: Route = TO_BERT, caller: str | None = "anna") -> tuple[Rig, LegId, LegId]:
    rig = Rig(route)
    leg = rig.call_in("200", agent=caller)
    (far,) = rig.legs.placed()
    rig.legs.far_ring(far)
    rig.pump()
    return rig, leg, far


def talking(route: Route = TO_BERT, caller: str | None = "anna") -> tuple[Rig, LegId, LegId]:
    rig, leg, far = ringing(route, caller)
    rig.legs.far_answer(far)
    rig.pump()
    rig.confirm(leg)
    return rig, leg, far


def test_an_agent_calls_another() -> None:
    rig, leg, far = ringing()
    assert rig.legs.legs[far].destination == AgentPhone(agent=AgentName("bert"))
    assert rig.legs.legs[leg].state is LegState.ALERTING
    assert set(rig.queues.engaged) == {("anna", call) for call in rig.manager._board.calls} | {
        ("bert", call) for call in rig.manager._board.calls
    }
    assert not rig.media.edges
    rig.legs.far_answer(far)
    rig.pump()
    assert rig.legs.legs[leg].state is LegState.ANSWERING
    assert not rig.media.edges, "the caller has not confirmed"
    rig.confirm(leg)
    assert rig.media.edges == {(leg, far), (far, leg)}
    assert rig.bodies(CallConnected) == [CallConnected(leg=far, peer="agent:bert")]
    rig.clock.now += 10
    rig.legs.far_hang_up(leg)
    rig.pump()
    ended = rig.end()
    assert (ended.cause.reason, ended.ended_by) == (Reason.CALLER_HANGUP, "caller")
    assert (ended.talked_s, ended.agent, ended.queue) == (10, "bert", None)
    rig.assert_clean()


def test_each_side_is_asked_for_what_the_other_has() -> None:
    rig, leg, far = ringing()
    rig.legs.far_answer(far, Codec.PCMA)
    rig.pump()
    media = rig.legs.legs[leg].media
    assert media is not None
    assert media.alike == far
    assert rig.legs.legs[far].media.alike == leg  # type: ignore[union-attr]


def test_nobody_is_called_before_both_ports_are_open() -> None:
    rig = Rig(TO_BERT)
    rig.media.held = True
    rig.call_in("200", agent="anna")
    assert rig.legs.placed() == []
    rig.media.release()
    rig.pump()
    assert len(rig.legs.placed()) == 1


def test_nobody_is_called_for_a_caller_without_a_port() -> None:
    rig = Rig(TO_BERT)
    rig.media.held = True
    rig.call_in("200", agent="anna")
    callers, called = rig.media.waiting
    rig.manager.media_event(called, rig.now)
    assert rig.legs.placed() == []
    rig.manager.media_event(callers, rig.now)
    assert len(rig.legs.placed()) == 1


def test_the_called_side_hangs_up() -> None:
    rig, _, far = talking()
    rig.legs.far_hang_up(far)
    rig.pump()
    assert rig.end().cause.reason is Reason.AGENT_HANGUP
    assert rig.end().ended_by == "agent"
    rig.assert_clean()


@pytest.mark.parametrize(
    ("status", "told", "reason"),
    [
        (486, 486, Reason.BUSY),
        (600, 600, Reason.BUSY),
        (603, 603, Reason.REJECTED),
        (404, 404, Reason.UNREACHABLE),
        (503, 500, Reason.UNREACHABLE),
        (407, 403, Reason.FORBIDDEN),
    ],
)
def test_a_refusal_reaches_the_caller_as_what_it_is(status: int, told: int, reason: Reason) -> None:
    rig, leg, far = ringing(TO_PBX)
    rig.legs.far_fail(far, status)
    rig.pump()
    assert rig.legs.legs[leg].refused_with == told
    ended = rig.end()
    assert ended.cause == EndCause(outcome=Outcome.UPSTREAM, reason=reason, sip_code=told)
    assert ended.ended_by == "called"
    rig.assert_clean()


def test_nobody_answers() -> None:
    rig, leg, far = ringing()
    rig.wait(19.5)
    assert rig.legs.legs[far].state is LegState.RINGING
    rig.wait(1)
    assert rig.legs.legs[leg].refused_with == 480
    cause = rig.legs.legs[far].cause
    assert cause is not None
    assert cause.reason is Reason.CANCELLED
    ended = rig.end()
    assert ended.cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)
    assert (ended.ended_by, ended.waited_s, ended.agent) == ("engine", 20, None)
    rig.assert_clean()


def test_an_answered_call_has_no_deadline() -> None:
    rig, _leg, far = talking()
    assert rig.manager.next_deadline() is None
    rig.wait(1000)
    assert rig.media.edges
    rig.legs.far_hang_up(far)
    rig.assert_clean()


def test_the_caller_gives_up_while_it_rings() -> None:
    rig, leg, far = ringing()
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487)
    assert rig.legs.legs[far].state is LegState.ENDED
    rig.assert_clean()


def test_the_caller_gives_up_between_the_answer_and_his_confirmation() -> None:
    rig, leg, far = ringing()
    rig.legs.far_answer(far)
    rig.pump()
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.legs.legs[far].state is LegState.ENDED
    assert not rig.bodies(CallConnected)
    assert (rig.end().cause.outcome, rig.end().cause.reason) == (Outcome.CLIENT, Reason.ABANDONED)
    rig.assert_clean()


def test_the_called_side_hangs_up_before_the_caller_has_confirmed() -> None:
    rig, leg, far = ringing()
    rig.legs.far_answer(far)
    rig.pump()
    rig.legs.far_hang_up(far)
    rig.pump()
    assert rig.legs.legs[leg].state is LegState.ENDED
    assert rig.end().ended_by == "agent"
    rig.assert_clean()


def test_an_agent_calls_out_and_is_the_calls_agent() -> None:
    rig, leg, far = talking(TO_PBX)
    assert rig.legs.legs[far].destination == TrunkNumber(trunk=TrunkName("pbx"), number="0305550")
    started = rig.bodies(CallStarted)[0]
    assert isinstance(started, CallStarted)
    assert (started.direction, started.origin, started.context) == ("outbound", "agent:anna", "agents")
    assert rig.bodies(CallRouted) == [CallRouted(destination="trunk:pbx/0305550")]
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.end().agent == "anna"
    rig.assert_clean()


def test_a_trunk_calls_an_agent_directly() -> None:
    rig, leg, _far = talking(TO_BERT, caller=None)
    assert rig.queues.ever_engaged == ["bert"]
    started = rig.bodies(CallStarted)[0]
    assert isinstance(started, CallStarted)
    assert (started.direction, started.context) == ("inbound", "from-trunk")
    rig.legs.far_hang_up(leg)
    rig.assert_clean()


def test_an_agent_who_calls_himself_is_busy() -> None:
    rig = Rig(ToAgent(agent=AgentName("anna"), ring_timeout_s=20))
    leg = rig.call_in("100", agent="anna")
    assert rig.legs.legs[leg].refused_with == 486
    assert rig.queues.ever_engaged == []
    rig.assert_clean()


@pytest.mark.parametrize("gone", ["agent", "trunk"])
def test_a_destination_that_was_removed_is_no_route(gone: str) -> None:
    rig = Rig(TO_PBX if gone == "trunk" else ToAgent(agent=AgentName("dora"), ring_timeout_s=20))
    rig.directory.apply(Drop(entity=Trunk(name=TrunkName("pbx"), host="")))
    leg = rig.call_in("200", agent="anna")
    assert rig.legs.legs[leg].refused_with == 404
    rig.assert_clean()


def test_no_port_for_the_called_side() -> None:
    rig = Rig(TO_BERT)
    rig.media.free_ports = 1
    leg = rig.call_in("200", agent="anna")
    assert (rig.legs.legs[leg].refused_with, rig.legs.legs[leg].retry_after_s) == (503, 5)
    assert rig.end().cause.reason is Reason.NO_MEDIA_PORT
    rig.assert_clean()


def test_hold_in_a_direct_call() -> None:
    rig, leg, far = talking()
    rig.legs.far_update(far, Direction.RECVONLY)
    rig.pump()
    assert not rig.media.edges
    assert rig.media.players[leg].playlist[0].file == "/music/default.wav"
    assert rig.bodies(CallHeld) == [CallHeld(leg=far)]
    rig.legs.far_update(far, Direction.SENDRECV)
    rig.pump()
    assert len(rig.media.edges) == 2
    rig.legs.far_hang_up(far)
    rig.assert_clean()


def test_a_call_that_comes_back_again_and_again_is_refused_in_the_end() -> None:
    rig = Rig(TO_PBX)
    legs = [rig.call_in("200", agent=None) for _ in range(MOST_TURNS + 1)]
    refused = [leg for leg in legs if rig.legs.legs[leg].state is LegState.ENDED]
    assert refused == legs[MOST_TURNS:]
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.LOOP, sip_code=482)
    rig.legs.far_hang_up(legs[0])
    rig.pump()
    assert rig.legs.legs[rig.call_in("200", agent=None)].state is not LegState.ENDED


def test_calls_that_were_answered_are_no_loop() -> None:
    rig = Rig(TO_PBX)
    for _ in range(2 * MOST_TURNS):
        leg = rig.call_in("200", agent=None)
        assert rig.legs.legs[leg].state is not LegState.ENDED
        rig.legs.far_answer(rig.legs.placed()[-1])
        rig.pump()
        rig.confirm(leg)
    assert len(rig.manager._board.turns) == 0


def test_agents_and_callers_who_hide_are_not_counted() -> None:
    rig = Rig(TO_PBX)
    for _ in range(MOST_TURNS + 2):
        leg = rig.call_in("200", agent=None, number="")
        assert rig.legs.legs[leg].state is not LegState.ENDED
    assert len(rig.manager._board.turns) == 0


def test_nothing_of_the_count_is_left_when_the_calls_are_over() -> None:
    rig, leg, _ = ringing(TO_PBX, None)
    assert len(rig.manager._board.turns) == 1
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert len(rig.manager._board.turns) == 0
    rig.assert_clean()
