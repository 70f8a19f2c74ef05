"""Blind transfers of calls, their outcomes and their races."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Reason
from engine.calls.cdr import Cdr, CdrFold
from engine.calls.leg import LegState
from engine.calls.log import (
    CallConnected,
    CallTransferred,
    DigitReceived,
    TransferFailed,
    TransferKind,
    TransferStarted,
)
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.calls.routing import Feature, NoRoute, ToAgent, ToAnnouncement, ToFeature, ToQueue, ToReject, ToTrunk
from engine.ids import AgentName, LegId, QueueName, TransferId, TrunkName
from engine.media.commands import Direction, Tone
from tests.support.call_rig import Rig

BERT = ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)
LINE = ToTrunk(trunk=TrunkName("pbx"), number="03049", ring_timeout_s=20.0)


def office() -> Rig:
    """A queue for everybody; 200 rings Bert, 0 goes out on the line, 300 is a queue, 400 an announcement."""
    rig = Rig()
    rig.router.by_number = {
        "200": BERT,
        "0": LINE,
        "300": ToQueue(queue=QueueName("sales")),
        "400": ToAnnouncement(file="/a.wav"),
        "404": NoRoute(explanation="nothing"),
        "403": NoRoute(explanation="not you", forbidden=True),
        "486": ToReject(status=486, reason="no"),
        "*1": ToFeature(feature=Feature.BREAK),
        "201": ToAgent(agent=AgentName("anna"), ring_timeout_s=20.0),
        "299": ToAgent(agent=AgentName("nobody"), ring_timeout_s=20.0),
    }
    return rig


def asked(rig: Rig, leg: LegId, number: str) -> tuple[TransferId, LegId]:
    """The leg's phone presses transfer; with the leg that is placed, or the last that was."""
    transfer = rig.legs.far_transfer(leg, number)
    rig.pump()
    return transfer, rig.legs.placed()[-1]


def said(rig: Rig, transfer: TransferId) -> list[object]:
    """What was said of it, causes by their status."""
    return [each.sip_code if isinstance(each, EndCause) else each for each in rig.legs.transfers[transfer]]


def rows(rig: Rig) -> list[Cdr]:
    fold = CdrFold()
    return [row for record in rig.records for row in fold.apply(record)]


def hang_up(rig: Rig, *legs: LegId) -> None:
    for leg in legs:
        rig.legs.far_hang_up(leg)
        rig.pump()


def test_a_caller_of_a_queue_is_put_through_to_another_agent() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    rig.wait(30.0)
    transfer, bert = asked(rig, anna, "200")
    assert rig.router.asked[-1] == ("agents", "200")
    assert rig.legs.legs[bert].destination == AgentPhone(agent=AgentName("bert"))
    assert rig.legs.legs[bert].caller is not None
    assert rig.legs.legs[bert].caller.number == "0301234"
    assert rig.media.players[caller].tone is Tone.RINGBACK
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
    assert rig.media.players[caller].file == "/music/default.wav"
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


def test_into_a_queue_and_to_its_agent() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    transfer = rig.legs.far_transfer(anna, "300")
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.queues.waiting == {call: "sales"}
    assert rig.queues.talking == {}
    assert rig.media.players[caller].file == "/music/default.wav"
    bert = rig.offered(call, "bert")
    rig.legs.far_answer(bert)
    rig.pump()
    assert rig.queues.talking == {call: "bert"}
    assert rig.media.hears(caller) == {bert}
    hang_up(rig, bert)
    assert rig.end().ended_by == "agent"
    rig.assert_clean()


def test_a_full_queue_gives_the_caller_back() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    rig.queues.capacity = 0
    rig.queues.known.add(QueueName("support"))
    rig.router.by_number["300"] = ToQueue(queue=QueueName("support"))
    transfer = rig.legs.far_transfer(anna, "300")
    rig.pump()
    assert said(rig, transfer)[0] == "accepted"
    cause = rig.legs.transfers[transfer][-1]
    assert isinstance(cause, EndCause)
    assert cause.reason is Reason.QUEUE_FULL
    assert rig.media.hears(caller) == {anna}
    assert rig.queues.talking == {call: "anna"}
    hang_up(rig, caller)
    assert rig.end().queue == "sales"
    rig.assert_clean()


def test_to_an_announcement() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    transfer = rig.legs.far_transfer(anna, "400")
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.media.players[caller].file == "/a.wav"
    rig.media.finish_playing(caller)
    rig.pump()
    assert rig.end().cause.reason is Reason.COMPLETED
    rig.assert_clean()


def test_an_agent_who_called_out_puts_the_called_side_through() -> None:
    rig = office()
    anna = rig.call_in("0", agent="anna")
    line = rig.legs.placed()[-1]
    rig.legs.far_answer(line)
    rig.pump()
    rig.confirm(anna)
    assert rig.media.hears(line) == {anna}
    transfer, bert = asked(rig, anna, "200")
    assert rig.legs.legs[bert].caller is not None
    assert rig.legs.legs[bert].caller.number == "03049"
    assert rig.media.players[line].tone is Tone.RINGBACK
    rig.legs.far_answer(bert)
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.media.hears(line) == {bert}
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert [agent for agent, _ in rig.queues.engaged] == ["bert"]
    hang_up(rig, line)
    assert rig.end().ended_by == "called"
    (row,) = rows(rig)
    assert (row.transferred_by, row.transferred_to, row.peer) == ("agent:anna", "200", "agent:bert")
    rig.assert_clean()


def test_it_is_given_back_to_an_agent_who_called_out() -> None:
    rig = office()
    anna = rig.call_in("0", agent="anna")
    line = rig.legs.placed()[-1]
    rig.legs.far_answer(line)
    rig.pump()
    rig.confirm(anna)
    transfer, bert = asked(rig, anna, "200")
    rig.legs.far_fail(bert, 603)
    rig.pump()
    assert said(rig, transfer) == ["accepted", 603]
    rig.wait(60.0)
    assert rig.media.hears(line) == {anna}
    assert [agent for agent, _ in rig.queues.engaged] == ["anna"]
    hang_up(rig, anna)
    assert rig.end().ended_by == "caller"
    rig.assert_clean()


def test_the_caller_of_a_queue_may_transfer_its_agent() -> None:
    rig = office()
    bert = rig.call_in("100", agent="bert")
    rig.confirm(bert)
    (call,) = rig.queues.waiting
    anna = rig.offered(call)
    rig.legs.far_answer(anna)
    rig.pump()
    refused = rig.legs.far_transfer(bert, "300")
    rig.pump()
    assert said(rig, refused)[-1] == 603
    transfer, line = asked(rig, bert, "0")
    assert rig.legs.legs[line].caller is not None
    assert rig.legs.legs[line].caller.number == "anna"
    rig.legs.far_answer(line)
    rig.pump()
    assert said(rig, transfer)[-1] == "done"
    assert rig.media.hears(anna) == {line}
    assert rig.queues.talking == {call: "anna"}
    assert rig.queues.engaged == []
    hang_up(rig, line)
    assert rig.queues.talking == {}
    rig.assert_clean()


def test_a_trunk_transfers_in_its_own_context() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    transfer, bert = asked(rig, caller, "200")
    assert rig.router.asked[-1] == ("from-trunk", "200")
    rig.legs.far_answer(bert)
    rig.pump()
    assert said(rig, transfer)[-1] == "done"
    assert rig.media.hears(anna) == {bert}
    hang_up(rig, bert)
    rig.assert_clean()


def test_holding_ends_with_the_transfer() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    rig.legs.far_update(anna, Direction.INACTIVE)
    rig.pump()
    assert rig.media.players[caller].file == "/music/default.wav"
    _, bert = asked(rig, anna, "200")
    assert rig.media.players[caller].tone is Tone.RINGBACK
    rig.legs.far_fail(bert, 486)
    rig.pump()
    assert rig.media.players[caller].file == "/music/default.wav"
    _, bert = asked(rig, anna, "200")
    rig.legs.far_update(anna, Direction.SENDRECV)
    rig.pump()
    rig.legs.far_answer(bert)
    rig.pump()
    assert rig.media.hears(caller) == {bert}
    assert rig.media.players == {}
    hang_up(rig, caller)
    assert len(rig.bodies(CallConnected)) == 2
    rig.assert_clean()


@pytest.mark.parametrize("left", [False, True])
def test_the_engine_may_end_it_meanwhile(left: bool) -> None:
    rig = office()
    _, anna, _ = rig.talking()
    transfer, _ = asked(rig, anna, "200")
    if left:
        hang_up(rig, anna)
    rig.manager.shut_down(rig.now)
    rig.pump()
    assert said(rig, transfer)[-1] == 487
    assert rig.end().cause.reason is Reason.SHUTDOWN
    rig.assert_clean()


def test_the_silence_of_whoever_asked_ends_nothing() -> None:
    rig = office()
    _, anna, _ = rig.talking()
    _, bert = asked(rig, anna, "200")
    rig.media.silence(anna)
    rig.pump()
    assert rig.legs.legs[bert].state is LegState.PLACING
    rig.legs.far_answer(bert)
    rig.pump()
    hang_up(rig, bert)
    rig.assert_clean()


def test_twice_in_a_row() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    _, bert = asked(rig, anna, "200")
    rig.legs.far_answer(bert)
    rig.pump()
    rig.router.by_number["201"] = ToAgent(agent=AgentName("cleo"), ring_timeout_s=20.0)
    transfer, cleo = asked(rig, bert, "201")
    rig.legs.far_answer(cleo)
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.media.hears(caller) == {cleo}
    assert rig.queues.engaged == [("cleo", call)]
    hang_up(rig, cleo)
    (row,) = rows(rig)
    assert (row.transferred_by, row.agent) == ("agent:bert", "cleo")
    rig.assert_clean()


def test_a_key_beside_the_sound_is_logged_and_passed_on_where_it_cannot_be_heard() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    rig.legs.far_key(anna, "5")
    rig.pump()
    assert rig.legs.keys == []
    leg = rig.manager._board.calls[call].caller
    assert leg.remote is not None
    leg.remote = replace(leg.remote, dtmf_payload_type=None)
    rig.legs.far_key(anna, "#")
    rig.legs.far_key(caller, "1")
    rig.pump()
    assert rig.legs.keys == [(caller, "#", 160)]
    assert [body.digit for body in rig.bodies() if isinstance(body, DigitReceived)] == ["5", "#", "1"]
    hang_up(rig, caller)
    rig.assert_clean()
