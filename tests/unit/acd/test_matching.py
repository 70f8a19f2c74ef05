"""Who is rung for whom when there are several of both."""

from __future__ import annotations

from engine.acd.agent import AgentState
from engine.calls.directory import Entity, Member, Queue, StrategyName
from engine.calls.log import OfferEnded, OfferOutcome
from engine.calls.ports import MakeOffer, OfferResult, WithdrawOffer, WithdrawReason
from engine.ids import AgentName, QueueName
from tests.support.acd_floor import AcdFloor, agents, queue_of

RINGALL = Queue(name=QueueName("q"), strategy=StrategyName.RINGALL, rona_break=False, wrap_up_s=0)


def member(queue: str, agent: str, penalty: int = 0) -> Member:
    return Member(queue=QueueName(queue), agent=AgentName(agent), penalty=penalty)


def two_queues(*members: Member, strategy: StrategyName = StrategyName.LONGEST_IDLE) -> list[Entity]:
    names = sorted({m.agent for m in members})
    queues = [Queue(name=QueueName(n), wrap_up_s=0, strategy=strategy) for n in ("red", "blue")]
    return [*agents(*names), *queues, *members]


# --- penalties ---


def test_members_with_a_lower_penalty_are_asked_first_however_short_they_idle() -> None:
    entities = [*agents("anna", "ben"), Queue(name=QueueName("q")), member("q", "anna", 1), member("q", "ben", 0)]
    floor = AcdFloor(*entities, registered=["anna"])
    floor.pass_time(100)
    floor.register("ben")
    floor.call("c1")
    floor.call("c2")
    assert floor.rung() == [("c1", "ben"), ("c2", "anna")]


# --- several queues ---


def test_one_agent_serves_several_queues_in_the_order_of_arrival() -> None:
    floor = AcdFloor(*two_queues(member("red", "anna"), member("blue", "anna")))
    floor.call("b1", "blue")
    floor.call("r1", "red")
    floor.call("b2", "blue")
    floor.register("anna")
    for call in ("b1", "r1", "b2"):
        made = floor.offer()
        assert made.call == call
        floor.answer(made.offer)
        floor.end_talk(call)


def test_the_agents_lower_penalty_goes_before_the_longer_wait() -> None:
    floor = AcdFloor(*two_queues(member("red", "anna", 0), member("blue", "anna", 5)))
    floor.call("b1", "blue")
    floor.call("r1", "red")
    floor.register("anna")
    assert floor.rung() == [("r1", "anna")]


def test_an_agent_rings_for_one_queue_only() -> None:
    floor = AcdFloor(*two_queues(member("red", "anna"), member("blue", "anna")), registered=["anna"])
    floor.call("r1", "red")
    floor.call("b1", "blue")
    assert floor.rung() == [("r1", "anna")]
    floor.hang_up("r1")
    assert floor.rung() == [("b1", "anna")]


# --- ringall ---


def test_ringall_rings_everybody_and_the_first_answer_wins() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", "cleo", queue=RINGALL), registered=["anna", "ben", "cleo"])
    floor.call("c1")
    made = [effect for effect in floor.take() if isinstance(effect, MakeOffer)]
    assert [m.agent for m in made] == ["anna", "ben", "cleo"]
    assert floor.answer(made[1].offer)
    assert floor.take() == [
        WithdrawOffer(offer=made[0].offer, reason=WithdrawReason.ANSWERED_ELSEWHERE),
        WithdrawOffer(offer=made[2].offer, reason=WithdrawReason.ANSWERED_ELSEWHERE),
    ]
    assert [floor.state(name) for name in ("anna", "ben", "cleo")] == [
        AgentState.IDLE,
        AgentState.IN_CALL,
        AgentState.IDLE,
    ]
    assert not floor.answer(made[0].offer)
    assert sorted(ended.outcome for ended in floor.logged(OfferEnded)) == [
        OfferOutcome.ANSWERED,
        OfferOutcome.ANSWERED_ELSEWHERE,
        OfferOutcome.ANSWERED_ELSEWHERE,
    ]
    assert floor.acd.next_deadline() is None


def test_who_is_let_go_by_ringall_rings_for_the_next_caller_at_once() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna", "ben"])
    floor.call("c1")
    floor.call("c2")
    first = next(effect for effect in floor.take() if isinstance(effect, MakeOffer))
    floor.answer(first.offer)
    assert floor.rung() == [("c2", "ben")]


def test_a_round_that_nobody_took_rests_and_then_rings_again() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna", "ben"])
    floor.call("c1")
    floor.take()
    floor.pass_time(15)
    assert floor.rung() == []
    floor.pass_time(4.9)
    assert floor.rung() == []
    floor.pass_time(0.1)
    assert floor.rung() == [("c1", "anna"), ("c1", "ben")]


def test_one_refusal_does_not_stop_the_others_ringing() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna", "ben"])
    floor.call("c1")
    first, second = [effect for effect in floor.take() if isinstance(effect, MakeOffer)]
    floor.fail(first.offer, OfferResult.BUSY)
    assert floor.take() == []
    assert floor.answer(second.offer)


def test_who_comes_free_during_a_round_joins_it_when_nobody_else_waits() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna"])
    floor.call("c1")
    assert floor.rung() == [("c1", "anna")]
    floor.register("ben")
    assert floor.rung() == [("c1", "ben")]


def test_who_comes_free_during_a_round_rings_for_the_next_caller_who_has_nobody() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna"])
    floor.call("c1")
    floor.call("c2")
    floor.take()
    floor.register("ben")
    assert floor.rung() == [("c2", "ben")]


def test_ringall_rings_the_lowest_penalty_and_the_next_when_nobody_took_it() -> None:
    floor = AcdFloor(
        *agents("anna", "ben", "cleo", "dora"),
        RINGALL,
        *(member("q", name, penalty) for name, penalty in (("anna", 0), ("ben", 0), ("cleo", 1), ("dora", 1))),
        registered=["anna", "ben", "cleo", "dora"],
    )
    floor.call("c1")
    assert floor.rung() == [("c1", "anna"), ("c1", "ben")]
    floor.pass_time(15)
    assert floor.rung() == [("c1", "cleo"), ("c1", "dora")]
    floor.pass_time(5)
    assert floor.rung() == [("c1", "anna"), ("c1", "ben")], "rested, and of a lower penalty than those who ring"


def test_a_higher_penalty_does_not_join_a_round_of_a_lower_one() -> None:
    entities = [*agents("anna", "ben"), RINGALL, member("q", "anna", 0), member("q", "ben", 1)]
    floor = AcdFloor(*entities, registered=["anna"])
    floor.call("c1")
    floor.take()
    floor.register("ben")
    assert floor.rung() == []


def test_the_caller_of_ringall_leaves_all_who_ring() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=RINGALL), registered=["anna", "ben"])
    floor.call("c1")
    made = [effect.offer for effect in floor.take() if isinstance(effect, MakeOffer)]
    floor.hang_up("c1")
    assert floor.take() == [WithdrawOffer(offer=offer, reason=WithdrawReason.CALLER_LEFT) for offer in made]
    assert floor.acd.live().offers == 0
