"""The whole core on the wire in memory: a trunk, two agents' phones, a media plane, and time that the test moves.

Everything between the wire and the media commands is the engine's own; the media process is `FakeMedia`, which models
ports, edges and players and refuses a command about a leg that is not open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.app.config import Config
from engine.app.core import Core
from engine.app.wiring import build_core
from engine.calls.directory import Agent, Directory, Member, Queue, StrategyName, Trunk
from engine.calls.events import Origin
from engine.calls.journal import Journal, Record
from engine.calls.log import CallEnded, CallStarted, LogBody, OfferEnded, OfferMade
from engine.calls.routing import NoRoute, Route, Router, ToQueue
from engine.ids import AgentName, QueueName, TrunkName
from engine.media.events import Welcome
from engine.sip.auth import ha1
from engine.sip.events import InviteReceived, SessionId
from engine.sip.flow import Address, Flow, Transmission, Transport
from tests.support.call_fakes import Numbers, SetClock
from tests.support.fake_media import FakeMedia
from tests.support.sip_phone import SDP, SipPhone, make_station, target
from tests.support.wire import EndpointStation, Wire

ENGINE = Address("192.0.2.1", 5060)
TRUNK_HOST = "192.0.2.2"
PASSWORD = "secret"
REALM = "test"
DEMO = QueueName("demo")


class OneQueue:
    """A Router that knows 600."""

    def route(self, *, context: str, called: str, origin: Origin) -> Route:
        return ToQueue(queue=DEMO) if called == "600" else NoRoute(explanation="only 600 is here")


@dataclass
class CoreStation:
    """The core as a station of the wire, its records kept."""

    core: Core
    clock: SetClock
    plane: FakeMedia
    address: Address = ENGINE
    records: list[Record] = field(default_factory=list)

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if flow.transport is Transport.UDP:
            self.core.receive_datagram(data, flow, now)
        else:
            self.core.receive_stream(data, flow, now)

    def opened(self, flow: Flow, now: float) -> None:
        self.core.connection_opened(flow, now)

    def lost(self, flow: Flow, now: float) -> None:
        self.core.connection_lost(flow, now)

    def ring(self, now: float) -> None:
        self.core.handle_deadline(now)

    def deadline(self) -> float | None:
        return self.core.next_deadline()

    def drain(self, now: float) -> Iterable[Transmission]:
        """Carry media commands and their answers back and forth, then give what is to be sent."""
        self.clock.now = now
        busy = True
        while busy:
            commands = self.core.take_media_commands()
            for command in commands:
                self.plane.send(command)
            busy = bool(commands or self.plane.events)
            while self.plane.events:
                self.core.media_event(self.plane.events.popleft(), now)
        taken = self.core.take_records()
        self.records += taken
        if self.core.traces is not None:
            self.core.traces.observe(taken)
        assert not self.core.endpoint.defects, self.core.endpoint.defects
        return self.core.take_transmissions()

    def closes(self) -> Iterable[Flow]:
        return self.core.take_closes()

    def bodies(self, *kinds: type[LogBody]) -> list[LogBody]:
        """What the log has of these kinds."""
        return [record.body for record in self.records if isinstance(record.body, kinds)]


class CentreRig:
    """See the module. `caller` is the trunk; `alice` and `bob` are phones that ring and wait for the test."""

    def __init__(
        self,
        *,
        strategy: StrategyName = StrategyName.LONGEST_IDLE,
        ring_timeout_s: float = 15.0,
        wrap_up_s: float = 5.0,
        seed: int = 1,
        loss: float = 0.0,
        router: Router | None = None,
        traced: bool = True,
        trace: dict[str, object] | None = None,
        dtmf: str = "auto",
    ) -> None:
        self.clock = SetClock()
        self.spares = 3
        """Pairs of ports that the media process offers: enough for a call, so that later legs have to ask."""
        agents = [_agent(name) for name in ("alice", "bob")]
        queue = Queue(name=DEMO, strategy=strategy, ring_timeout_s=ring_timeout_s, retry_s=3.0, wrap_up_s=wrap_up_s)
        members = [Member(queue=DEMO, agent=agent.name) for agent in agents]
        trunk = Trunk(name=TrunkName("pbx"), host=TRUNK_HOST, ping_s=0, dtmf=dtmf)
        directory = Directory.of([*agents, queue, *members, trunk])
        core = build_core(
            Config.model_validate({"sip": {"realm": REALM}, "trace": trace or {}}),
            directory=directory,
            journal=Journal(self.clock),
            router=router or OneQueue(),
            ids=Numbers(),
            nonce_secret=b"n" * 32,
            sip_address=lambda flow: ENGINE,
            media_address=lambda flow: ENGINE.host,
            listener_flow=lambda transport, remote, name="": Flow(transport, ENGINE, remote),
            wall=self.clock.wall if traced else None,
            now=self.clock.now,
        )
        self.centre = CoreStation(core, self.clock, FakeMedia())
        self.caller = make_station("caller", TRUNK_HOST)
        self.wire = Wire(self.centre, self.caller, seed=seed, loss=loss)
        self.start_media()
        self.alice, self.bob = (self._phone(name, f"192.0.2.{number}") for number, name in ((3, "alice"), (4, "bob")))

    @property
    def core(self) -> Core:
        return self.centre.core

    @property
    def round_trip_s(self) -> float:
        return 2 * self.wire.delay

    def _phone(self, name: str, host: str) -> SipPhone:
        phone = SipPhone(name, PASSWORD, host, self.centre)
        phone.answer_with = None
        self.wire.join(phone)
        return phone

    def register(self, phone: SipPhone) -> None:
        """Register and wait until it is done."""
        phone.register(self.wire.now)
        self.wire.run(1.0)
        assert phone.answers[-1].status == 200

    def call(self) -> SessionId:
        """A caller dials the queue; returned when it waits in it, answered."""
        session = self.caller.endpoint.invite(
            target(self.caller, self.centre, "600"), from_user="5551000", sdp=SDP, now=self.wire.now
        )
        self.wire.run(0.5)
        return session

    def start_media(self) -> None:
        """A media process comes."""
        self.centre.plane.alive = True
        welcome = Welcome(version=1, pid=1, port_min=20002, port_max=29998, legs=0)
        self.core.media_event(welcome, self.wire.now)
        self.centre.plane.offer_spares(self.spares)

    def lose_media(self) -> None:
        """It dies; another comes a second later."""
        self.centre.plane.die()
        self.core.media_lost("killed", self.wire.now)
        self.wire.at(1.0, self.start_media)

    def assert_nothing_left(self) -> None:
        """After the last timer: no leg, timer, port or agent is left behind, every call has one end cause."""
        core, plane = self.core, self.centre.plane
        assert not any(core.calls.live()), core.calls.live()
        assert core.legs.live() == 0
        acd = core.acd.live()
        assert (acd.callers, acd.offers, acd.talks, acd.own_calls, acd.effects) == (0, 0, 0, 0, 0), acd
        sip = core.endpoint.live()
        assert (sip.transactions, sip.dialogs, sip.sessions) == (0, 0, 0), sip
        assert (plane.ports, plane.edges, plane.players) == ({}, set(), {})
        assert core.next_deadline() is None
        started = [record.call for record in self.centre.records if isinstance(record.body, CallStarted)]
        ended = [record.call for record in self.centre.records if isinstance(record.body, CallEnded)]
        assert sorted(started, key=str) == sorted(ended, key=str)
        assert len(set(ended)) == len(ended)
        made = [body.offer for body in self.centre.bodies(OfferMade) if isinstance(body, OfferMade)]
        over = [body.offer for body in self.centre.bodies(OfferEnded) if isinstance(body, OfferEnded)]
        assert sorted(made) == sorted(over)
        for station in (self.caller, self.alice, self.bob):
            live = station.endpoint.live()
            assert (live.sessions, live.dialogs, live.transactions) == (0, 0, 0), (station.address, live)


def _agent(name: str) -> Agent:
    return Agent(
        name=AgentName(name),
        ha1_md5=ha1(name, REALM, PASSWORD, "MD5"),
        ha1_sha256=ha1(name, REALM, PASSWORD, "SHA-256"),
    )


def ringing(phone: EndpointStation) -> SessionId:
    """The call that the phone was last rung for."""
    return [event.session for event in phone.told(InviteReceived) if isinstance(event, InviteReceived)][-1]
