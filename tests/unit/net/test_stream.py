from __future__ import annotations

import resource
import socket
from dataclasses import dataclass, field

from twisted.internet.task import Clock as TwistedClock

from engine.net.stream import STRANGER_S, StreamConnections, room_for_connections
from engine.sip.flow import Address, Flow, Transport


@dataclass
class Sink:
    """Notes what it is told; keeps whom the test says."""

    kept: set[int] = field(default_factory=set)
    opened: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    def keeps(self, flow: Flow) -> bool:
        return flow.connection in self.kept

    def connection_opened(self, flow: Flow) -> None:
        self.opened.append(flow.connection)

    def stream(self, data: bytes, flow: Flow) -> None: ...

    def connection_lost(self, flow: Flow) -> None:
        self.lost.append(flow.connection)

    def send_failed(self, flow: Flow) -> None: ...


@dataclass
class End:
    host: str
    port: int


class Wire:
    """A connection in memory: aborting it tells the protocol, as a transport does."""

    connected = True

    def __init__(self, protocol: object, peer: End) -> None:
        self.protocol, self.peer = protocol, peer
        self.aborted = False
        self.written: list[bytes] = []

    def getHost(self) -> End:
        return End("192.0.2.9", 5080)

    def getPeer(self) -> End:
        return self.peer

    def getHandle(self) -> socket.socket:
        return self  # type: ignore[return-value]

    def setsockopt(self, *_: int) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def abortConnection(self) -> None:
        self.aborted = True
        self.protocol.connectionLost()  # type: ignore[attr-defined]

    loseConnection = abortConnection


def connections(room: int = 100) -> tuple[StreamConnections, Sink, TwistedClock]:
    clock = TwistedClock()
    made = StreamConnections(clock, room=lambda: room)
    made.sink = sink = Sink()
    return made, sink, clock


def connect(made: StreamConnections, port: int = 5000) -> Wire | None:
    """Somebody connects; None when he is turned away."""
    protocol = made.buildProtocol(None)
    if protocol is None:
        return None
    wire = Wire(protocol, End("192.0.2.1", port))
    protocol.makeConnection(wire)
    return wire


def test_a_stranger_is_shown_out_and_who_is_known_stays() -> None:
    made, sink, clock = connections()
    stranger, friend = connect(made), connect(made)
    sink.kept.add(2)
    clock.advance(STRANGER_S - 0.1)
    assert sink.lost == []
    clock.advance(0.2)
    assert stranger is not None
    assert friend is not None
    assert (stranger.aborted, friend.aborted, sink.lost) == (True, False, [1])
    assert clock.getDelayedCalls() == []


def test_a_connection_that_closes_leaves_no_timer() -> None:
    made, _, clock = connections()
    wire = connect(made)
    assert wire is not None
    wire.loseConnection()
    assert clock.getDelayedCalls() == []


def test_without_room_the_oldest_stranger_gives_way_to_who_comes() -> None:
    made, sink, _ = connections(room=3)
    wires = [connect(made) for _ in range(3)]
    sink.kept.add(1)
    assert connect(made) is not None
    assert [wire.aborted for wire in wires if wire is not None] == [False, True, False]
    assert sink.lost == [2]


def test_without_room_and_without_strangers_nobody_comes_in() -> None:
    made, sink, _ = connections(room=2)
    connect(made)
    connect(made)
    sink.kept |= {1, 2}
    assert connect(made) is None
    assert sink.lost == []


def test_room_leaves_files_for_the_rest_of_the_engine() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, before[1]))
        assert room_for_connections() == 768
        resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
        assert room_for_connections() == 36
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_an_outgoing_connection_is_ours_and_stays() -> None:
    made, _, clock = connections()
    there = Address("192.0.2.1", 5060)
    protocol = made.buildProtocol(None)
    assert protocol is not None
    wire = Wire(protocol, End(*there))
    protocol.makeConnection(wire)
    made._connected(there, protocol)
    clock.advance(STRANGER_S + 1)
    assert not wire.aborted
    assert made.send(Flow(Transport.TCP, Address("192.0.2.9", 5080), there), b"x")
    assert wire.written == [b"x"]
