from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Put, Queue
from engine.calls.leg import LegState
from engine.calls.log import (
    CallAnswered,
    CallConnected,
    CallEnded,
    CallRouted,
    CallStarted,
)
from engine.calls.media_records import LegClosed
from engine.calls.ports import AgentPhone, LeaveReason, WithdrawReason
from engine.ids import AgentName, CallId, LegId, QueueName
from engine.media.commands import Codec, SetRemote, StopPlay, Tone
from tests.support.call_rig import Rig


def test_the_caller_is_answered_at_once_and_hears_music_when_he_has_confirmed() -> None:
    rig = Rig()
    leg = rig.call_in()
    assert rig.legs.legs[leg].state is LegState.ANSWERING
    assert not rig.media.players
    rig.confirm(leg, Codec.PCMA)
    play = rig.media.players[leg]
    assert (play.playlist[0].file, play.loop) == ("/music/default.wav", True)
    assert rig.media.remotes[leg].codec is Codec.PCMA
    assert [type(b) for b in rig.bodies()] == [CallStarted, CallRouted, CallAnswered]


def test_a_queue_has_its_own_music() -> None:
    rig = Rig()
    rig.directory.apply(Put(entity=Queue(name=QueueName("sales"), music="/music/sales.wav")))
    leg, _ = rig.queued()
    assert rig.media.players[leg].playlist[0].file == "/music/sales.wav"


def test_music_that_cannot_be_played_gives_way_to_the_engines_own_and_then_to_a_tone() -> None:
    rig = Rig()
    rig.directory.apply(Put(entity=Queue(name=QueueName("sales"), music="/music/sales.wav")))
    rig.media.bad_files = {"/music/sales.wav"}
    leg, _ = rig.queued()
    assert rig.media.players[leg].playlist[0].file == "/music/default.wav"
    rig.media.bad_files.add("/music/default.wav")
    other, _ = rig.queued()
    assert rig.media.players[other].playlist[0].tone is Tone.RINGBACK
    assert rig.media.players[other].loop


def test_music_that_is_found_missing_after_the_hang_up_costs_the_call_nothing_of_its_record() -> None:
    rig = Rig()
    leg = rig.call_in()
    rig.media.bad_files = {"/music/default.wav"}
    rig.media.held = True
    rig.confirm(leg, Codec.PCMU)
    rig.legs.far_hang_up(leg)
    rig.pump()
    rig.media.release()
    rig.pump()
    assert [type(body) for body in rig.bodies()][-2:] == [CallEnded, LegClosed]
    rig.assert_clean()


def test_the_agents_phone_is_called_with_the_callers_party_and_codec() -> None:
    rig = Rig()
    leg, call = rig.queued(Codec.PCMA)
    agent = rig.offered(call, "bert")
    placed = rig.legs.legs[agent]
    assert placed.destination == AgentPhone(agent=AgentName("bert"))
    assert placed.caller is not None
    assert placed.caller.number == "0301234"
    assert placed.media is not None
    assert placed.media.alike == leg
    assert placed.media.port == rig.media.ports[agent]


def test_a_caller_enters_the_queue_only_when_he_has_confirmed() -> None:
    rig = Rig()
    caller = rig.call_in()
    assert rig.queues.waiting == {}, "whoever vanishes after the INVITE costs no agent's time"
    rig.confirm(caller)
    assert len(rig.queues.waiting) == 1


def test_a_queue_that_is_removed_while_the_caller_is_answered_ends_the_call() -> None:
    rig = Rig()
    caller = rig.call_in()
    rig.queues.known.clear()
    rig.confirm(caller)
    rig.assert_clean()
    assert rig.end().cause.reason is Reason.NO_ROUTE


def test_neither_side_hears_the_other_before_the_answer_and_both_do_after_it() -> None:
    rig = Rig()
    caller, call = rig.queued()
    agent = rig.offered(call)
    rig.legs.far_ring(agent)
    rig.pump()
    assert rig.queues.rang
    assert not rig.media.edges
    assert rig.media.players[caller].loop
    rig.legs.far_answer(agent)
    rig.pump()
    assert rig.media.edges == {(caller, agent), (agent, caller)}
    assert not rig.media.players
    assert rig.queues.talking == {call: "anna"}
    assert rig.bodies(CallConnected) == [CallConnected(leg=agent, peer="agent:anna")]


def test_music_stops_before_the_two_are_connected() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    names = [type(c).__name__ for c in rig.media.sent]
    assert names.index("StopPlay") < names.index("Connect")
    assert rig.media.sent[names.index("StopPlay")] == StopPlay(leg=caller)
    last = max(i for i, c in enumerate(rig.media.sent) if isinstance(c, SetRemote) and c.leg == agent)
    assert last < names.index("Connect")


@pytest.mark.parametrize("by_caller", [True, False])
def test_hanging_up_on_either_side_ends_both_legs_at_once(by_caller: bool) -> None:
    rig = Rig()
    caller, agent, _call = rig.talking()
    rig.clock.now += 60
    rig.legs.far_hang_up(caller if by_caller else agent)
    rig.pump()
    ended = rig.end()
    assert ended.ended_by == ("caller" if by_caller else "agent")
    assert ended.cause.reason is (Reason.CALLER_HANGUP if by_caller else Reason.AGENT_HANGUP)
    assert ended.cause.outcome is Outcome.SUCCESS
    assert ended.cause.sip_code == 200
    assert ended.talked_s == 60
    assert ended.agent == "anna"
    assert ended.queue == "sales"
    assert {b.leg for b in rig.bodies(LegClosed) if isinstance(b, LegClosed)} == {agent, caller}
    rig.assert_clean()


def test_waiting_and_talking_are_measured_apart() -> None:
    rig = Rig()
    caller = rig.call_in()
    rig.clock.now += 1
    rig.confirm(caller)
    (call,) = rig.queues.waiting
    rig.clock.now += 20
    agent = rig.offered(call)
    rig.clock.now += 5
    rig.legs.far_answer(agent)
    rig.pump()
    rig.clock.now += 100
    rig.legs.far_hang_up(caller)
    rig.pump()
    ended = rig.end()
    assert (ended.waited_s, ended.talked_s, ended.total_s) == (25, 100, 126)


def test_a_caller_who_cancels_before_we_could_answer() -> None:
    rig = Rig()
    rig.media.held = True
    leg = rig.call_in()
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=487)
    rig.media.release()
    rig.assert_clean()


def test_a_caller_who_vanishes_between_our_answer_and_his_confirmation() -> None:
    rig = Rig()
    leg = rig.call_in()
    rig.legs.far_hang_up(leg)
    rig.pump()
    assert rig.end().cause.reason is Reason.ABANDONED
    rig.assert_clean()


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda rig, leg, call: rig.legs.far_hang_up(leg), LeaveReason.CALLER_GONE),
        (lambda rig, leg, call: rig.media.silence(leg), LeaveReason.CALLER_GONE),
        (lambda rig, leg, call: rig.manager.media_lost(rig.now, "exit code -9"), LeaveReason.ENDED),
        (lambda rig, leg, call: rig.manager.hang_up(call, rig.now, "api"), LeaveReason.ENDED),
        (lambda rig, leg, call: rig.manager.shut_down(rig.now), LeaveReason.ENDED),
    ],
    ids=["hangs up", "is silent", "media lost", "operator", "shutdown"],
)
@pytest.mark.parametrize("rings", [False, True])
def test_the_queue_is_told_who_ended_the_wait(
    end: Callable[[Rig, LegId, CallId], None], told: LeaveReason, rings: bool
) -> None:
    rig = Rig()
    leg, call = rig.queued()
    if rings:
        rig.offered(call)
    end(rig, leg, call)
    rig.pump()
    assert rig.queues.left_because == [told]


def test_a_caller_who_gives_up_waiting() -> None:
    rig = Rig()
    leg, _ = rig.queued()
    rig.clock.now += 30
    rig.legs.far_hang_up(leg)
    rig.pump()
    ended = rig.end()
    assert ended.cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=200)
    assert (ended.ended_by, ended.waited_s, ended.talked_s) == ("caller", 30, 0)
    assert ended.agent is None
    rig.assert_clean()


@pytest.mark.parametrize("moment", ["port opening", "calling", "ringing"])
def test_a_caller_who_gives_up_while_an_agent_is_called(moment: str) -> None:
    rig = Rig()
    caller, call = rig.queued()
    if moment == "port opening":
        rig.media.held = True
        rig.queues.make_offer(call, "anna")
        rig.pump()
    else:
        agent = rig.offered(call)
        if moment == "ringing":
            rig.legs.far_ring(agent)
            rig.pump()
    rig.legs.far_hang_up(caller)
    rig.pump()
    rig.media.release()
    rig.pump()
    assert rig.end().cause.reason is Reason.ABANDONED
    for agent in rig.legs.placed():
        cause = rig.legs.legs[agent].cause
        assert cause is not None
        assert cause.reason is Reason.CANCELLED
        assert cause.sip_code == 487
    assert rig.queues.failed == []
    rig.assert_clean()


@pytest.mark.parametrize("answer_first", [True, False])
def test_hang_up_and_answer_in_the_same_instant(answer_first: bool) -> None:
    rig = Rig()
    caller, call = rig.queued()
    agent = rig.offered(call)
    if answer_first:
        rig.legs.far_answer(agent)
        rig.legs.far_hang_up(caller)
    else:
        rig.legs.far_hang_up(caller)
        rig.legs.far_answer(agent)
    rig.pump()
    reason = rig.end().cause.reason
    assert reason is (Reason.CALLER_HANGUP if answer_first else Reason.ABANDONED)
    assert bool(rig.bodies(CallConnected)) is answer_first
    rig.assert_clean()


def test_an_answer_that_crosses_our_cancel_does_nothing() -> None:
    rig = Rig()
    rig.legs.auto_end = False
    caller, call = rig.queued()
    agent = rig.offered(call)
    (offer,) = rig.queues.offers
    rig.queues.withdraw(offer, WithdrawReason.RING_TIMEOUT)
    rig.legs.far_answer(agent)
    rig.pump()
    assert not rig.media.edges
    assert rig.manager.live().legs == 2
    rig.legs.far_end_done(agent)
    rig.pump()
    assert rig.manager.live().legs == 1
    assert rig.media.players[caller]
    assert call in rig.queues.waiting


def test_an_answer_that_the_queue_has_no_use_for_any_more_is_hung_up_on() -> None:
    rig = Rig()
    _, call = rig.queued()
    agent = rig.offered(call)
    rig.legs.far_answer(agent)
    (offer,) = rig.queues.offers
    rig.queues.withdraw(offer, WithdrawReason.RING_TIMEOUT)  # decided, but the answer is carried first
    rig.pump()
    assert rig.legs.legs[agent].state is LegState.ENDED
    assert not rig.media.edges
    assert call in rig.queues.waiting
    assert rig.media.ports.keys() == {rig.manager._board.calls[call].caller.id}
