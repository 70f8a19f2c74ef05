from __future__ import annotations

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.events import NOTHING_CARRIED, Carried, FromTrunk, Party
from engine.calls.journal import Record
from engine.calls.log import (
    EngineStarted,
    EngineStopped,
)
from engine.calls.media_records import LegClosed
from engine.calls.routing import NoRoute, ToAgent, ToEcho
from engine.ids import AgentName, TrunkName
from engine.media.events import LegFailed
from tests.support.call_rig import Rig

EPOCH = 1_700_000_000.0


def fold(records: list[Record]) -> tuple[CdrFold, list[Cdr]]:
    folded = CdrFold()
    return folded, [row for record in records for row in folded.apply(record)]


def a_talk(rig: Rig) -> None:
    caller = rig.call_in("100")
    rig.clock.now += 1
    rig.confirm(caller)
    call = list(rig.queues.waiting)[-1]
    agent = rig.offered(call)
    rig.clock.now += 4
    rig.legs.far_answer(agent)
    rig.pump()
    rig.clock.now += 60
    rig.legs.far_hang_up(agent)
    rig.pump()


def test_a_call_through_a_queue() -> None:
    rig = Rig()
    t0 = EPOCH + rig.now
    a_talk(rig)
    folded, rows = fold(rig.records)
    (row,) = rows
    assert (row.caller, row.called, row.queue, row.agent, row.peer) == (
        "0301234",
        "100",
        "sales",
        "anna",
        "agent:anna",
    )
    assert (row.origin, row.context, row.destination, row.direction) == (
        "trunk:pbx",
        "from-trunk",
        "queue:sales",
        "inbound",
    )
    assert (row.started, row.answered, row.connected, row.ended) == (t0, t0 + 1, t0 + 5, t0 + 65)
    assert (row.waited_s, row.talked_s, row.total_s) == (4, 60, 65)
    assert (row.cause.outcome, row.cause.reason, row.cause.sip_code) == (
        Outcome.SUCCESS,
        Reason.AGENT_HANGUP,
        200,
    )
    assert row.ended_by == "agent"
    assert row.protocol_id == "in1@test"
    assert row.caller_quality is not None
    assert row.peer_quality is not None
    assert row.caller_quality.leg != row.peer_quality.leg
    assert folded.open_calls() == 0


def test_the_row_waits_for_the_quality_of_both_legs() -> None:
    rig = Rig()
    a_talk(rig)
    last = max(i for i, r in enumerate(rig.records) if isinstance(r.body, LegClosed))
    folded, rows = fold(rig.records[:last])
    assert rows == []
    assert folded.open_calls() == 1
    assert len(folded.apply(rig.records[last])) == 1


def test_a_refused_call_has_a_row_at_once() -> None:
    rig = Rig(NoRoute(explanation=""))
    rig.call_in("999")
    _, (row,) = fold(rig.records)
    assert (row.answered, row.connected, row.queue, row.agent, row.peer) == (None, None, None, None, "")
    assert (row.cause.reason, row.cause.sip_code) == (Reason.NO_ROUTE, 404)
    assert row.caller_quality is None


def test_a_direct_call_that_was_busy_and_an_echo() -> None:
    rig = Rig(ToAgent(agent=AgentName("bert"), ring_timeout_s=20))
    rig.call_in("200", agent="anna")
    rig.legs.far_fail(rig.legs.placed()[0], 486)
    rig.pump()
    rig.router.answer = ToEcho()
    leg = rig.call_in("600", agent="anna")
    rig.confirm(leg)
    rig.legs.far_hang_up(leg)
    rig.pump()
    _, (busy, echo) = fold(rig.records)
    assert (busy.cause.reason, busy.peer, busy.ended_by) == (Reason.BUSY, "", "agent")
    assert echo.caller_quality is not None
    assert echo.peer_quality is None


def test_calls_that_media_took_with_it_have_rows_without_quality() -> None:
    rig = Rig()
    rig.talking()
    rig.talking()
    rig.media.held = True
    rig.legs.far_hang_up(rig.legs.placed()[0])  # ended, and its quality is on the way when media dies
    rig.pump()
    rig.media.die()
    rig.manager.media_lost(rig.now, "killed")
    rig.pump()
    folded, rows = fold(rig.records)
    assert sorted(row.cause.reason for row in rows) == [Reason.AGENT_HANGUP, Reason.MEDIA_LOST]
    assert all(row.caller_quality is None for row in rows)
    assert folded.open_calls() == 0


def test_a_call_whose_leg_media_had_lost_does_not_wait_for_its_quality() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    rig.manager.media_event(LegFailed(leg=caller, command="Connect", reason="unknown leg"), rig.now)
    folded, rows = fold(rig.records + rig.journal.take())
    assert [row.cause.reason for row in rows] == [Reason.MEDIA_LOST]
    assert folded.open_calls() == 0


def test_a_clean_stop_gives_the_rows_of_what_has_ended() -> None:
    rig = Rig()
    rig.talking()
    rig.media.held = True
    rig.manager.shut_down(rig.now)
    rig.pump()
    folded, rows = fold(rig.records)
    assert rows == []
    stop = rig.journal.append(EngineStopped(clean=True), now=rig.now)
    (row,) = folded.apply(stop)
    assert row.cause.reason is Reason.SHUTDOWN


def test_a_call_that_was_up_when_the_engine_died_ends_at_the_last_that_is_known() -> None:
    rig = Rig()
    t0 = EPOCH + rig.now
    rig.talking()
    rig.clock.now += 30
    rig.media.digit(rig.legs.placed()[0], "1")
    rig.pump()
    rig.clock.now += 600
    folded, rows = fold(rig.records)
    assert rows == []
    (row,) = folded.apply(rig.journal.append(EngineStarted(version="2"), now=rig.now))
    assert (row.cause.outcome, row.cause.reason) == (Outcome.INDETERMINATE, Reason.ENGINE_RESTART)
    assert (row.started, row.ended, row.talked_s) == (t0, t0 + 30, 30)
    assert folded.open_calls() == 0


def test_the_fold_holds_nothing_of_calls_that_are_over() -> None:
    rig = Rig()
    for _ in range(20):
        a_talk(rig)
    folded, rows = fold(rig.records)
    assert len(rows) == 20
    assert folded.open_calls() == 0
    assert len({row.call for row in rows}) == 20


@pytest.mark.parametrize(
    ("status", "reason"), [(488, Reason.NOT_ACCEPTABLE), (400, Reason.PROTOCOL), (487, Reason.ABANDONED)]
)
def test_the_status_is_what_the_caller_saw_when_our_answer_came_to_nothing(status: int, reason: Reason) -> None:
    rig = Rig(ToEcho())
    leg = rig.call_in()
    rig.legs._end(leg, EndCause(outcome=Outcome.CLIENT, reason=reason, sip_code=status))
    rig.pump()
    _, (row,) = fold(rig.records)
    assert (row.cause.reason, row.cause.sip_code, row.answered) == (reason, status, None)
    rig.assert_clean()


def test_a_caller_whose_ack_never_came_was_answered_with_200() -> None:
    rig = Rig(ToEcho())
    leg = rig.call_in()
    rig.legs._end(leg, EndCause(outcome=Outcome.CLIENT, reason=Reason.ACK_TIMEOUT))
    rig.pump()
    _, (row,) = fold(rig.records)
    assert (row.cause.reason, row.cause.sip_code) == (Reason.ACK_TIMEOUT, 200)
    rig.assert_clean()


def test_a_row_tells_what_the_call_carried_and_the_networks_cause() -> None:
    rig = Rig(ToEcho())
    carried = Carried(session="5e55", diverted_from="030333", user_to_user="4711;encoding=hex")
    for each in (carried, NOTHING_CARRIED):
        leg = rig.legs.offer(FromTrunk(trunk=TrunkName("pbx")), "100", Party(number="1"), carried=each)
        rig.pump()
        rig.confirm(leg)
        rig.legs.far_hang_up(leg)
        rig.pump()
    rows = [(row.session, row.diverted_from, row.user_to_user, row.q850) for row in fold(rig.records)[1]]
    assert rows == [("5e55", "030333", "4711;encoding=hex", 16), ("", "", "", 16)]
