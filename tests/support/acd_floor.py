"""An `Acd` in virtual time, with the calls layer played by the test: it sees what is rung and says what phones do."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import TypeVar

from engine.acd.agent import AgentState
from engine.acd.centre import Acd
from engine.acd.snapshot import AgentView, QueueView
from engine.calls.directory import Agent, Change, Directory, Entity, Member, Queue
from engine.calls.events import Party, Reachable, Unreachable, UnreachableReason
from engine.calls.journal import Journal, Record
from engine.calls.log import LogBody
from engine.calls.ports import LeaveReason, MakeOffer, OfferResult, QueueEffect
from engine.ids import AgentName, CallId, OfferId, QueueName

WALL = 1_790_000_000.0
Body = TypeVar("Body", bound=LogBody)


class Tokens:
    """Identifiers that a reader of a failed test can follow: t1, t2 ..."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def token(self) -> str:
        return f"t{next(self._numbers)}"


class VirtualClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL + self.now


class AcdFloor:
    """The centre with its clock. Offers that stand are in `offers` until they are withdrawn or end."""

    def __init__(self, *entities: Entity, registered: Iterable[str] = ()) -> None:
        self.clock = VirtualClock()
        self.journal = Journal(self.clock)
        self.directory = Directory.of(entities)
        self.acd = Acd(self.directory, self.journal, Tokens(), self.clock.now)
        self.records: list[Record] = []
        self.effects: list[QueueEffect] = []
        for agent in registered:
            self.register(agent)

    @property
    def now(self) -> float:
        return self.clock.now

    # --- time ---

    def pass_time(self, seconds: float) -> None:
        """Let time go by, stopping at every deadline on the way."""
        end = self.clock.now + seconds
        while (due := self.acd.next_deadline()) is not None and due <= end:
            self.clock.now = max(due, self.clock.now)
            self.acd.handle_deadline(self.clock.now)
        self.clock.now = end

    # --- what the world does ---

    def register(self, agent: str, contact: str = "") -> None:
        name = AgentName(agent)
        event = Reachable(
            agent=name, contact=contact or f"sip:{agent}@home", source="192.0.2.1:5060", user_agent="phone"
        )
        self.acd.reachable(event, self.now)

    def unregister(self, agent: str, reason: UnreachableReason = UnreachableReason.UNREGISTERED) -> None:
        self.acd.unreachable(Unreachable(agent=AgentName(agent), reason=reason), self.now)

    def call(self, call: str, queue: str = "q", number: str = "+49301234") -> None:
        self.acd.enter(CallId(call), QueueName(queue), Party(number=number), self.now)

    def hang_up(self, call: str) -> None:
        self.acd.leave(CallId(call), LeaveReason.CALLER_GONE, self.now)

    def end(self, call: str) -> None:
        self.acd.leave(CallId(call), LeaveReason.ENDED, self.now)

    def answer(self, offer: OfferId) -> bool:
        self.acd.offer_ringing(offer, self.now)
        return self.acd.offer_answered(offer, self.now)

    def fail(
        self, offer: OfferId, result: OfferResult = OfferResult.REJECTED, retry_after_s: int | None = None
    ) -> None:
        self.acd.offer_failed(offer, result, self.now, retry_after_s=retry_after_s)

    def end_talk(self, call: str) -> None:
        self.acd.talk_ended(CallId(call), self.now)

    def engage(self, agent: str, call: str) -> None:
        self.acd.agent_engaged(AgentName(agent), CallId(call), self.now)

    def release(self, agent: str, call: str) -> None:
        self.acd.agent_released(AgentName(agent), CallId(call), self.now)

    def available(self, agent: str) -> None:
        self.acd.set_status(AgentName(agent), True, "", "phone", self.now)

    def pause(self, agent: str, reason: str = "lunch") -> None:
        self.acd.set_status(AgentName(agent), False, reason, "api", self.now)

    def change(self, change: Change) -> None:
        self.directory.apply(change)
        self.acd.directory_changed(change, self.now)

    # --- what is seen ---

    def take(self) -> list[QueueEffect]:
        """The effects since the last look."""
        return self.acd.take_effects()

    def rung(self) -> list[tuple[str, str]]:
        """(call, agent) of every offer made since the last look; other effects are thrown away."""
        return [(made.call, made.agent) for made in self.take() if isinstance(made, MakeOffer)]

    def offer(self) -> MakeOffer:
        """The one effect since the last look, which must be an offer."""
        effects = self.take()
        assert len(effects) == 1, effects
        assert isinstance(effects[0], MakeOffer), effects
        return effects[0]

    def connect(self, call: str, queue: str = "q") -> str:
        """A caller comes, somebody answers at once; the agent's name."""
        self.call(call, queue)
        made = self.offer()
        assert self.answer(made.offer)
        return made.agent

    def logged(self, kind: type[Body]) -> list[Body]:
        """Every record of this kind so far."""
        self.records += self.journal.take()
        return [record.body for record in self.records if isinstance(record.body, kind)]

    def agent(self, name: str) -> AgentView:
        return next(view for view in self.acd.snapshot(self.now).agents if view.name == name)

    def state(self, name: str) -> AgentState:
        return self.agent(name).state

    def queue(self, name: str = "q") -> QueueView:
        return next(view for view in self.acd.snapshot(self.now).queues if view.name == name)


def agents(*names: str) -> list[Entity]:
    return [Agent(name=AgentName(name)) for name in names]


def queue_of(*names: str, queue: Queue | None = None) -> list[Entity]:
    """A queue (by default "q": 15 s ring, 5 s retry, 10 s wrap-up) and its members, agents included."""
    config = queue if queue is not None else Queue(name=QueueName("q"))
    return [config, *agents(*names), *(Member(queue=config.name, agent=AgentName(name)) for name in names)]
