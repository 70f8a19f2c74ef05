"""The calls layer with the real ACD: what the two of them promise each other."""

from __future__ import annotations

from collections import deque

import pytest

from engine.acd.agent import AgentState
from engine.acd.centre import Acd
from engine.calls.causes import Reason
from engine.calls.cdr import CdrFold
from engine.calls.config import CallsConfig
from engine.calls.directory import Agent as DirectoryAgent
from engine.calls.directory import Directory, Drop, Member, Put, Queue, StrategyName, Trunk
from engine.calls.events import FromAgent, FromTrunk, Party, Reachable
from engine.calls.journal import Journal, Record
from engine.calls.log import AgentStatusChanged, CallEnded, CallerLeft, CallStarted, OfferEnded
from engine.calls.manager import CallManager
from engine.calls.routing import Feature, Route, ToFeature, ToQueue
from engine.ids import AgentName, LegId, QueueName, TrunkName
from tests.support.call_fakes import FakeLegs, Numbers, SetClock
from tests.support.call_rig import FixedRouter
from tests.support.fake_media import FakeMedia

SALES = QueueName("sales")


class Office:
    """Anna and Bert in one queue, both reachable."""

    def __init__(self, queue: Queue | None = None, route: Route | None = None) -> None:
        self.clock = SetClock()
        self.legs = FakeLegs()
        self.media = FakeMedia()
        self.directory = Directory.of(
            [
                Trunk(name=TrunkName("pbx"), host="192.0.2.10"),
                queue or Queue(name=SALES),
                *(DirectoryAgent(name=AgentName(name)) for name in ("anna", "bert")),
                *(Member(queue=SALES, agent=AgentName(name)) for name in ("anna", "bert")),
            ]
        )
        self.journal = Journal(self.clock)
        ids = Numbers()
        self.acd = Acd(self.directory, self.journal, ids, self.clock.now)
        self.records: list[Record] = []
        self.manager = CallManager(
            router=FixedRouter(route or ToQueue(queue=SALES)),
            legs=self.legs,
            transfers=self.legs,
            media=self.media,
            queues=self.acd,
            statuses=self.acd,
            journal=self.journal,
            ids=ids,
            directory=self.directory,
            config=CallsConfig(hold_music=("/music/default.wav",)),
        )
        for name in ("anna", "bert"):
            self.acd.reachable(
                Reachable(agent=AgentName(name), contact="sip:x", source="x:1", user_agent=""), self.clock.now
            )

    def pump(self) -> None:
        effects = deque(self.acd.take_effects())
        while self.legs.events or self.media.events or effects:
            while self.legs.events:
                self.manager.leg_event(self.legs.events.popleft(), self.clock.now)
            while effects:
                self.manager.queue_effect(effects.popleft(), self.clock.now)
            while self.media.events:
                self.manager.media_event(self.media.events.popleft(), self.clock.now)
            effects.extend(self.acd.take_effects())
        self.records += self.journal.take()

    def wait(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while True:
            due = [d for d in (self.acd.next_deadline(), self.manager.next_deadline()) if d is not None and d <= end]
            if not due:
                break
            self.clock.now = max(self.clock.now, min(due))
            self.acd.handle_deadline(self.clock.now)
            self.manager.handle_deadline(self.clock.now)
            self.pump()
        self.clock.now = end

    def caller(self) -> LegId:
        leg = self.legs.offer(FromTrunk(trunk=TrunkName("pbx")), "100", Party(number="0301234"))
        self.pump()
        self.legs.confirm(leg)
        self.pump()
        return leg

    def state(self, agent: str) -> AgentState:
        return next(a.state for a in self.acd.snapshot(self.clock.now).agents if a.name == agent)

    def ended(self) -> list[Reason]:
        return [r.body.cause.reason for r in self.records if isinstance(r.body, CallEnded)]


def test_a_caller_reaches_an_agent_and_the_agent_rests_after_it() -> None:
    office = Office()
    caller = office.caller()
    (agent,) = office.legs.placed()
    office.legs.far_ring(agent)
    office.legs.far_answer(agent)
    office.pump()
    assert office.media.edges == {(caller, agent), (agent, caller)}
    assert office.state("anna") is AgentState.IN_CALL
    office.wait(30)
    office.legs.far_hang_up(caller)
    office.pump()
    assert office.state("anna") is AgentState.WRAP_UP
    assert office.manager.live() == (0, 0, 0, 0, 0)
    fold = CdrFold()
    (row,) = [row for record in office.records for row in fold.apply(record)]
    assert (row.queue, row.agent, row.talked_s) == ("sales", "anna", 30)


def test_an_agent_who_does_not_answer_gives_way_to_the_next() -> None:
    office = Office(Queue(name=SALES, ring_timeout_s=10))
    office.caller()
    (first,) = office.legs.placed()
    office.legs.far_ring(first)
    office.pump()
    office.wait(11)
    first_again, second = office.legs.placed()
    assert first_again == first
    office.legs.far_answer(second)
    office.pump()
    standing = office.acd.status(AgentName("anna"))
    assert standing.by_engine
    told = office.legs.legs[first]
    assert told.text == "no answer in time; now on a break: rona: no answer for 10 s (queue sales)"
    assert told.cause is not None
    assert told.cause.sip_code == 480
    assert office.state("bert") is AgentState.IN_CALL
    assert first not in office.media.ports


def test_ringing_all_and_one_answers() -> None:
    office = Office(Queue(name=SALES, strategy=StrategyName.RINGALL))
    caller = office.caller()
    anna, bert = office.legs.placed()
    office.legs.far_answer(bert)
    office.legs.far_answer(anna)
    office.pump()
    assert office.media.hears(caller) == {bert}
    assert office.state("anna") is AgentState.IDLE
    assert office.media.ports.keys() == {caller, bert}


@pytest.mark.parametrize("answer_first", [True, False])
def test_hang_up_and_answer_at_once(answer_first: bool) -> None:
    office = Office()
    caller = office.caller()
    (agent,) = office.legs.placed()
    both = [lambda: office.legs.far_answer(agent), lambda: office.legs.far_hang_up(caller)]
    for happens in both if answer_first else reversed(both):
        happens()
    office.pump()
    assert office.ended() == [Reason.CALLER_HANGUP if answer_first else Reason.ABANDONED]
    assert office.manager.live() == (0, 0, 0, 0, 0)
    assert not office.media.ports


def test_the_queues_records_come_before_the_calls_end() -> None:
    office = Office()
    caller = office.caller()
    office.legs.far_hang_up(caller)
    office.pump()
    kinds = [type(r.body) for r in office.records if r.call is not None]
    assert kinds.index(OfferEnded) < kinds.index(CallEnded)
    assert kinds.index(CallerLeft) < kinds.index(CallEnded)


def test_a_status_that_was_dialled_is_logged_with_its_call() -> None:
    office = Office(route=ToFeature(feature=Feature.BREAK, reason="lunch"))
    leg = office.legs.offer(FromAgent(agent=AgentName("anna")), "*21", Party(number="anna"))
    office.pump()
    office.legs.confirm(leg)
    office.pump()
    office.acd.set_status(AgentName("anna"), True, "", "api", office.clock.now)
    office.pump()
    (call,) = [r.call for r in office.records if isinstance(r.body, CallStarted)]
    assert [r.call for r in office.records if isinstance(r.body, AgentStatusChanged)] == [call, None]


def test_a_full_queue_is_busy_and_was_never_answered() -> None:
    office = Office(Queue(name=SALES, max_callers=1))
    for name in ("anna", "bert"):
        office.acd.set_status(AgentName(name), False, "lunch", "api", office.clock.now)
    office.caller()
    leg = office.legs.offer(FromTrunk(trunk=TrunkName("pbx")), "100", Party(number="1"))
    office.pump()
    assert office.legs.legs[leg].refused_with == 486
    assert office.ended() == [Reason.QUEUE_FULL]


def test_a_caller_who_waits_too_long_is_let_go() -> None:
    office = Office(Queue(name=SALES, max_wait_s=60, ring_timeout_s=100))
    office.caller()
    office.wait(61)
    assert office.ended() == [Reason.QUEUE_TIMEOUT]
    assert office.manager.live() == (0, 0, 0, 0, 0)
    assert office.state("anna") is AgentState.IDLE


def test_a_queue_that_is_removed_lets_its_callers_go() -> None:
    office = Office()
    caller = office.caller()
    assert caller in office.media.ports
    office.acd.directory_changed(Drop(entity=Queue(name=SALES)), office.clock.now)
    office.pump()
    assert office.ended() == [Reason.OPERATOR]
    assert office.manager.live() == (0, 0, 0, 0, 0)


def test_a_member_who_comes_later_is_rung_at_once() -> None:
    office = Office()
    for name in ("anna", "bert"):
        office.acd.set_status(AgentName(name), False, "lunch", "api", office.clock.now)
    office.caller()
    assert office.legs.placed() == []
    office.acd.directory_changed(Put(entity=DirectoryAgent(name=AgentName("cleo"))), office.clock.now)
    office.acd.directory_changed(Put(entity=Member(queue=SALES, agent=AgentName("cleo"))), office.clock.now)
    office.acd.reachable(
        Reachable(agent=AgentName("cleo"), contact="sip:x", source="x:1", user_agent=""), office.clock.now
    )
    office.pump()
    assert len(office.legs.placed()) == 1
