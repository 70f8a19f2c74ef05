"""A network in memory with virtual time: joins SIP endpoints, loses, repeats, delays and reorders what they send.

    wire = Wire(a, b, loss=0.3, seed=7)
    a.endpoint.invite(...)
    wire.run()                      # until nothing is under way and no timer is armed
    assert a.events[-1].event == ...

Every random choice comes from the seed, so a failing run repeats. Streams (TCP) neither lose nor reorder; they are
opened with `connect` and cut with `cut`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple, Protocol

from engine.sip.endpoint import Endpoint
from engine.sip.events import SipEvent
from engine.sip.flow import Address, Flow, Transmission, Transport

BOUND_STEPS = 200_000
"""Steps of one `run`; more means that two stations talk for ever."""


class Station(Protocol):
    """Whoever is joined: an `EndpointStation`, or anything that speaks SIP in bytes (the whole core, say)."""

    address: Address

    def receive(self, data: bytes, flow: Flow, now: float) -> None: ...
    def opened(self, flow: Flow, now: float) -> None: ...
    def lost(self, flow: Flow, now: float) -> None: ...
    def ring(self, now: float) -> None: ...
    def deadline(self) -> float | None: ...
    def drain(self, now: float) -> Iterable[Transmission]: ...
    def closes(self) -> Iterable[Flow]: ...


class Told(NamedTuple):
    """An event and when it came."""

    at: float
    event: SipEvent


@dataclass(slots=True)
class EndpointStation:
    """An Endpoint on the wire. Its events are kept, and handed to `on_event` if there is one."""

    endpoint: Endpoint
    address: Address
    events: list[Told] = field(default_factory=list)
    on_event: Callable[[SipEvent, float], None] | None = None

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        if flow.transport is Transport.UDP:
            self.endpoint.receive_datagram(data, flow, now)
        else:
            self.endpoint.receive_stream(data, flow, now)

    def opened(self, flow: Flow, now: float) -> None:
        self.endpoint.connection_opened(flow, now)

    def lost(self, flow: Flow, now: float) -> None:
        self.endpoint.connection_lost(flow, now)

    def ring(self, now: float) -> None:
        self.endpoint.handle_deadline(now)

    def deadline(self) -> float | None:
        return self.endpoint.next_deadline()

    def drain(self, now: float) -> Iterable[Transmission]:
        while (event := self.endpoint.next_event()) is not None:
            self.events.append(Told(now, event))
            if self.on_event is not None:
                self.on_event(event, now)
        assert not self.endpoint.defects, self.endpoint.defects
        return self.endpoint.datagrams_to_send()

    def closes(self) -> Iterable[Flow]:
        return self.endpoint.connections_to_close()

    def told(self, kind: type | tuple[type, ...] | None = None) -> list[SipEvent]:
        """The events so far, of some kind if it is given."""
        return [each.event for each in self.events if kind is None or isinstance(each.event, kind)]

    def flow_to(self, other: Station) -> Flow:
        """The UDP flow to another station."""
        return Flow(Transport.UDP, self.address, other.address)


class Sent(NamedTuple):
    """One transmission, as the wire saw it."""

    at: float
    source: Address
    flow: Flow
    data: bytes
    lost: bool

    @property
    def first_line(self) -> str:
        return self.data.split(b"\r\n", 1)[0].decode("latin-1")


Predicate = Callable[[Sent], bool]


class Wire:
    """Joins stations by their addresses."""

    def __init__(
        self,
        *stations: Station,
        loss: float = 0.0,
        reorder: float = 0.0,
        duplicate: float = 0.0,
        delay: float = 0.01,
        seed: int = 1,
    ) -> None:
        self.now = 1000.0
        self.log: list[Sent] = []
        self.loss, self.reorder, self.duplicate, self.delay = loss, reorder, duplicate, delay
        self._random = Random(seed)
        self._stations = {station.address: station for station in stations}
        self._flying: list[tuple[float, int, Address, Flow, bytes]] = []
        self._order = count()
        self._connections = count(1)
        self._other_end: dict[Flow, tuple[Address, Flow]] = {}
        self._asked: dict[tuple[Address, Address], Flow] = {}
        self.on_demand = False
        """Whether a connection is made where a station sends on a stream flow without a number."""
        self._losing: list[Predicate] = []
        self._actions: list[tuple[float, int, Callable[[], None]]] = []

    def join(self, station: Station) -> None:
        """Add one more station."""
        self._stations[station.address] = station

    # --- faults ---

    def lose(self, predicate: Predicate) -> None:
        """Lose every datagram that the predicate names."""
        self._losing.append(predicate)

    def lose_nth(self, *numbers: int, matching: Predicate = lambda _: True) -> None:
        """Lose the n-th datagrams (0 is the next) of those that match, counted from now."""
        counter = count()

        def chosen(sent: Sent) -> bool:
            return matching(sent) and next(counter) in numbers

        self._losing.append(chosen)

    # --- streams ---

    def connect(self, client: Station, server: Station) -> tuple[Flow, Flow]:
        """Open a TCP connection; the client's and the server's flow."""
        port = 30000 + next(self._connections)
        near = Address(client.address.host, port)
        of_client = Flow(Transport.TCP, near, server.address, next(self._connections))
        of_server = Flow(Transport.TCP, server.address, near, next(self._connections))
        self._other_end[of_client] = server.address, of_server
        self._other_end[of_server] = client.address, of_client
        client.opened(of_client, self.now)
        server.opened(of_server, self.now)
        return of_client, of_server

    def _made_for(self, source: Address, flow: Flow) -> Flow:
        """The connection that a station asks for by a flow without a number."""
        made = self._asked.get((source, flow.remote))
        if made is None:
            made, _ = self.connect(self._stations[source], self._stations[flow.remote])
            self._asked[source, flow.remote] = made
        return made

    def made(self, client: Station, server: Station) -> Flow:
        """The client's end of the connection that was made on demand."""
        return self._asked[client.address, server.address]

    def cut(self, flow: Flow) -> None:
        """Lose a connection; both ends hear of it now."""
        self._asked = {pair: made for pair, made in self._asked.items() if made != flow}
        address, other = self._other_end.pop(flow)
        mine, _ = self._other_end.pop(other)
        self._stations[mine].lost(flow, self.now)
        self._stations[address].lost(other, self.now)

    # --- time ---

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something `when` seconds from now."""
        heappush(self._actions, (self.now + when, next(self._order), action))

    def run(self, seconds: float | None = None, until: Callable[[], bool] | None = None) -> None:
        """Let time pass: for so many seconds, or until the condition holds, or until nothing more will happen."""
        end = None if seconds is None else self.now + seconds
        for _ in range(BOUND_STEPS):
            self._collect()
            if until is not None and until():
                return
            when = self._next()
            if when is None or (end is not None and when > end):
                if end is not None:
                    self.now = end
                return
            self.now = max(self.now, when)
            self._advance()
        raise AssertionError("the stations never fall silent")

    def _next(self) -> float | None:
        times = [deadline for each in self._stations.values() if (deadline := each.deadline()) is not None]
        if self._flying:
            times.append(self._flying[0][0])
        if self._actions:
            times.append(self._actions[0][0])
        return min(times, default=None)

    def _advance(self) -> None:
        if self._actions and self._actions[0][0] <= self.now:
            heappop(self._actions)[2]()
        elif self._flying and self._flying[0][0] <= self.now:
            _, _, address, flow, data = heappop(self._flying)
            if address in self._stations:
                self._stations[address].receive(data, flow, self.now)
        else:
            for station in self._stations.values():
                deadline = station.deadline()
                if deadline is not None and deadline <= self.now:
                    station.ring(self.now)

    def _collect(self) -> None:
        for address, station in list(self._stations.items()):
            for flow, data in station.drain(self.now):
                self._send(address, flow, data)
            for flow in station.closes():
                self.cut(flow)

    def _send(self, source: Address, flow: Flow, data: bytes) -> None:
        if flow.transport is not Transport.UDP:
            if flow.connection == 0 and self.on_demand and flow.remote in self._stations:
                flow = self._made_for(source, flow)
            if flow in self._other_end:
                self.log.append(Sent(self.now, source, flow, data, lost=False))
                address, other = self._other_end[flow]
                heappush(self._flying, (self.now + self.delay, next(self._order), address, other, data))
            return
        sent = Sent(self.now, source, flow, data, lost=False)
        chosen = [predicate(sent) for predicate in self._losing]
        lost = any(chosen) or self._random.random() < self.loss
        self.log.append(sent._replace(lost=lost))
        if lost:
            return
        copies = 2 if self._random.random() < self.duplicate else 1
        for _ in range(copies):
            late = self._random.random() * 5 * self.delay if self._random.random() < self.reorder else 0.0
            arrival = Flow(Transport.UDP, flow.remote, source)
            heappush(self._flying, (self.now + self.delay + late, next(self._order), flow.remote, arrival, data))
