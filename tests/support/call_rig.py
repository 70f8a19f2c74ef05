"""A `CallManager` among the stand-ins of `call_fakes`, in virtual time, with one word for each thing that happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.calls.cdr import Cdr, CdrFold
from engine.calls.config import CallsConfig, MediaTimeoutPolicy
from engine.calls.directory import Agent, Directory, Entity, Put, Queue, Trunk
from engine.calls.events import FromAgent, FromTrunk, Origin, Party
from engine.calls.journal import Journal, Record
from engine.calls.log import CallEnded, CallStarted, LogBody
from engine.calls.manager import CallManager
from engine.calls.recording_rules import RecordingRules
from engine.calls.routing import Route, ToQueue
from engine.calls.sound_rules import SoundRules
from engine.calls.toll_guard import TollGuard, TollRules
from engine.ids import AgentName, CallId, LegId, QueueName, TrunkName
from engine.media.commands import Codec
from tests.support.call_fakes import FakeLegs, Numbers, SetClock
from tests.support.fake_media import FakeMedia
from tests.support.fake_queues import FakeQueues


@dataclass
class FixedRouter:
    """The same route for everybody, until the test sets another."""

    answer: Route
    asked: list[tuple[str, str]] = field(default_factory=list)
    origins: list[Origin] = field(default_factory=list)
    """With whose rights each was asked for."""
    by_number: dict[str, Route] = field(default_factory=dict)
    """Routes of certain numbers."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        self.asked.append((context, called))
        self.origins.append(origin)
        return self.by_number.get(called, self.answer)


def small_office() -> Directory:
    """One trunk, one queue, three agents."""
    return Directory.of(
        [
            Trunk(name=TrunkName("pbx"), host="192.0.2.10"),
            Queue(name=QueueName("sales")),
            *(Agent(name=AgentName(name), display=name.title()) for name in ("anna", "bert", "cleo")),
        ]
    )


class Rig:
    """A CallManager among the fakes. `pump` carries everything back and forth until nothing moves."""

    def __init__(
        self,
        route: Route | None = None,
        *,
        policy: MediaTimeoutPolicy = MediaTimeoutPolicy.END,
        toll: TollRules | None = None,
        more: Sequence[Entity] = (),
        recording: RecordingRules | None = None,
        sounds: SoundRules | None = None,
    ) -> None:
        self.clock = SetClock()
        self.legs = FakeLegs()
        self.media = FakeMedia()
        self.directory = small_office()
        for entity in more:
            self.directory.apply(Put(entity=entity))
        self.queues = FakeQueues(known=set(self.directory.queues))
        self.router = FixedRouter(route or ToQueue(queue=QueueName("sales")))
        self.journal = Journal(self.clock)
        self.records: list[Record] = []
        self.config = CallsConfig(
            hold_music=("/music/default.wav",),
            media_timeout=policy,
            max_calls=50,
            recording=recording or RecordingRules(),
            sounds=sounds or SoundRules(),
        )
        self.manager = CallManager(
            router=self.router,
            legs=self.legs,
            transfers=self.legs,
            media=self.media,
            queues=self.queues,
            statuses=self.queues,
            journal=self.journal,
            ids=Numbers(),
            directory=self.directory,
            config=self.config,
            toll=TollGuard(self.directory, toll or TollRules()),
        )

    @property
    def now(self) -> float:
        return self.clock.now

    def pump(self) -> None:
        while self.legs.events or self.media.events or self.queues.effects:
            while self.legs.events:
                self.manager.leg_event(self.legs.events.popleft(), self.now)
            for effect in self.queues.take_effects():
                self.manager.queue_effect(effect, self.now)
            while self.media.events:
                self.manager.media_event(self.media.events.popleft(), self.now)
        self.records += self.journal.take()

    def wait(self, seconds: float) -> None:
        """Let time pass, stopping at every deadline on the way."""
        end = self.now + seconds
        while (due := self.manager.next_deadline()) is not None and due <= end:
            self.clock.now = max(self.now, due)
            self.manager.handle_deadline(self.now)
            self.pump()
        self.clock.now = end

    # what happens, in one word

    def call_in(
        self,
        called: str = "100",
        *,
        agent: str | None = None,
        number: str = "0301234",
        replaces: LegId | None = None,
    ) -> LegId:
        """Somebody calls: from the trunk, or from an agent's phone."""
        origin: Origin = FromTrunk(trunk=TrunkName("pbx"))
        if agent is not None:
            origin, number = FromAgent(agent=AgentName(agent)), agent
        leg = self.legs.offer(origin, called, Party(number=number), replaces)
        self.pump()
        return leg

    def confirm(self, leg: LegId, codec: Codec = Codec.PCMU) -> None:
        self.legs.confirm(leg, codec)
        self.pump()

    def queued(self, codec: Codec = Codec.PCMU) -> tuple[LegId, CallId]:
        """A caller who waits and hears music."""
        leg = self.call_in()
        self.confirm(leg, codec)
        return leg, list(self.queues.waiting)[-1]

    def offered(self, call: CallId, agent: str = "anna") -> LegId:
        """The ACD offers the caller to this agent, whose phone is called."""
        self.queues.make_offer(call, agent)
        self.pump()
        return self.legs.placed()[-1]

    def talking(self) -> tuple[LegId, LegId, CallId]:
        """A caller and an agent who talk through a queue."""
        caller, call = self.queued()
        agent = self.offered(call)
        self.legs.far_ring(agent)
        self.legs.far_answer(agent)
        self.pump()
        return caller, agent, call

    # what is left

    def bodies(self, kind: type[LogBody] | None = None) -> list[LogBody]:
        return [r.body for r in self.records if kind is None or isinstance(r.body, kind)]

    def end(self) -> CallEnded:
        """The end of the one call that ended."""
        ends = [r.body for r in self.records if isinstance(r.body, CallEnded)]
        assert len(ends) == 1, ends
        return ends[0]

    def rows(self) -> list[Cdr]:
        """The CDRs of what has been told so far."""
        fold = CdrFold()
        return [row for record in self.records for row in fold.apply(record)]

    def assert_clean(self) -> None:
        """Nothing is left behind, anywhere, and every call has one start and one end."""
        self.pump()
        assert self.manager.live() == (0, 0, 0, 0, 0)
        assert self.manager.snapshot() == ()
        assert self.manager.next_deadline() is None
        assert self.legs.left() == []
        assert not self.media.ports
        assert not self.media.edges
        assert not self.media.players
        assert not self.queues.engaged
        assert not self.queues.waiting
        assert not self.queues.talking
        assert not self.queues.offers
        started = [r.call for r in self.records if isinstance(r.body, CallStarted)]
        ended = [r.call for r in self.records if isinstance(r.body, CallEnded)]
        assert sorted(map(str, started)) == sorted(map(str, ended))
        assert len(set(started)) == len(started)
