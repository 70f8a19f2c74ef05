"""Attended transfers, and legs that take the place of others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import Reason
from engine.calls.cdr import CdrFold
from engine.calls.directory import Put
from engine.calls.leg import LegState
from engine.calls.log import CallEnded, CallMerged, CallTransferred, TransferKind
from engine.calls.routing import ToAgent, ToEcho, ToQueue, ToTrunk
from engine.ids import AgentName, LegId, QueueName, TrunkName
from tests.support.call_rig import Rig


def office() -> Rig:
    rig = Rig()
    rig.router.by_number = {
        "200": ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0),
        "0": ToTrunk(trunk=TrunkName("pbx"), number="03049", ring_timeout_s=20.0),
        "300": ToQueue(queue=QueueName("sales")),
        "500": ToEcho(),
    }
    return rig


def consult(rig: Rig, number: str = "200", agent: str = "anna") -> tuple[LegId, LegId]:
    """The agent calls somebody and talks to them."""
    own = rig.call_in(number, agent=agent)
    far = rig.legs.placed()[-1]
    rig.legs.far_answer(far)
    rig.pump()
    rig.confirm(own)
    return own, far


def hang_up(rig: Rig, *legs: LegId) -> None:
    for leg in legs:
        rig.legs.far_hang_up(leg)
        rig.pump()


def ends(rig: Rig) -> list[Reason]:
    return [body.cause.reason for body in rig.bodies(CallEnded) if isinstance(body, CallEnded)]


def test_caller_and_colleague_are_joined_and_the_agent_leaves_both() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    rig.wait(10.0)
    own, bert = consult(rig)
    transfer = rig.legs.far_transfer(anna, to=own)
    rig.pump()
    assert rig.legs.transfers[transfer] == ["accepted", "done"]
    assert rig.media.hears(caller) == {bert}
    assert rig.media.hears(bert) == {caller}
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.legs.legs[own].state is LegState.ENDED
    assert rig.queues.talking == {}
    assert rig.queues.engaged == [("bert", call)]
    assert ends(rig) == [Reason.TRANSFERRED]
    (moved,) = rig.bodies(CallTransferred)
    assert isinstance(moved, CallTransferred)
    assert (moved.kind, moved.by, moved.to) == (TransferKind.ATTENDED, "agent:anna", "agent:bert")
    (merged,) = rig.bodies(CallMerged)
    assert merged == CallMerged(into=call, leg=bert)
    rig.wait(5.0)
    hang_up(rig, caller)
    assert ends(rig) == [Reason.TRANSFERRED, Reason.CALLER_HANGUP]
    fold = CdrFold()
    first, second = [row for record in rig.records for row in fold.apply(record)]
    assert fold.open_calls() == 0
    assert (first.called, first.cause.reason) == ("200", Reason.TRANSFERRED)
    assert (second.peer, second.transferred_by, second.transferred_to) == ("agent:bert", "agent:anna", "agent:bert")
    assert second.peer_quality is not None
    rig.assert_clean()


def test_either_call_may_be_the_one_that_asks() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    own, bert = consult(rig)
    transfer = rig.legs.far_transfer(own, to=anna)
    rig.pump()
    assert rig.legs.transfers[transfer] == ["accepted", "done"]
    assert rig.media.hears(caller) == {bert}
    assert rig.queues.talking == {}
    hang_up(rig, bert)
    assert sorted(ends(rig)) == sorted([Reason.TRANSFERRED, Reason.AGENT_HANGUP])
    rig.assert_clean()


def test_to_somebody_on_a_line() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    own, line = consult(rig, "0")
    rig.legs.far_transfer(anna, to=own)
    rig.pump()
    assert rig.media.hears(caller) == {line}
    assert rig.queues.engaged == []
    hang_up(rig, line)
    assert ends(rig)[-1] is Reason.AGENT_HANGUP or ends(rig)[-1] is Reason.CALLED_HANGUP
    rig.assert_clean()


def test_to_a_queue_that_the_agent_waits_in() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    own = rig.call_in("300", agent="anna")
    rig.confirm(own)
    transfer = rig.legs.far_transfer(anna, to=own)
    rig.pump()
    assert rig.legs.transfers[transfer] == ["accepted", "done"]
    assert rig.queues.waiting == {call: "sales"}
    assert rig.legs.legs[own].state is LegState.ENDED
    hang_up(rig, caller)
    rig.assert_clean()


@pytest.mark.parametrize("why", ["unknown", "another agent's", "the same", "gone"])
def test_what_cannot_be_joined_is_refused_and_the_two_talk_on(why: str) -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    own, far = consult(rig, "0", agent="cleo" if why == "another agent's" else "anna")
    if why == "gone":
        hang_up(rig, own)
    if why == "unknown":
        transfer = rig.legs.far_transfer(anna, lost=True)
    else:
        transfer = rig.legs.far_transfer(anna, to=anna if why == "the same" else own)
    rig.pump()
    last = rig.legs.transfers[transfer][-1]
    assert not isinstance(last, str)
    assert last.sip_code == {"unknown": 481, "another agent's": 403, "the same": 491, "gone": 481}[why]
    assert rig.media.hears(caller) == {anna}
    hang_up(rig, anna)
    if why != "gone":
        hang_up(rig, far)
    rig.assert_clean()


def test_another_phone_of_the_agent_takes_the_call_over() -> None:
    rig = office()
    caller, anna, call = rig.talking()
    second = rig.call_in("anything", agent="anna", replaces=anna)
    rig.confirm(second)
    assert rig.media.hears(caller) == {second}
    assert rig.media.hears(second) == {caller}
    assert rig.legs.legs[anna].state is LegState.ENDED
    assert rig.queues.talking == {call: "anna"}
    assert rig.queues.engaged == []
    assert ends(rig) == [Reason.TRANSFERRED]
    transfer = rig.legs.far_transfer(second, "200")
    rig.pump()
    rig.legs.far_answer(rig.legs.placed()[-1])
    rig.pump()
    assert rig.legs.transfers[transfer] == ["accepted", "done"]
    assert rig.queues.talking == {}
    hang_up(rig, caller)
    fold = CdrFold()
    assert len([row for record in rig.records for row in fold.apply(record)]) == 2
    rig.assert_clean()


def test_a_trunk_may_take_over_its_callers_leg() -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    second = rig.call_in("anything", replaces=caller)
    rig.confirm(second)
    assert rig.media.hears(anna) == {second}
    assert rig.legs.legs[caller].state is LegState.ENDED
    hang_up(rig, second)
    assert rig.bodies(CallEnded)[-1].ended_by == "caller"  # type: ignore[union-attr]
    rig.assert_clean()


def test_a_caller_who_waits_is_replaced_with_music() -> None:
    rig = office()
    caller, call = rig.queued()
    second = rig.call_in("anything", replaces=caller)
    rig.confirm(second)
    assert rig.media.players[second].playlist[0].file == "/music/default.wav"
    assert rig.queues.waiting == {call: "sales"}
    agent = rig.offered(call)
    rig.legs.far_answer(agent)
    rig.pump()
    assert rig.media.hears(second) == {agent}
    hang_up(rig, second)
    rig.assert_clean()


@pytest.mark.parametrize("queued", [True, False])
def test_a_phone_that_rings_is_picked_up_by_another(queued: bool) -> None:
    rig = office()
    if queued:
        caller, call = rig.queued()
        ringing = rig.offered(call)
        agent = "anna"
    else:
        caller = rig.call_in("200")
        ringing, agent = rig.legs.placed()[-1], "bert"
    rig.legs.far_ring(ringing)
    rig.pump()
    other = rig.call_in("anything", agent=agent, replaces=ringing)
    rig.confirm(other)
    rig.confirm(caller)
    assert rig.legs.legs[ringing].state is LegState.ENDED
    assert rig.legs.legs[ringing].cause is not None
    assert rig.legs.legs[ringing].cause.sip_code == 200
    assert rig.media.hears(caller) == {other}
    assert rig.media.hears(other) == {caller}
    hang_up(rig, caller)
    rig.assert_clean()


@pytest.mark.parametrize(
    ("who", "trusted", "status"), [("cleo", False, 403), ("cleo", True, 403), (None, False, 403), (None, True, None)]
)
def test_nobody_takes_the_place_of_somebody_elses_phone_but_a_trusted_trunk(
    who: str | None, trusted: bool, status: int | None
) -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    trunk = rig.directory.trunks[TrunkName("pbx")]
    rig.directory.apply(Put(entity=replace(trunk, trusted=trusted)))
    second = rig.call_in("anything", agent=who, replaces=anna)
    assert rig.legs.legs[second].refused_with == status
    if status is None:
        rig.confirm(second)
        assert rig.media.hears(caller) == {second}
    else:
        assert rig.media.hears(caller) == {anna}
    hang_up(rig, caller)
    rig.assert_clean()


@pytest.mark.parametrize("why", ["gone", "service", "under way"])
def test_a_place_that_cannot_be_taken_is_refused(why: str) -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    wanted = caller
    if why == "service":
        wanted = rig.call_in("500", agent="cleo")
        rig.confirm(wanted)
    elif why == "under way":
        rig.legs.far_transfer(anna, "200")
        rig.pump()
    else:
        wanted = LegId("nobody's")
    second = rig.call_in("anything", replaces=wanted)
    assert rig.legs.legs[second].refused_with == {"gone": 481, "service": 403, "under way": 403}[why] or 480
    hang_up(rig, caller)
    if why == "service":
        hang_up(rig, wanted)
    rig.assert_clean()


@pytest.mark.parametrize("when", ["before the port", "before the confirmation"])
def test_the_place_may_be_gone_meanwhile(when: str) -> None:
    rig = office()
    caller, anna, _ = rig.talking()
    if when == "before the port":
        rig.media.held = True
    second = rig.call_in("anything", agent="anna", replaces=anna)
    hang_up(rig, caller)
    if when == "before the port":
        rig.media.release()
        rig.pump()
        assert rig.legs.legs[second].refused_with is not None
    else:
        rig.confirm(second)
        assert rig.legs.legs[second].state is LegState.ENDED
    rig.assert_clean()
