"""The agent's side: status, binding, own calls, wrap-up, and since when somebody is idle."""

from __future__ import annotations

import pytest

from engine.acd.agent import AgentState
from engine.calls.directory import Agent, AgentStatus, Member, Put, Queue
from engine.calls.events import Reachable, Unreachable, UnreachableReason
from engine.calls.log import AgentReachable, AgentStateChanged, AgentStatusChanged, AgentUnreachable
from engine.calls.ports import AgentStatusView
from engine.errors import NotFound
from engine.ids import AgentName, QueueName
from tests.support.acd_floor import WALL, AcdFloor, queue_of

ANNA = AgentName("anna")


# --- status ---


def test_the_status_of_the_directory_is_honoured_at_start() -> None:
    kept = Agent(name=ANNA, status=AgentStatus.BREAK, status_reason="lunch", status_since=WALL)
    floor = AcdFloor(kept, Queue(name=QueueName("q")), Member(queue=QueueName("q"), agent=ANNA), registered=["anna"])
    view = floor.agent("anna")
    assert (view.status, view.status_reason, view.status_since) == (AgentStatus.BREAK, "lunch", WALL)
    assert floor.logged(AgentStatusChanged) == []
    floor.call("c1")
    assert floor.take() == []
    floor.available("anna")
    assert floor.rung() == [("c1", "anna")]


def test_an_agent_on_a_break_gets_nothing_until_available() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.pause("anna", "lunch")
    floor.call("c1")
    assert floor.take() == []
    assert floor.acd.status(ANNA) == AgentStatusView(status=AgentStatus.BREAK, reason="lunch")
    floor.pass_time(7)
    floor.available("anna")
    assert floor.acd.status(ANNA) == AgentStatusView(status=AgentStatus.AVAILABLE)
    assert floor.rung() == [("c1", "anna")]
    assert floor.agent("anna").status_since == WALL + floor.now
    assert floor.logged(AgentStatusChanged) == [
        AgentStatusChanged(agent=ANNA, status=AgentStatus.BREAK, reason="lunch", by="api"),
        AgentStatusChanged(agent=ANNA, status=AgentStatus.AVAILABLE, reason="", by="phone"),
    ]


def test_a_logged_out_agent_gets_nothing() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.acd.log_out(ANNA, "", "api", floor.now)
    floor.call("c1")
    assert floor.take() == []
    assert floor.agent("anna").status is AgentStatus.LOGGED_OUT


def test_a_status_that_changes_nothing_is_not_logged_but_another_reason_is() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.available("anna")
    floor.pause("anna", "lunch")
    floor.pause("anna", "lunch")
    floor.pause("anna", "training")
    assert [change.reason for change in floor.logged(AgentStatusChanged)] == ["lunch", "training"]


def test_a_break_in_a_call_takes_effect_after_it() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.pause("anna")
    assert floor.state("anna") is AgentState.IN_CALL
    floor.call("c2")
    floor.end_talk("c1")
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.pass_time(60)
    assert floor.state("anna") is AgentState.IDLE
    assert floor.take() == []


def test_status_of_an_unknown_agent() -> None:
    floor = AcdFloor(*queue_of("anna"))
    with pytest.raises(NotFound, match="no agent 'eve'; there are: anna"):
        floor.pause("eve")
    with pytest.raises(NotFound):
        floor.acd.log_out(AgentName("eve"), "", "api", floor.now)
    assert floor.acd.status(AgentName("eve")).status is AgentStatus.LOGGED_OUT


# --- wrap-up ---


@pytest.mark.parametrize("back", [True, False])
def test_wrap_up_ends_when_the_agent_says_so(back: bool) -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.end_talk("c1")
    floor.call("c2")
    assert floor.take() == []
    if back:
        floor.available("anna")
    else:
        floor.pause("anna")
    assert floor.rung() == ([("c2", "anna")] if back else [])
    assert floor.state("anna") is (AgentState.OFFERED if back else AgentState.IDLE)
    if not back:
        assert floor.acd.next_deadline() is None


def test_wrap_up_is_the_queues_own() -> None:
    short = Queue(name=QueueName("short"), wrap_up_s=0)
    long = Queue(name=QueueName("long"), wrap_up_s=30)
    floor = AcdFloor(*queue_of("anna", queue=short), *queue_of("anna", queue=long), registered=["anna"])
    floor.connect("c1", "short")
    floor.end_talk("c1")
    assert floor.state("anna") is AgentState.IDLE
    floor.connect("c2", "long")
    floor.end_talk("c2")
    floor.pass_time(29)
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.pass_time(1)
    assert floor.state("anna") is AgentState.IDLE


# --- the binding ---


def test_a_binding_lost_in_a_call_counts_when_the_call_is_over() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.unregister("anna", UnreachableReason.CONNECTION_LOST)
    assert floor.state("anna") is AgentState.IN_CALL
    floor.end_talk("c1")
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.call("c2")
    floor.pass_time(10)
    assert floor.state("anna") is AgentState.UNREACHABLE
    assert floor.take() == []
    assert [c.state for c in floor.logged(AgentStateChanged)][-2:] == ["wrap_up", "unreachable"]
    floor.register("anna")
    assert floor.rung() == [("c2", "anna")]


def test_a_registration_is_logged_when_it_is_news() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.register("anna")
    floor.register("anna")
    floor.register("anna", contact="sip:anna@elsewhere")
    floor.unregister("anna")
    floor.unregister("anna")
    floor.register("anna")
    assert [known.contact for known in floor.logged(AgentReachable)] == [
        "sip:anna@home",
        "sip:anna@elsewhere",
        "sip:anna@home",
    ]
    assert floor.logged(AgentUnreachable) == [AgentUnreachable(agent=ANNA, reason="unregistered")]


def test_registrations_of_nobody_are_ignored() -> None:
    floor = AcdFloor(*queue_of("anna"))
    eve = AgentName("eve")
    floor.acd.reachable(Reachable(agent=eve, contact="", source="", user_agent=""), floor.now)
    floor.acd.unreachable(Unreachable(agent=eve, reason=UnreachableReason.EXPIRED), floor.now)
    floor.engage("eve", "c")
    floor.release("eve", "c")
    assert floor.logged(AgentReachable) == []


# --- own calls ---


def test_an_agent_in_an_own_call_gets_no_offer_and_no_wrap_up() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.engage("anna", "own")
    floor.call("c1")
    assert floor.take() == []
    assert floor.state("anna") is AgentState.IN_CALL
    floor.release("anna", "other")
    assert floor.take() == []
    floor.release("anna", "own")
    assert floor.rung() == [("c1", "anna")]


def test_the_last_of_several_own_calls_frees_the_agent() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.engage("anna", "one")
    floor.engage("anna", "two")
    floor.release("anna", "one")
    assert floor.state("anna") is AgentState.IN_CALL
    floor.release("anna", "two")
    assert floor.state("anna") is AgentState.IDLE


def test_an_own_call_during_wrap_up_does_not_shorten_it() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.end_talk("c1")
    floor.pass_time(2)
    floor.engage("anna", "misdialled")
    floor.pass_time(2)
    floor.release("anna", "misdialled")
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.engage("anna", "call back")
    floor.pass_time(60)
    assert floor.state("anna") is AgentState.IN_CALL
    floor.release("anna", "call back")
    assert floor.state("anna") is AgentState.IDLE


def test_a_consultation_outlives_the_queues_call() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.engage("anna", "consultation")
    floor.end_talk("c1")
    assert floor.state("anna") is AgentState.IN_CALL
    floor.pass_time(4)
    floor.release("anna", "consultation")
    assert floor.state("anna") is AgentState.WRAP_UP
    floor.pass_time(6)
    assert floor.state("anna") is AgentState.IDLE


def test_a_wrap_up_that_has_run_out_is_not_begun() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.engage("anna", "consultation")
    floor.end_talk("c1")
    floor.clock.now += 10  # its deadline is due, but the release is worked off first
    floor.release("anna", "consultation")
    assert floor.state("anna") is AgentState.IDLE
    floor.acd.handle_deadline(floor.now)
    assert floor.state("anna") is AgentState.IDLE


def test_saying_available_in_a_consultation_ends_the_wrap_up_that_would_follow() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.connect("c1")
    floor.engage("anna", "consultation")
    floor.end_talk("c1")
    floor.available("anna")
    assert floor.acd.next_deadline() is None
    floor.release("anna", "consultation")
    assert floor.state("anna") is AgentState.IDLE


def test_a_phone_may_call_without_being_registered() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.engage("anna", "own")
    assert floor.state("anna") is AgentState.IN_CALL
    floor.release("anna", "own")
    assert floor.state("anna") is AgentState.UNREACHABLE


# --- longest idle ---


def order_of_offers(floor: AcdFloor, count: int) -> list[str]:
    for number in range(count):
        floor.call(f"probe{number}")
    return [agent for _, agent in floor.rung()]


def test_the_longest_idle_is_offered_first() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", "cleo"))
    for name in ("cleo", "anna", "ben"):
        floor.register(name)
        floor.pass_time(1)
    assert order_of_offers(floor, 3) == ["cleo", "anna", "ben"]


def test_idle_counts_from_the_end_of_wrap_up() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna"])
    floor.connect("c1")
    floor.end_talk("c1")
    floor.pass_time(5)
    floor.register("ben")
    floor.pass_time(60)
    assert order_of_offers(floor, 2) == ["ben", "anna"]


def test_an_offer_that_came_to_nothing_does_not_cost_the_place() -> None:
    floor = AcdFloor(*queue_of("anna"), registered=["anna"])
    floor.pass_time(5)
    floor.change(Put(entity=Agent(name=AgentName("ben"))))
    floor.change(Put(entity=Member(queue=QueueName("q"), agent=AgentName("ben"))))
    floor.register("ben")
    floor.pass_time(5)
    floor.call("c1")
    assert floor.rung() == [("c1", "anna")]
    floor.pass_time(5)
    floor.hang_up("c1")
    floor.take()
    assert order_of_offers(floor, 2) == ["anna", "ben"]


def test_coming_back_from_a_break_starts_anew() -> None:
    floor = AcdFloor(*queue_of("anna", "ben"), registered=["anna", "ben"])
    floor.pause("anna")
    floor.pass_time(5)
    floor.available("anna")
    floor.available("anna")
    assert order_of_offers(floor, 2) == ["ben", "anna"]
