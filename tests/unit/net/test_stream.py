from __future__ import annotations

import resource
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from engine.net.addresses import LocalAddresses
from engine.net.listen import Listen
from engine.net.stream import STRANGER_S, StreamConnections, room_for_connections
from engine.sip.flow import Address, Flow, Transport


@dataclass
class Sink:
    """Notes what it is told; keeps whom the test says."""

    kept: set[int] = field(default_factory=set)
    opened: list[int] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)
    heard: list[tuple[Flow, bytes]] = field(default_factory=list)
    failed: list[Flow] = field(default_factory=list)
    offered: Flow | None = None
    trunks: set[str] = field(default_factory=set)

    def keeps(self, flow: Flow) -> bool:
        return flow.connection in self.kept or flow.remote.host in self.trunks

    def alias_of(self, flow: Flow) -> Flow | None:
        return self.offered

    def connection_opened(self, flow: Flow) -> None:
        self.opened.append(flow.connection)

    def stream(self, data: bytes, flow: Flow) -> None:
        self.heard.append((flow, data))

    def connection_lost(self, flow: Flow) -> None:
        self.lost.append(flow.connection)

    def send_failed(self, flow: Flow) -> None:
        self.failed.append(flow)


@dataclass
class End:
    host: str
    port: int


class Wire:
    """A connection in memory: closing it tells the protocol, as a transport does once everything is written."""

    def __init__(self, protocol: Any, peer: End) -> None:
        self.protocol, self.peer = protocol, peer
        self.connected = True
        self.disconnecting = False
        self.aborted = False
        self.producing = False
        self.no_delay = False
        self.options: list[tuple[int, ...]] = []
        self.family = socket.AF_INET
        self.written: list[bytes] = []

    def getHost(self) -> End:
        return End("192.0.2.9", 5080)

    def getPeer(self) -> End:
        return self.peer

    def getHandle(self) -> Wire:
        return self

    def setsockopt(self, *option: int) -> None:
        self.options.append(option)

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def registerProducer(self, producer: object, streaming: bool) -> None:
        assert streaming
        assert producer is self.protocol
        self.producing = True

    def unregisterProducer(self) -> None:
        self.producing = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def loseConnection(self) -> None:
        """Twisted waits for a producer that is still registered."""
        assert not self.producing
        self.disconnecting = True

    def abortConnection(self) -> None:
        self.aborted = True
        self.closed()

    def closed(self) -> None:
        """The connection is gone."""
        self.connected = False
        self.protocol.connectionLost(Failure(ConnectionDone()))


US = Address("192.0.2.9", 5080)
LISTEN = Listen(transport=Transport.TCP, address="0.0.0.0", port=5080)
LISTEN6 = Listen(transport=Transport.TCP, address="::", port=5080)
THERE = Address("192.0.2.1", 5060)


def connections(room: int = 100) -> tuple[StreamConnections, Sink, MemoryReactorClock]:
    reactor = MemoryReactorClock()
    made = StreamConnections(reactor, LocalAddresses([LISTEN, LISTEN6]), room=lambda: room)
    made.sink = sink = Sink()
    return made, sink, reactor


def connect(made: StreamConnections, port: int = 5000, host: str = "192.0.2.1") -> Wire | None:
    """Somebody connects; None when he is turned away."""
    protocol = made.factory(LISTEN).buildProtocol(End(host, port))  # type: ignore[arg-type]
    if protocol is None:
        return None
    wire = Wire(protocol, End(host, port))
    protocol.makeConnection(wire)
    return wire


def came_in(made: StreamConnections, port: int = 5000) -> Wire:
    wire = connect(made, port)
    assert wire is not None
    return wire


def flow(number: int, port: int = 5000) -> Flow:
    return Flow(Transport.TCP, US, Address("192.0.2.1", port), number)


def outgoing(remote: Address = THERE, local: Address = US) -> Flow:
    """What the core gives to reach a trunk: no connection yet."""
    return Flow(Transport.TCP, local, remote)


def accepted(reactor: MemoryReactorClock, peer: Address = THERE) -> Wire:
    """The other side takes the connection that we asked for last."""
    wrapped = reactor.tcpClients[-1][2].buildProtocol(None)
    wire = Wire(wrapped._wrappedProtocol, End(*peer))
    wrapped.makeConnection(wire)
    return wire


def test_a_stranger_is_shown_out_and_who_is_known_stays() -> None:
    made, sink, clock = connections()
    stranger, friend = came_in(made), came_in(made)
    sink.kept.add(2)
    clock.advance(STRANGER_S - 0.1)
    assert sink.lost == []
    clock.advance(0.2)
    assert (stranger.aborted, friend.aborted, sink.lost) == (True, False, [1])
    assert clock.getDelayedCalls() == []


def test_a_connection_that_closes_leaves_no_timer() -> None:
    made, _, clock = connections()
    came_in(made).closed()
    assert clock.getDelayedCalls() == []


def test_without_room_the_oldest_stranger_gives_way_to_who_comes() -> None:
    made, sink, _ = connections(room=3)
    wires = [came_in(made) for _ in range(3)]
    sink.kept.add(1)
    assert connect(made) is not None
    assert [wire.aborted for wire in wires] == [False, True, False]
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


def test_a_connection_has_a_number_of_its_own_and_its_flow_both_ends() -> None:
    made, sink, _ = connections()
    first, second = came_in(made, 5001), came_in(made, 5002)
    first.protocol.dataReceived(b"a")
    second.protocol.dataReceived(b"b")
    first.protocol.dataReceived(b"c")
    assert sink.opened == [1, 2]
    assert sink.heard == [(flow(1, 5001), b"a"), (flow(2, 5002), b"b"), (flow(1, 5001), b"c")]
    first.closed()
    came_in(made)
    assert (sink.lost, sink.opened) == ([1], [1, 2, 3])


def test_small_messages_are_not_held_back_and_dead_peers_are_noticed() -> None:
    made, _, _ = connections()
    wire = came_in(made)
    assert wire.no_delay
    assert wire.options == [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]


def test_bytes_go_out_on_the_flows_connection_and_on_no_other() -> None:
    made, _, _ = connections()
    first, second = came_in(made), came_in(made)
    assert made.send(flow(2), b"x")
    assert (first.written, second.written) == ([], [b"x"])
    second.closed()
    assert not made.send(flow(2), b"y")
    assert not made.send(flow(7), b"z")
    assert second.written == [b"x"]


def test_close_lets_what_is_written_go_out_and_takes_no_more() -> None:
    made, _, _ = connections()
    wire = came_in(made)
    made.send(flow(1), b"x")
    made.close(flow(1))
    assert (wire.disconnecting, wire.aborted) == (True, False)
    assert not made.send(flow(1), b"y")
    made.close(flow(9))


def test_a_peer_that_does_not_read_is_closed_without_waiting_for_it() -> None:
    made, sink, _ = connections()
    wire = came_in(made)
    wire.protocol.pauseProducing()
    made.close(flow(1))
    assert wire.aborted
    assert sink.lost == [1]


def test_what_waits_for_a_peer_that_does_not_read_is_bounded() -> None:
    made, sink, _ = connections()
    wire = came_in(made)
    half = bytes(1 << 19)
    assert made.send(flow(1), half)
    wire.protocol.pauseProducing()
    assert made.send(flow(1), half)
    assert made.send(flow(1), half)
    assert not wire.aborted
    assert not made.send(flow(1), b"x")
    assert wire.aborted
    assert sink.lost == [1]


@pytest.mark.parametrize("again", ["resumeProducing", "stopProducing"])
def test_a_peer_that_reads_again_may_have_as_much_again(again: str) -> None:
    made, _, _ = connections()
    wire = came_in(made)
    for _ in range(3):
        wire.protocol.pauseProducing()
        assert made.send(flow(1), bytes(1 << 20))
        getattr(wire.protocol, again)()
    assert not wire.aborted


def test_close_all_closes_every_connection() -> None:
    made, _, _ = connections()
    wires = [came_in(made) for _ in range(3)]
    made.close_all()
    assert all(wire.disconnecting for wire in wires)


def test_a_trunk_is_connected_to_once_and_what_waits_goes_out_in_order() -> None:
    made, sink, reactor = connections()
    assert made.send(outgoing(), b"1")
    assert made.send(outgoing(), b"2")
    assert [client[:2] for client in reactor.tcpClients] == [("192.0.2.1", 5060)]
    wire = accepted(reactor)
    assert wire.written == [b"1", b"2"]
    assert made.send(outgoing(), b"3")
    assert made.send(flow(1), b"4")
    assert wire.written == [b"1", b"2", b"3", b"4"]
    assert (len(reactor.tcpClients), sink.opened) == (1, [1])
    wire.protocol.dataReceived(b"answer")
    assert sink.heard == [(outgoing()._replace(connection=1), b"answer")]


def test_an_outgoing_connection_is_ours_and_stays() -> None:
    made, sink, reactor = connections()
    made.send(outgoing(), b"x")
    wire = accepted(reactor)
    reactor.advance(STRANGER_S + 1)
    assert not wire.aborted
    assert sink.lost == []


@pytest.mark.parametrize(
    ("asked_for", "peer"),
    [(THERE, THERE), (Address("2001:DB8::0:1", 5060), Address("2001:db8::1", 5060))],
    ids=["as written", "written otherwise"],
)
def test_a_trunk_that_closed_is_connected_to_again(asked_for: Address, peer: Address) -> None:
    made, sink, reactor = connections()
    there = outgoing(asked_for, Address("::", 5080) if ":" in asked_for.host else US)
    made.send(there, b"1")
    accepted(reactor, peer).closed()
    assert sink.lost == [1]
    assert made.send(there, b"2")
    assert len(reactor.tcpClients) == 2
    assert accepted(reactor, peer).written == [b"2"]


def test_a_refused_connection_fails_all_that_waited_for_it_and_is_tried_anew() -> None:
    made, sink, reactor = connections()
    made.send(outgoing(), b"1")
    made.send(outgoing(), b"2")
    reactor.tcpClients[-1][2].clientConnectionFailed(None, Failure(ConnectionRefusedError()))
    assert sink.failed == [outgoing(), outgoing()]
    assert made.send(outgoing(), b"3")
    assert len(reactor.tcpClients) == 2


def test_connecting_takes_five_seconds_at_most_and_comes_from_where_we_listen() -> None:
    made, _, reactor = connections()
    made.send(outgoing(), b"x")
    made.send(outgoing(Address("192.0.2.7", 5060), Address("0.0.0.0", 5080)), b"x")
    assert [client[3:] for client in reactor.tcpClients] == [(5.0, ("192.0.2.9", 0)), (5.0, None)]


def test_without_room_no_connection_is_opened_either() -> None:
    made, sink, reactor = connections(room=1)
    came_in(made)
    sink.kept.add(1)
    assert not made.send(outgoing(), b"x")
    assert reactor.tcpClients == []


def test_over_tcp_only_a_trunks_own_connection_is_used_for_requests_to_it() -> None:
    made, sink, reactor = connections()
    wire = came_in(made)
    sink.offered = flow(1)
    made.send(outgoing(), b"x")
    assert wire.written == []
    sink.trunks.add("192.0.2.1")
    made.send(outgoing(Address("192.0.2.1", 5070)), b"y")
    assert wire.written == [b"y"]
    assert len(reactor.tcpClients) == 1


def test_what_waits_for_a_connection_to_stand_is_bounded() -> None:
    made, _, _ = connections()
    assert made.send(outgoing(), bytes(1 << 20))
    assert not made.send(outgoing(), b"x")


def test_what_we_open_carries_the_listeners_dscp() -> None:
    marked = Listen(transport=Transport.TCP, address="192.0.2.9", port=5080, dscp=24)
    reactor = MemoryReactorClock()
    made = StreamConnections(reactor, LocalAddresses([marked]), room=lambda: 10)
    made.sink = Sink()
    made.send(outgoing(), b"x")
    assert (socket.IPPROTO_IP, socket.IP_TOS, 24 << 2) in accepted(reactor).options
