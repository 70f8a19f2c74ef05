"""Every input in any order, with the calls layer played by the machine: what must always hold, holds."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.acd.agent import AgentState
from engine.acd.caller import CallerState
from engine.acd.snapshot import LiveCounts
from engine.acd.strategies import STRATEGIES, Reach
from engine.calls.directory import Agent, AgentStatus, Drop, Entity, Member, Put, Queue, StrategyName
from engine.calls.log import (
    AgentStateChanged,
    CallerConnected,
    CallerLeft,
    CallerQueued,
    OfferEnded,
    OfferMade,
    QueueExit,
)
from engine.calls.ports import MakeOffer, OfferResult, ReleaseCaller, WithdrawOffer
from engine.ids import AgentName, OfferId, QueueName
from tests.support.acd_floor import AcdFloor

AGENTS = ("anna", "ben", "cleo", "dora")
QUEUES = {
    "one": Queue(name=QueueName("one"), max_wait_s=40, max_callers=4, wrap_up_s=6, retry_s=3),
    "all": Queue(
        name=QueueName("all"), strategy=StrategyName.RINGALL, rona_break=False, retry_s=2, wrap_up_s=0, ring_timeout_s=8
    ),
}
MEMBERS = (
    ("one", "anna", 0),
    ("one", "ben", 0),
    ("one", "cleo", 1),
    ("all", "ben", 0),
    ("all", "cleo", 0),
    ("all", "dora", 1),
)
AT_REST = LiveCounts(callers=0, offers=0, talks=0, own_calls=0, deadlines=0, effects=0)
IN_OFFER = (AgentState.OFFERED, AgentState.RINGING)

agent_names = st.sampled_from(AGENTS)
queue_names = st.sampled_from(list(QUEUES))
index = st.integers(0, 20)


def member(queue: str, agent: str, penalty: int = 0) -> Member:
    return Member(queue=QueueName(queue), agent=AgentName(agent), penalty=penalty)


class Centre(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        directory: list[Entity] = [
            *(Agent(name=AgentName(name)) for name in AGENTS),
            *QUEUES.values(),
            *(member(queue, agent, penalty) for queue, agent, penalty in MEMBERS),
        ]
        self.floor = AcdFloor(*directory, registered=AGENTS[:2])
        self.calls = 0
        self.waiting: dict[str, None] = {}
        self.talking: dict[str, AgentName] = {}
        self.own: list[tuple[str, str]] = []
        self.standing: dict[OfferId, MakeOffer] = {}
        self.over: list[OfferId] = []

    def carry_out(self) -> None:
        """What the calls layer does with the effects; each must make sense to it."""
        for effect in self.floor.take():
            match effect:
                case MakeOffer():
                    assert effect.offer not in self.standing
                    assert effect.call in self.waiting
                    self.standing[effect.offer] = effect
                case WithdrawOffer():
                    self.end_offer(effect.offer)
                case ReleaseCaller():
                    del self.waiting[effect.call]

    def end_offer(self, offer: OfferId) -> None:
        del self.standing[offer]
        self.over.append(offer)

    # --- inputs ---

    @rule(queue=queue_names)
    def enter(self, queue: str) -> None:
        if queue in self.floor.directory.queues:
            self.calls += 1
            self.waiting[f"c{self.calls}"] = None
            self.floor.call(f"c{self.calls}", queue)
            self.carry_out()

    @precondition(lambda self: self.waiting)
    @rule(which=index, by_us=st.booleans())
    def leave(self, which: int, by_us: bool) -> None:
        call = list(self.waiting)[which % len(self.waiting)]
        del self.waiting[call]
        (self.floor.end if by_us else self.floor.hang_up)(call)
        self.carry_out()

    @precondition(lambda self: self.standing)
    @rule(which=index)
    def ring(self, which: int) -> None:
        self.floor.acd.offer_ringing(list(self.standing)[which % len(self.standing)], self.floor.now)

    @precondition(lambda self: self.standing)
    @rule(which=index)
    def answer(self, which: int) -> None:
        made = self.standing[list(self.standing)[which % len(self.standing)]]
        self.end_offer(made.offer)
        assert self.floor.acd.offer_answered(made.offer, self.floor.now)
        del self.waiting[made.call]
        self.talking[made.call] = made.agent
        self.carry_out()

    @precondition(lambda self: self.standing)
    @rule(which=index, result=st.sampled_from(list(OfferResult)))
    def refuse(self, which: int, result: OfferResult) -> None:
        offer = list(self.standing)[which % len(self.standing)]
        self.end_offer(offer)
        self.floor.fail(offer, result)
        self.carry_out()

    @precondition(lambda self: self.over)
    @rule(which=index)
    def too_late(self, which: int) -> None:
        offer = self.over[which % len(self.over)]
        self.floor.acd.offer_ringing(offer, self.floor.now)
        self.floor.fail(offer)
        assert not self.floor.acd.offer_answered(offer, self.floor.now)
        assert self.floor.take() == []

    @precondition(lambda self: self.talking)
    @rule(which=index)
    def end_talk(self, which: int) -> None:
        call = list(self.talking)[which % len(self.talking)]
        del self.talking[call]
        self.floor.end_talk(call)
        self.carry_out()

    @rule(agent=agent_names)
    def engage(self, agent: str) -> None:
        if agent in self.floor.directory.agents:
            self.calls += 1
            self.own.append((agent, f"own{self.calls}"))
            self.floor.engage(*self.own[-1])
            self.carry_out()

    @precondition(lambda self: self.own)
    @rule(which=index)
    def release(self, which: int) -> None:
        self.floor.release(*self.own.pop(which % len(self.own)))
        self.carry_out()

    @rule(agent=agent_names, up=st.booleans())
    def bind(self, agent: str, up: bool) -> None:
        if up:
            self.floor.register(agent)
        else:
            self.floor.unregister(agent)
        self.carry_out()

    @rule(agent=agent_names, status=st.sampled_from([*AgentStatus, AgentStatus.AVAILABLE]))
    def choose(self, agent: str, status: AgentStatus) -> None:
        if agent not in self.floor.directory.agents:
            return
        if status is AgentStatus.LOGGED_OUT:
            self.floor.acd.log_out(AgentName(agent), "", "api", self.floor.now)
        elif status is AgentStatus.AVAILABLE:
            self.floor.available(agent)
        else:
            self.floor.pause(agent)
        self.carry_out()

    @rule(seconds=st.sampled_from([0.1, 1, 3, 7, 16, 45]))
    def pass_time(self, seconds: float) -> None:
        end = self.floor.now + seconds
        while (due := self.floor.acd.next_deadline()) is not None and due <= end:
            self.floor.clock.now = max(due, self.floor.now)
            self.floor.acd.handle_deadline(self.floor.now)
            self.carry_out()
        self.floor.clock.now = end

    # --- the directory ---

    @rule(queue=queue_names, agent=agent_names, penalty=st.integers(0, 1), drop=st.booleans())
    def change_member(self, queue: str, agent: str, penalty: int, drop: bool) -> None:
        directory = self.floor.directory
        if drop:
            self.floor.change(Drop(entity=member(queue, agent)))
        elif queue in directory.queues and agent in directory.agents:
            self.floor.change(Put(entity=member(queue, agent, penalty)))
        self.carry_out()

    @rule(agent=agent_names, drop=st.booleans())
    def change_agent(self, agent: str, drop: bool) -> None:
        entity = Agent(name=AgentName(agent))
        self.floor.change(Drop(entity=entity) if drop else Put(entity=entity))
        self.carry_out()

    @rule(queue=queue_names, drop=st.booleans(), swap=st.booleans())
    def change_queue(self, queue: str, drop: bool, swap: bool) -> None:
        other = QUEUES["all" if queue == "one" else "one"]
        strategy = other.strategy if swap else QUEUES[queue].strategy
        entity = Queue(name=QueueName(queue), strategy=strategy, max_wait_s=other.max_wait_s, rona_break=swap)
        self.floor.change(Drop(entity=entity) if drop else Put(entity=entity))
        self.carry_out()

    # --- what must always hold ---

    @invariant()
    def nobody_is_lost_and_nobody_is_there_twice(self) -> None:
        snapshot = self.floor.acd.snapshot(self.floor.now)
        in_line = [caller.call for queue in snapshot.queues for caller in queue.callers]
        assert sorted(in_line) == sorted(self.waiting)
        live = self.floor.acd.live()
        assert (live.callers, live.offers, live.talks) == (len(self.waiting), len(self.standing), len(self.talking))
        assert live.own_calls == len(self.own)
        for queue in snapshot.queues:
            assert [caller.position for caller in queue.callers] == list(range(1, len(queue.callers) + 1))
            assert sorted(queue.callers, key=lambda c: -c.waited_s) == list(queue.callers)

    @invariant()
    def an_offer_joins_one_caller_in_line_and_one_agent_who_does_nothing_else(self) -> None:
        snapshot = self.floor.acd.snapshot(self.floor.now)
        rung = Counter(made.agent for made in self.standing.values())
        assert all(count == 1 for count in rung.values())
        assert {agent.name for agent in snapshot.agents if agent.state in IN_OFFER} == set(rung)
        for agent in snapshot.agents:
            busy = agent.name in self.talking.values() or any(name == agent.name for name, _ in self.own)
            assert (agent.state is AgentState.IN_CALL) == busy
            assert agent.reachable or agent.state not in (AgentState.IDLE, *IN_OFFER)
            if agent.name in rung:
                assert agent.status is AgentStatus.AVAILABLE
        ringing = {(c.call, name) for queue in snapshot.queues for c in queue.callers for name in c.ringing}
        assert ringing == {(made.call, made.agent) for made in self.standing.values()}
        for queue in snapshot.queues:
            for caller in queue.callers:
                assert (caller.state is CallerState.OFFERED) == bool(caller.ringing)
                if STRATEGIES[queue.strategy].reach is Reach.ONE and not self.swapped(queue.name):
                    assert len(caller.ringing) <= 1

    def swapped(self, queue: QueueName) -> bool:
        """Whether the queue's strategy has been changed; offers made under the old one may still stand."""
        return self.floor.directory.queues[queue] is not QUEUES[queue]

    @invariant()
    def no_agent_idles_beside_a_caller_for_whom_nobody_rings(self) -> None:
        snapshot = self.floor.acd.snapshot(self.floor.now)
        free = {a.name for a in snapshot.agents if a.state is AgentState.IDLE and a.status is AgentStatus.AVAILABLE}
        for queue in snapshot.queues:
            idle = [m.agent for m in queue.members if m.agent in free and not m.resting]
            assert queue.idle == len(idle)
            if idle:
                assert all(caller.state is not CallerState.WAITING for caller in queue.callers)

    @invariant()
    def every_deadline_has_its_owner(self) -> None:
        snapshot = self.floor.acd.snapshot(self.floor.now)
        resting = sum(m.resting for queue in snapshot.queues for m in queue.members)
        patient = sum(
            len(queue.callers) for queue in snapshot.queues if self.floor.directory.queues[queue.name].max_wait_s > 0
        )
        deadlines = self.floor.acd.live().deadlines
        wrapping = deadlines - len(self.standing) - resting - patient
        least = sum(agent.state is AgentState.WRAP_UP for agent in snapshot.agents)
        assert least <= wrapping <= len(snapshot.agents)

    @invariant()
    def the_log_tells_one_story(self) -> None:
        made = [record.offer for record in self.floor.logged(OfferMade)]
        ended = [record.offer for record in self.floor.logged(OfferEnded)]
        assert len(set(made)) == len(made)
        assert len(set(ended)) == len(ended)
        assert set(made) - set(ended) == set(self.standing)
        queued = len(self.floor.logged(CallerQueued))
        left = sum(record.why is not QueueExit.FULL for record in self.floor.logged(CallerLeft))
        assert queued == len(self.floor.logged(CallerConnected)) + left + len(self.waiting)
        states: dict[str, str] = {}
        for change in self.floor.logged(AgentStateChanged):
            assert change.state != change.previous
            states[change.agent] = change.state

    def teardown(self) -> None:
        """Everybody goes home: nothing may be left."""
        for call in tuple(self.waiting):
            self.floor.hang_up(call)
        for call in tuple(self.talking):
            self.floor.end_talk(call)
        for agent, call in self.own:
            self.floor.release(agent, call)
        self.floor.pass_time(100)
        self.floor.take()
        assert self.floor.acd.live() == AT_REST
        assert self.floor.acd.next_deadline() is None
        assert len(self.floor.logged(OfferMade)) == len(self.floor.logged(OfferEnded))


TestCentre = Centre.TestCase
TestCentre.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
