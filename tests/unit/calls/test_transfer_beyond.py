"""Blind transfer to queues, announcements and lines, by whoever may, and what crosses it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Reason
from engine.calls.leg import LegState
from engine.calls.log import (
    CallConnected,
)
from engine.calls.media_records import DigitReceived
from engine.calls.routing import ToAgent, ToQueue
from engine.calls.twin_keys import WAIT_S
from engine.ids import AgentName, QueueName
from engine.media.commands import Direction, SendDtmf, Tone
from tests.support.transfer_office import asked, hang_up, office, rows, said


def test_into_a_queue_and_to_its_agent() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    transfer = rig.legs.far_transfer(anna, "300")
    rig.pump()
    assert said(rig, transfer) == ["accepted", "done"]
    assert rig.queues.waiting == {call: "sales"}
    assert rig.queues.talking == {}
    assert rig.media.players[caller].playlist[0].file == "/music/default.wav"
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
    assert rig.media.players[caller].playlist[0].file == "/a.wav"
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
    assert rig.media.players[line].playlist[0].tone is Tone.RINGBACK
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
    assert (rig.legs.legs[line].caller.number, rig.legs.legs[line].caller.display) == ("anna", "Anna")
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
    assert rig.media.players[caller].playlist[0].file == "/music/default.wav"
    _, bert = asked(rig, anna, "200")
    assert rig.media.players[caller].playlist[0].tone is Tone.RINGBACK
    rig.legs.far_fail(bert, 486)
    rig.pump()
    assert rig.media.players[caller].playlist[0].file == "/music/default.wav"
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
    rig.wait(WAIT_S)  # her phone might send it in its sound as well
    assert rig.legs.keys == []
    assert rig.media.sent[-1] == SendDtmf(leg=caller, digits="5", duration_ms=160)
    leg = rig.manager._board.calls[call].caller
    assert leg.remote is not None
    leg.remote = replace(leg.remote, dtmf_payload_type=None)
    rig.legs.far_key(anna, "#")
    rig.legs.far_key(caller, "1")
    rig.pump()
    assert rig.legs.keys == [(caller, "#", 160)]
    assert rig.media.sent[-1] == SendDtmf(leg=anna, digits="1", duration_ms=160)
    assert [body.digit for body in rig.bodies() if isinstance(body, DigitReceived)] == ["5", "#", "1"]
    hang_up(rig, caller)
    rig.assert_clean()
