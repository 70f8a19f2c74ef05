"""Blind transfers of calls, their outcomes and their races."""

from __future__ import annotations

import pytest

from engine.calls.causes import Reason
from engine.calls.leg import LegState
from engine.calls.log import (
    CallTransferred,
    TransferFailed,
    TransferKind,
    TransferStarted,
)
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.ids import AgentName, TrunkName
from engine.media.commands import Tone
from tests.support.transfer_office import asked, hang_up, office, rows, said


def test_a_caller_of_a_queue_is_put_through_to_another_agent() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    rig.wait(30.0)
    transfer, bert = asked(rig, anna, "200")
    assert rig.router.asked[-1] == ("agents", "200")
    assert rig.legs.legs[bert].destination == AgentPhone(agent=AgentName("bert"))
    assert rig.legs.legs[bert].caller is not None
    assert rig.legs.legs[bert].caller.number == "0301234"
    assert rig.media.players[caller].playlist[0].tone is Tone.RINGBACK
    assert rig.media.edges == set()
    assert rig.queues.talking == {call: "anna"}
    rig.legs.far_ring(bert)
    rig.pump()
    rig.wait(3.0)
    rig.legs.far_answer(bert)
    rig.pump()
    assert said(rig, transfer) == ["accepted", "ringing", "done"]
    assert rig.media.hears(caller) == {bert}
    assert rig.media.hears(bert) == {caller}
    assert rig.media.players == {}
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.queues.talking == {}
    assert rig.queues.engaged == [("bert", call)]
    rig.wait(60.0)
    hang_up(rig, caller)
    end = rig.end()
    assert (end.cause.reason, end.agent, end.talked_s) == (Reason.CALLER_HANGUP, "bert", 93.0)
    (row,) = rows(rig)
    assert (row.peer, row.agent, row.transferred_by, row.transferred_to) == ("agent:bert", "bert", "agent:anna", "200")
    assert row.connected is not None
    assert row.ended - row.connected == 93.0
    started = TransferStarted(by="agent:anna", to="200", destination="agent:bert")
    moved = CallTransferred(kind=TransferKind.BLIND, by="agent:anna", leg=anna, to="200", context="agents")
    assert rig.bodies(TransferStarted) == [started]
    assert rig.bodies(CallTransferred) == [moved]
    rig.assert_clean()


@pytest.mark.parametrize(
    ("number", "status"), [("404", 404), ("403", 403), ("486", 486), ("*1", 403), ("201", 486), ("299", 404)]
)
def test_a_number_that_leads_nowhere_is_told_and_the_two_talk_on(number: str, status: int) -> None:
    rig = office()
    caller, anna, call = rig.talking()
    transfer, _ = asked(rig, anna, number)
    assert said(rig, transfer) == ["accepted", status]
    assert rig.media.hears(caller) == {anna}
    assert rig.media.hears(anna) == {caller}
    assert rig.media.players == {}
    assert rig.queues.talking == {call: "anna"}
    assert rig.queues.engaged == []
    hang_up(rig, anna)
    assert rig.end().cause.reason is Reason.AGENT_HANGUP
    rig.assert_clean()


@pytest.mark.parametrize("how", ["busy", "no answer", "no port"])
def test_a_called_side_that_does_not_come_gives_the_caller_back(how: str) -> None:
    rig = office()
    caller, anna, call = rig.talking()
    if how == "no port":
        rig.media.free_ports = 2
    transfer, bert = asked(rig, anna, "200")
    if how == "busy":
        rig.legs.far_fail(bert, 486)
        rig.pump()
    elif how == "no answer":
        rig.wait(21.0)
    assert said(rig, transfer)[-1] == {"busy": 486, "no answer": 480, "no port": 503}[how]
    assert rig.media.hears(caller) == {anna}
    assert rig.media.hears(anna) == {caller}
    assert rig.media.players == {}
    assert rig.queues.engaged == []
    assert rig.queues.talking == {call: "anna"}
    (failed,) = rig.bodies(TransferFailed)
    assert isinstance(failed, TransferFailed)
    assert (failed.to, failed.returned) == ("200", True)
    assert rig.bodies(CallTransferred) == []
    rig.media.free_ports = 100
    transfer, bert = asked(rig, anna, "200")
    rig.legs.far_answer(bert)
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    hang_up(rig, bert)
    assert rig.end().cause.reason is Reason.AGENT_HANGUP
    rig.assert_clean()


def test_whoever_asked_may_leave_before_the_answer() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    transfer, bert = asked(rig, anna, "200")
    hang_up(rig, anna)
    assert rig.queues.talking == {}
    assert len(rig.bodies(CallTransferred)) == 1
    rig.legs.far_answer(bert)
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.media.hears(caller) == {bert}
    assert rig.queues.engaged == [("bert", call)]
    assert len(rig.bodies(CallTransferred)) == 1
    hang_up(rig, caller)
    rig.assert_clean()


def test_back_to_the_queue_where_whoever_asked_has_left() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    transfer, bert = asked(rig, anna, "200")
    hang_up(rig, anna)
    rig.legs.far_fail(bert, 486)
    rig.pump()
    assert said(rig, transfer) == ["accepted", 486]
    assert rig.queues.waiting == {call: "sales"}
    assert rig.media.players[caller].playlist[0].file == "/music/default.wav"
    cleo = rig.offered(call, "cleo")
    rig.legs.far_answer(cleo)
    rig.pump()
    assert rig.media.hears(caller) == {cleo}
    hang_up(rig, caller)
    assert rig.end().agent == "cleo"
    rig.assert_clean()


def test_a_full_queue_does_not_take_the_caller_back() -> None:
    rig = office()
    _, anna, _ = rig.talking()
    _, bert = asked(rig, anna, "200")
    hang_up(rig, anna)
    rig.queues.capacity = 0
    rig.legs.far_fail(bert, 486)
    rig.pump()
    assert rig.end().cause.reason is Reason.QUEUE_FULL
    rig.assert_clean()


def test_a_direct_call_ends_where_nobody_is_left() -> None:
    rig = office()
    caller = rig.call_in("200")
    bert = rig.legs.placed()[-1]
    rig.legs.far_answer(bert)
    rig.pump()
    rig.confirm(caller)
    transfer, line = asked(rig, bert, "0")
    assert rig.legs.legs[line].destination == TrunkNumber(trunk=TrunkName("pbx"), number="03049")
    hang_up(rig, bert)
    assert rig.queues.engaged == []
    rig.legs.far_fail(line, 404)
    rig.pump()
    assert said(rig, transfer) == ["accepted", 404]
    assert rig.end().cause.reason is Reason.UNREACHABLE
    rig.assert_clean()


@pytest.mark.parametrize("when", ["at once", "ringing", "after the agent"])
def test_the_caller_may_hang_up_meanwhile(when: str) -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    transfer, bert = asked(rig, anna, "200")
    if when == "ringing":
        rig.legs.far_ring(bert)
        rig.pump()
    if when == "after the agent":
        hang_up(rig, anna)
    hang_up(rig, caller)
    assert said(rig, transfer)[-1] == 487
    assert rig.legs.legs[bert].state is LegState.ENDED
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.end().ended_by == "caller"
    assert rig.queues.talking == {}
    rig.assert_clean()


def test_a_second_request_waits_for_the_first() -> None:
    rig = office()
    _, anna, _ = rig.talking()
    first, bert = asked(rig, anna, "200")
    second, _ = asked(rig, anna, "0")
    assert said(rig, second) == [491]
    rig.legs.far_answer(bert)
    rig.pump()
    third = rig.legs.far_transfer(anna, "200")
    rig.pump()
    assert said(rig, first) == ["accepted", "done"]
    assert said(rig, third) == [481]
    hang_up(rig, bert)
    rig.assert_clean()


def test_who_does_not_talk_cannot_transfer() -> None:
    rig = office()
    caller, _ = rig.queued()
    transfer = rig.legs.far_transfer(caller, "200")
    rig.pump()
    assert said(rig, transfer) == [403]
    hang_up(rig, caller)
    rig.assert_clean()
