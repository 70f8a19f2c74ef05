from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Drop, Put, Trunk, TrunkGroup
from engine.calls.events import Party, TrunkDown
from engine.calls.leg import LegState
from engine.calls.log import CallConnected, CallRouted
from engine.calls.ports import TrunkNumber
from engine.calls.routing import ToGroup, ToTrunk
from engine.calls.trunk_records import CircuitState, TrunkFailure, TrunkTried
from engine.ids import GroupName, LegId, TrunkName
from tests.support.call_rig import Rig

A, B, C = (Trunk(name=TrunkName(name), host="192.0.2.1") for name in "abc")
OUT = TrunkGroup(name=GroupName("out"), members=("a:1", "b:2", "c:3"))
TO_OUT = ToGroup(group=OUT.name, number="0305550", ring_timeout_s=60)
TO_A = ToTrunk(trunk=A.name, number="0305550", ring_timeout_s=60)


def calling(*trunks: Trunk, route: ToGroup | ToTrunk = TO_OUT) -> tuple[Rig, LegId]:
    rig = Rig(route, more=(*(trunks or (A, B, C)), OUT))
    return rig, rig.call_in("90305550", agent="anna")


def far(rig: Rig) -> LegId:
    """The leg that is being placed now."""
    return [leg for leg in rig.legs.placed() if rig.legs.legs[leg].state is not LegState.ENDED][-1]


def wanted(rig: Rig) -> TrunkNumber:
    found = rig.legs.legs[far(rig)].destination
    assert isinstance(found, TrunkNumber)
    return found


def fail(rig: Rig, status: int, *, timed_out: bool = False, early: bool = False) -> None:
    rig.legs.far_fail(far(rig), status, timed_out=timed_out, early=early)
    rig.pump()


def tried(rig: Rig) -> list[tuple[str, str, int | None]]:
    return [
        (body.trunk, body.why.value, body.status) for body in rig.bodies(TrunkTried) if isinstance(body, TrunkTried)
    ]


def answer_and_hang_up(rig: Rig, caller: LegId) -> None:
    leg = far(rig)
    rig.legs.far_answer(leg)
    rig.pump()
    rig.confirm(caller)
    assert rig.media.edges == {(caller, leg), (leg, caller)}
    rig.legs.far_hang_up(leg)
    rig.assert_clean()


def test_the_first_trunk_of_a_group_that_takes_the_call_carries_it() -> None:
    rig, caller = calling()
    assert rig.bodies(CallRouted) == [CallRouted(destination="group:out/0305550")]
    assert wanted(rig) == TrunkNumber(trunk=A.name, number="0305550", patience_s=4.0)
    answer_and_hang_up(rig, caller)
    assert [body.peer for body in rig.bodies(CallConnected) if isinstance(body, CallConnected)] == ["trunk:a"]
    assert tried(rig) == []
    assert rig.manager.line(A.name).calls_out == 0


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
def test_a_trunk_that_cannot_leaves_the_call_to_the_next(status: int) -> None:
    rig, caller = calling()
    fail(rig, status)
    assert wanted(rig).trunk == "b"
    assert rig.legs.legs[caller].state is LegState.OFFERED, "the caller knows nothing of it"
    answer_and_hang_up(rig, caller)
    assert tried(rig) == [("a", "status", status)]


def test_silence_and_lost_connections_leave_it_to_the_next_too() -> None:
    rig, caller = calling()
    fail(rig, 408, timed_out=True)
    fail(rig, 503, timed_out=True)
    assert wanted(rig) == TrunkNumber(trunk=C.name, number="0305550"), "the last one may take its time"
    answer_and_hang_up(rig, caller)
    assert tried(rig) == [("a", "silent", None), ("b", "silent", None)]


@pytest.mark.parametrize("status", [404, 480, 484, 486, 488, 403, 600, 603, 401, 302])
def test_what_is_said_of_the_number_or_the_person_is_the_end(status: int) -> None:
    rig, caller = calling()
    fail(rig, status)
    assert rig.legs.placed() == rig.legs.placed(LegState.ENDED)
    assert len(rig.legs.placed()) == 1
    assert rig.legs.legs[caller].refused_with is not None
    assert tried(rig) == []
    rig.assert_clean()


def test_when_all_have_failed_the_caller_is_told_what_the_last_one_said() -> None:
    rig, caller = calling()
    for status in (500, 504, 503):
        fail(rig, status)
    assert rig.legs.legs[caller].refused_with == 500
    assert rig.end().cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.UNREACHABLE, sip_code=500)
    assert rig.end().ended_by == "called"
    assert tried(rig) == [("a", "status", 500), ("b", "status", 504), ("c", "status", 503)]
    rig.assert_clean()


def test_a_trunk_that_rang_without_a_sound_may_still_be_left() -> None:
    rig, caller = calling()
    rig.legs.far_ring(far(rig))
    rig.pump()
    assert rig.legs.legs[caller].state is LegState.ALERTING
    fail(rig, 503)
    assert wanted(rig).trunk == "b"
    rig.legs.far_ring(far(rig))
    rig.pump()
    answer_and_hang_up(rig, caller)


def test_whoever_has_heard_something_of_a_trunk_stays_with_it() -> None:
    rig, caller = calling()
    rig.legs.far_ring(far(rig))
    rig.pump()
    fail(rig, 503, early=True)
    assert (rig.legs.legs[caller].refused_with, rig.legs.legs[caller].retry_after_s) == (500, None)
    assert tried(rig) == [("a", "status", 503)]
    rig.assert_clean()


def test_an_answered_call_is_not_begun_anew() -> None:
    rig, caller = calling()
    rig.legs.far_answer(far(rig))
    rig.pump()
    rig.legs.far_hang_up(far(rig))
    rig.pump()
    assert len(rig.legs.placed()) == 1
    assert rig.legs.legs[caller].state is LegState.ENDED
    rig.assert_clean()


def test_a_trunk_that_does_not_ring_in_time_is_taken_back() -> None:
    rig, caller = calling(replace(A, setup_s=10), B, C)
    first = far(rig)
    rig.wait(9.9)
    assert far(rig) == first
    rig.wait(0.2)
    assert rig.legs.legs[first].state is LegState.ENDED
    assert wanted(rig).trunk == "b"
    answer_and_hang_up(rig, caller)
    assert tried(rig) == [("a", "slow", None)]


def test_a_trunk_that_rings_in_time_may_ring_on_and_the_whole_has_one_end() -> None:
    rig, caller = calling(replace(A, setup_s=10), B, C)
    fail(rig, 503)
    rig.wait(8)
    rig.legs.far_ring(far(rig))
    rig.pump()
    rig.wait(50)
    assert rig.legs.legs[caller].refused_with is None
    rig.wait(3)
    assert rig.legs.legs[caller].refused_with == 480
    assert rig.end().cause.reason is Reason.NO_ANSWER
    rig.assert_clean()


def test_the_last_trunk_and_one_without_a_bound_may_take_as_long_as_the_call_rings() -> None:
    for trunks, route in (((replace(A, setup_s=5),), TO_A), ((replace(A, setup_s=0), B, C), TO_OUT)):
        rig, caller = calling(*trunks, route=route)
        rig.wait(59)
        assert len(rig.legs.placed()) == 1
        rig.wait(2)
        assert rig.legs.legs[caller].refused_with == 480
        rig.assert_clean()


def test_trunks_that_cannot_take_it_are_passed_over_and_named() -> None:
    rig, caller = calling(A, replace(B, max_out=1), C)
    rig.manager.trunk_event(TrunkDown(trunk=A.name, reason="no answer"), rig.now)
    first = far(rig)
    rig.legs.far_hang_up(caller)
    rig.pump()
    other = rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "b"
    third = rig.call_in("90305551", agent="bert")
    assert wanted(rig).trunk == "c"
    assert rig.legs.legs[first].state is LegState.ENDED
    assert tried(rig) == [("b", "full", None)]
    for leg in (other, third):
        rig.legs.far_hang_up(leg)
    rig.assert_clean()


def test_where_every_trunk_is_full_the_caller_may_try_again_soon() -> None:
    rig, first = calling(replace(A, max_calls=1), route=TO_A)
    second = rig.call_in("90305550", agent="bert")
    assert (rig.legs.legs[second].refused_with, rig.legs.legs[second].retry_after_s) == (503, 5)
    assert rig.end().cause == EndCause(outcome=Outcome.UPSTREAM, reason=Reason.TRUNK_FULL, sip_code=503)
    assert tried(rig) == [("a", "full", None)]
    rig.legs.far_hang_up(first)
    rig.assert_clean()


def test_calls_a_second_on_one_trunk_go_to_the_next() -> None:
    rig, first = calling(replace(A, cps_out=1), B, C)
    second = rig.call_in("90305550", agent="bert")
    assert wanted(rig).trunk == "b"
    rig.wait(1)
    third = rig.call_in("90305550", agent="cleo")
    assert wanted(rig).trunk == "a"
    for leg in (first, second, third):
        rig.legs.far_hang_up(leg)
    rig.assert_clean()


def test_a_trunk_that_fails_again_and_again_gets_no_calls_until_it_has_rested() -> None:
    rig, caller = calling(replace(A, circuit_after=2), B, C)
    for _ in range(2):
        fail(rig, 503)
        answer_and_hang_up(rig, caller)
        caller = rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "b"
    assert rig.manager.line(A.name).circuit == "open"
    answer_and_hang_up(rig, caller)
    rig.wait(5.1)
    caller = rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "a"
    rig.legs.far_ring(far(rig))
    rig.pump()
    assert rig.manager.line(A.name).circuit == "closed"
    answer_and_hang_up(rig, caller)


def test_a_refusal_of_the_person_shows_that_the_trunk_works() -> None:
    rig, caller = calling(replace(A, circuit_after=1), B, C)
    fail(rig, 503)
    answer_and_hang_up(rig, caller)
    rig.wait(6)
    rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "a"
    fail(rig, 486)
    assert rig.manager.line(A.name).circuit == "closed"


def test_who_gives_up_says_nothing_of_the_trunk() -> None:
    rig, caller = calling(replace(A, circuit_after=1), B, C)
    fail(rig, 503)
    rig.legs.far_hang_up(caller)
    rig.pump()
    rig.wait(6)
    caller = rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "a"
    rig.legs.far_hang_up(caller)
    rig.pump()
    assert rig.manager.line(A.name).circuit == "half_open"
    caller = rig.call_in("90305550", agent="anna")
    assert wanted(rig).trunk == "a", "another may show it"
    rig.legs.far_hang_up(caller)
    rig.assert_clean()


def test_each_trunk_gets_number_and_caller_as_it_wants_them() -> None:
    spruced = replace(A, called_out=("e164:49",), caller_out=("replace:anna:+4930777",))
    rig = Rig(TO_OUT, more=(spruced, replace(B, caller_out=("anonymous",)), C, OUT))
    leg = rig.call_in("90305550", agent="anna", number="anna")
    found = rig.legs.legs[far(rig)]
    assert wanted(rig).number == "+49305550"
    assert found.caller is not None
    assert found.caller.number == "+4930777"
    assert found.media is not None
    assert found.media.alike == leg
    fail(rig, 503)
    found = rig.legs.legs[far(rig)]
    assert wanted(rig).number == "0305550"
    assert found.caller == Party(number="", display="")


@pytest.mark.parametrize("number", ["030@evil.example", "030;x=y", "030\r\nEvil: 1", "", "1" * 65, "<030>"])
def test_what_is_no_number_reaches_no_trunk(number: str) -> None:
    rig, caller = calling(route=replace(TO_OUT, number=number))
    assert rig.legs.legs[caller].refused_with == 484
    assert rig.legs.placed() == []
    rig.assert_clean()


def test_what_people_write_between_digits_is_left_out() -> None:
    rig, _ = calling(route=replace(TO_OUT, number="(030) 555-0"))
    assert wanted(rig).number == "0305550"


def test_rules_that_leave_no_number_pass_the_trunk_over() -> None:
    rig, _ = calling(replace(A, called_out=("strip:30",)), B, C)
    assert wanted(rig).trunk == "b"
    assert tried(rig) == [("a", "number", None)]
    rig, caller = calling(replace(A, called_out=("strip:30",)), route=TO_A)
    assert rig.legs.legs[caller].refused_with == 484


def test_a_group_or_trunk_that_is_not_there_is_no_route() -> None:
    for route in (replace(TO_OUT, group=GroupName("none")), replace(TO_A, trunk=TrunkName("none"))):
        rig, caller = calling(route=route)
        assert rig.legs.legs[caller].refused_with == 404
        rig.assert_clean()


def test_a_trunk_that_is_removed_while_another_is_tried_is_passed_over() -> None:
    rig, caller = calling()
    rig.directory.apply(Drop(entity=B))
    rig.manager.directory_changed(Drop(entity=B), rig.now)
    fail(rig, 503)
    assert wanted(rig).trunk == "c"
    answer_and_hang_up(rig, caller)


def test_a_dead_trunk_alone_is_known_at_once() -> None:
    rig, caller = calling(route=TO_A)
    rig.legs.far_hang_up(caller)
    rig.pump()
    rig.manager.trunk_event(TrunkDown(trunk=A.name, reason="no answer"), rig.now)
    second = rig.call_in("90305550", agent="anna")
    assert rig.legs.legs[second].refused_with == 480
    assert tried(rig) == [("a", TrunkFailure.DOWN.value, None)]
    rig.assert_clean()


def test_no_port_for_the_next_try_ends_the_call() -> None:
    rig, caller = calling()
    rig.media.free_ports = 1
    fail(rig, 503)
    assert rig.legs.legs[caller].refused_with == 503
    assert rig.end().cause.reason is Reason.NO_MEDIA_PORT
    assert rig.manager.line(B.name).calls_out == 0
    rig.assert_clean()


def test_nothing_of_the_first_try_is_heard_once_the_second_goes() -> None:
    rig, caller = calling()
    rig.legs.auto_end = False
    rig.wait(15.1)
    first, second = rig.legs.placed()
    rig.legs.far_answer(first)
    rig.pump()
    rig.legs.far_end_done(first)
    rig.pump()
    rig.legs.auto_end = True
    assert wanted(rig).trunk == "b"
    assert far(rig) == second
    answer_and_hang_up(rig, caller)


# --- the other way: calls from a trunk ---


def test_a_trunk_may_bring_so_many_calls_and_no_more() -> None:
    rig = Rig(TO_A, more=(A,))
    small = replace(rig.directory.trunks[TrunkName("pbx")], max_in=1)
    rig.directory.apply(Put(entity=small))
    first, second = rig.call_in("1"), rig.call_in("2")
    assert (rig.legs.legs[second].refused_with, rig.legs.legs[second].retry_after_s) == (503, 5)
    assert rig.end().cause == EndCause(outcome=Outcome.CLIENT, reason=Reason.TRUNK_FULL, sip_code=503)
    rig.legs.far_hang_up(first)
    rig.pump()
    assert rig.manager.line(small.name).calls_in == 0
    third = rig.call_in("3")
    assert rig.legs.legs[third].refused_with is None
    rig.legs.far_hang_up(third)
    rig.assert_clean()


def test_a_trunks_calls_are_shown_as_its_rules_make_them() -> None:
    rig = Rig()
    pbx = rig.directory.trunks[TrunkName("pbx")]
    ruled = replace(pbx, called_in=("strip:3",), caller_in=("e164:49",))
    rig.directory.apply(Put(entity=ruled))
    rig.call_in("030100", number="030777")
    assert rig.router.asked == [("from-trunk", "100")]
    (call,) = rig.manager.snapshot()
    assert (call.called, call.caller) == ("100", "+4930777")


def test_a_trunk_that_says_when_to_ask_again_is_not_asked_before() -> None:
    rig, _ = calling()
    rig.legs.far_fail(far(rig), 503, retry_after_s=30)
    rig.pump()
    assert wanted(rig).trunk == "b"
    line = rig.manager.line(A.name)
    assert (line.circuit, line.detail) == (CircuitState.OPEN, "it wants no call for 30 s")


def test_a_trunk_that_answers_without_ringing_works() -> None:
    rig, caller = calling(replace(A, circuit_after=1), B, C)
    fail(rig, 503)
    answer_and_hang_up(rig, caller)
    rig.wait(6)
    caller = rig.call_in("90305550", agent="anna")
    assert rig.manager.line(A.name).circuit == "half_open"
    rig.legs.far_answer(far(rig))
    rig.pump()
    rig.confirm(caller)
    assert rig.manager.line(A.name).circuit == "closed"
