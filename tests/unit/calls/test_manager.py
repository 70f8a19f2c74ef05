from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.config import MediaTimeoutPolicy
from engine.calls.directory import Agent, Drop, Trunk
from engine.calls.events import TextRelayed, TrunkDown, TrunkRegistration, TrunkUp
from engine.calls.leg import LegState
from engine.calls.log import (
    CallEnded,
    CallRouted,
    CallStarted,
    MediaLost,
    MediaStarted,
    TextSent,
)
from engine.calls.media_records import DigitReceived, LegClosed
from engine.calls.routing import ToAgent, ToEcho, ToQueue
from engine.calls.trunk_records import TrunkRegistrationChanged, TrunkStateChanged
from engine.errors import NotFound
from engine.ids import AgentName, CallId, QueueName, TrunkName
from engine.media.commands import Direction
from engine.media.events import LegFailed
from tests.support.call_rig import Rig

DISCONNECTED = EndCause(outcome=Outcome.SERVER, reason=Reason.MEDIA_LOST, sip_code=200)


def test_a_registration_that_comes_or_goes_is_a_record() -> None:
    rig = Rig()
    rig.manager.trunk_event(TrunkRegistration(trunk=TrunkName("pbx"), registered=True, detail="for 300 s"), rig.now)
    rig.pump()
    changed = TrunkRegistrationChanged(trunk=TrunkName("pbx"), registered=True, detail="for 300 s")
    assert rig.bodies(TrunkRegistrationChanged) == [changed]


def test_a_call_begins_with_who_calls_whom_from_where() -> None:
    rig = Rig()
    leg = rig.call_in("4711", number="0301234")
    assert rig.bodies()[:2] == [
        CallStarted(
            direction=rig.manager.snapshot()[0].direction,
            leg=leg,
            origin="trunk:pbx",
            context="from-trunk",
            called="4711",
            caller="0301234",
            caller_display="",
            protocol_id=f"{leg}@test",
        ),
        CallRouted(destination="queue:sales"),
    ]
    assert rig.router.asked == [("from-trunk", "4711")]
    assert {r.call for r in rig.records} == {rig.manager.snapshot()[0].call}


def test_an_agent_is_shown_by_his_display_name() -> None:
    rig = Rig()
    rig.call_in("100", agent="anna")
    (live,) = rig.manager.snapshot()
    assert (live.caller, live.caller_display, live.origin) == ("anna", "Anna", "agent:anna")
    assert live.direction == "internal"


def test_an_origin_that_was_removed_meanwhile_reaches_nothing() -> None:
    rig = Rig()
    rig.directory.apply(Drop(entity=Trunk(name=TrunkName("pbx"), host="")))
    rig.directory.apply(Drop(entity=Agent(name=AgentName("anna"))))
    for leg in (rig.call_in(), rig.call_in(agent="anna")):
        assert rig.legs.legs[leg].refused_with == 403
    assert rig.router.asked == []
    rig.assert_clean()


def test_the_last_record_of_a_call_but_for_its_legs_is_its_end() -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    rig.legs.far_hang_up(agent)
    rig.pump()
    kinds = [type(b) for b in rig.bodies()]
    assert set(kinds[kinds.index(CallEnded) + 1 :]) == {LegClosed}
    assert kinds.count(LegClosed) == 2


def test_quality_of_both_legs_is_recorded() -> None:
    rig = Rig()
    caller, agent, call = rig.talking()
    rig.legs.far_hang_up(agent)
    rig.pump()
    closed = {b.leg: b for b in rig.bodies(LegClosed) if isinstance(b, LegClosed)}
    assert closed.keys() == {caller, agent}
    assert closed[caller] == LegClosed(
        leg=caller,
        packets_received=100,
        packets_sent=99,
        lost=1,
        jitter_ms=2.0,
        remote_lost=3,
        round_trip_ms=40.0,
        codec="PCMU",
        who="trunk:pbx",
    )
    assert {r.call for r in rig.records} == {call}


@pytest.mark.parametrize("phase", ["opening", "answering", "waiting", "ringing", "talking", "held"])
def test_the_media_process_dies(phase: str) -> None:
    rig = Rig()
    rig.media.held = phase == "opening"
    if phase in ("opening", "answering"):
        caller = rig.call_in()
    elif phase in ("waiting", "ringing"):
        caller, call = rig.queued()
        if phase == "ringing":
            rig.offered(call)
    else:
        caller, agent, _ = rig.talking()
        if phase == "held":
            rig.legs.far_update(agent, Direction.RECVONLY)
            rig.pump()
    media_legs = rig.manager.live().media_legs
    rig.media.die()
    rig.manager.media_lost(rig.now, "exit code -9")
    rig.pump()
    ended = rig.end()
    assert (ended.cause.outcome, ended.cause.reason) == (Outcome.SERVER, Reason.MEDIA_LOST)
    assert ended.ended_by == "engine"
    assert rig.bodies(MediaLost) == [MediaLost(detail="exit code -9", legs=media_legs)]
    if phase == "opening":
        assert rig.legs.legs[caller].refused_with == 503
    else:
        assert rig.legs.legs[caller].cause == DISCONNECTED
    rig.assert_clean()


def test_no_call_is_taken_until_media_is_back() -> None:
    rig = Rig()
    rig.media.die()
    rig.manager.media_lost(rig.now, "gone")
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 503
    assert rig.legs.legs[leg].retry_after_s == 5
    assert rig.end().cause == EndCause(outcome=Outcome.SERVER, reason=Reason.MEDIA_LOST, sip_code=503)
    rig.media.alive = True
    rig.manager.media_ready(77, 20002, 29998, rig.now)
    rig.queued()
    assert rig.bodies(MediaStarted) == [MediaStarted(pid=77, port_min=20002, port_max=29998)]


def test_no_call_is_taken_while_media_is_not_connected() -> None:
    rig = Rig()
    rig.media.alive = False
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 503
    rig.assert_clean()


def test_draining_refuses_new_calls_and_keeps_the_old() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    rig.manager.drain()
    late = rig.call_in()
    assert rig.legs.legs[late].refused_with == 503
    assert rig.legs.legs[late].retry_after_s == 5
    assert rig.end().cause.reason is Reason.DRAINING
    assert rig.media.edges == {(caller, agent), (agent, caller)}


def test_a_full_store_refuses_without_adding_a_record() -> None:
    rig = Rig()
    rig.manager.store_full(True)
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 503
    assert rig.legs.legs[leg].retry_after_s == 5
    assert rig.records == []
    assert rig.manager.refused_store_full == 1
    rig.manager.store_full(False)
    rig.queued()


def test_calls_are_bounded() -> None:
    rig = Rig(ToEcho())
    for _ in range(rig.config.max_calls):
        rig.call_in()
    leg = rig.call_in()
    assert rig.legs.legs[leg].refused_with == 503
    assert rig.manager.live().calls == rig.config.max_calls


def test_shutting_down_ends_every_leg() -> None:
    rig = Rig()
    rig.talking()
    rig.queued()
    waiting, call = rig.queued()
    rig.offered(call)
    rig.media.held = True
    new = rig.call_in()
    rig.manager.shut_down(rig.now)
    rig.media.release()
    rig.pump()
    causes = {b.cause.reason for b in rig.bodies(CallEnded) if isinstance(b, CallEnded)}
    assert causes == {Reason.SHUTDOWN}
    assert rig.legs.legs[new].refused_with == 503
    cause = rig.legs.legs[waiting].cause
    assert cause is not None
    assert cause.reason is Reason.SHUTDOWN
    rig.assert_clean()


def test_a_person_hangs_up_by_the_api() -> None:
    rig = Rig()
    _, _, call = rig.talking()
    rig.manager.hang_up(call, rig.now, "api")
    rig.pump()
    assert rig.end().cause == EndCause(outcome=Outcome.SUCCESS, reason=Reason.OPERATOR, sip_code=200)
    assert rig.end().ended_by == "engine"
    rig.assert_clean()
    with pytest.raises(NotFound):
        rig.manager.hang_up(call, rig.now, "api")
    with pytest.raises(NotFound):
        rig.manager.hang_up(CallId("nonsense"), rig.now, "api")


@pytest.mark.parametrize("policy", list(MediaTimeoutPolicy))
@pytest.mark.parametrize("which", ["caller", "agent"])
def test_silence_on_a_leg_ends_the_call_if_that_is_wanted(policy: MediaTimeoutPolicy, which: str) -> None:
    rig = Rig(policy=policy)
    caller, agent, _ = rig.talking()
    rig.media.silence(caller if which == "caller" else agent)
    rig.pump()
    if policy is MediaTimeoutPolicy.KEEP:
        assert rig.media.edges
        return
    outcome = Outcome.CLIENT if which == "caller" else Outcome.UPSTREAM
    assert rig.end().cause == EndCause(outcome=outcome, reason=Reason.MEDIA_TIMEOUT, sip_code=200)
    rig.assert_clean()


def test_a_phone_that_holds_may_be_silent() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    rig.legs.far_update(agent, Direction.RECVONLY)
    rig.pump()
    rig.media.silence(agent)
    rig.pump()
    assert rig.media.players.keys() == {caller}


def test_digits_are_recorded() -> None:
    rig = Rig()
    caller, _, call = rig.talking()
    rig.media.digit(caller, "5")
    rig.pump()
    assert rig.bodies(DigitReceived) == [DigitReceived(leg=caller, digit="5", duration_ms=120)]
    assert rig.records[-1].call == call


def test_a_leg_that_media_does_not_know_any_more_ends_its_call() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    rig.manager.media_event(LegFailed(leg=caller, command="Connect", reason="unknown leg"), rig.now)
    rig.pump()
    assert rig.end().cause.reason is Reason.MEDIA_LOST
    rig.assert_clean()


def test_a_digit_that_could_not_be_sent_ends_nothing() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    rig.manager.media_event(LegFailed(leg=caller, command="SendDtmf", reason="no event payload"), rig.now)
    rig.pump()
    assert rig.media.edges


def test_a_dialog_that_ends_late_is_counted_until_then() -> None:
    rig = Rig()
    rig.legs.auto_end = False
    caller, agent, _ = rig.talking()
    rig.legs.far_hang_up(caller)
    rig.pump()
    assert rig.manager.live() == (0, 1, 0, 0, 0)
    rig.legs.far_end_done(agent)
    rig.assert_clean()


def test_a_media_leg_that_closes_late_is_counted_until_then() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    rig.media.held = True
    rig.legs.far_hang_up(caller)
    rig.pump()
    assert rig.manager.live() == (0, 0, 2, 0, 0)
    rig.media.release()
    rig.assert_clean()


def test_a_port_that_failed_after_the_caller_had_gone_leaves_nothing() -> None:
    rig = Rig()
    rig.media.held = True
    rig.media.free_ports = 0
    leg = rig.call_in()
    rig.legs.far_hang_up(leg)
    rig.pump()
    rig.media.release()
    rig.assert_clean()


def test_what_people_see_of_a_live_call() -> None:
    rig = Rig()
    _, call = rig.queued()
    (live,) = rig.manager.snapshot()
    assert (live.call, live.phase, live.queue, live.agent, live.ringing) == (call, "waiting", "sales", None, ())
    agent = rig.offered(call, "bert")
    assert rig.manager.snapshot()[0].ringing == ("agent:bert",)
    rig.clock.now += 3
    rig.legs.far_answer(agent)
    rig.pump()
    (live,) = rig.manager.snapshot()
    assert (live.phase, live.agent, live.ringing) == ("talking", "bert", ())
    assert (live.started, live.connected_at) == (rig.now - 3, rig.now)
    assert (live.destination, live.called, live.caller) == ("queue:sales", "100", "0301234")


@pytest.mark.parametrize(
    ("route", "phases"),
    [
        (ToQueue(queue=QueueName("sales")), ["setup", "waiting"]),
        (ToEcho(), ["setup", "service"]),
        (ToAgent(agent=AgentName("anna"), ring_timeout_s=20), ["ringing", "ringing"]),
    ],
)
def test_phases_before_anybody_talks(route: ToQueue | ToEcho | ToAgent, phases: list[str]) -> None:
    rig = Rig(route)
    leg = rig.call_in()
    seen = [rig.manager.snapshot()[0].phase]
    rig.confirm(leg)
    seen.append(rig.manager.snapshot()[0].phase)
    assert seen == phases


def test_trunk_states_are_in_the_log() -> None:
    rig = Rig()
    rig.manager.trunk_event(TrunkUp(trunk=TrunkName("pbx"), round_trip_s=0.0123), rig.now)
    rig.manager.trunk_event(TrunkDown(trunk=TrunkName("pbx"), reason="no reply"), rig.now)
    rig.manager.trunk_event(TrunkUp(trunk=TrunkName("pbx"), round_trip_s=None), rig.now)
    assert [r.body for r in rig.journal.take()] == [
        TrunkStateChanged(trunk=TrunkName("pbx"), up=True, detail="answered in 12 ms"),
        TrunkStateChanged(trunk=TrunkName("pbx"), up=False, detail="no reply"),
        TrunkStateChanged(trunk=TrunkName("pbx"), up=True, detail="not asked"),
    ]


def test_an_agents_own_call_to_a_queue_engages_his_phone_until_its_end() -> None:
    rig = Rig()
    leg = rig.call_in("100", agent="anna")
    rig.confirm(leg)
    assert [name for name, _ in rig.queues.engaged] == ["anna"]
    rig.legs.far_hang_up(leg)
    rig.assert_clean()


def test_an_agent_whose_dialog_cannot_be_made_is_no_longer_rung() -> None:
    rig = Rig()
    _, call = rig.queued()
    leg = rig.offered(call)
    assert rig.legs.legs[leg].state is LegState.PLACING
    rig.legs.far_fail(leg, 503)
    rig.pump()
    assert rig.manager.live() == (1, 1, 1, 0, 0)


@pytest.mark.parametrize("delivered", [True, False])
def test_a_text_that_was_relayed_is_a_record(delivered: bool) -> None:
    rig = Rig()
    rig.manager.text_relayed(TextRelayed(sender="bert", to=AgentName("anna"), size=5, delivered=delivered), rig.now)
    rig.pump()
    assert rig.bodies() == [TextSent(sender="bert", agent=AgentName("anna"), size=5, delivered=delivered)]


# --- the media processes have enough to do ---


def test_callers_are_refused_before_the_sound_of_others_suffers_and_the_rest_goes_on() -> None:
    rig = Rig()
    _, call = rig.queued()
    rig.media.busy_with = "media 0: ticks take 70% of their time"
    leg = rig.call_in()
    assert (rig.legs.legs[leg].refused_with, rig.legs.legs[leg].retry_after_s) == (503, 5)
    assert rig.end().cause == EndCause(outcome=Outcome.SERVER, reason=Reason.MEDIA_BUSY, sip_code=503)
    agent = rig.offered(call)
    rig.legs.far_answer(agent)
    rig.pump()
    assert rig.media.hears(agent), "who waits gets his agent"
    own = rig.call_in(agent="bert")
    assert rig.legs.legs[own].refused_with is None, "an agent makes one call, maybe for help"
    rig.media.busy_with = ""
    rig.queued()


def test_the_legs_of_a_call_are_opened_beside_each_other() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    assert (rig.media.beside[caller], rig.media.beside[agent]) == (None, caller)
