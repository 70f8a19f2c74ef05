from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport

from engine.net import addresses
from engine.net.addresses import LocalAddresses
from engine.net.listen import Listen
from engine.net.transports import Transports
from engine.sip.flow import Address, Flow, Transport
from tests.support.fake_udp import UdpSocket

HERE = Address("192.0.2.9", 5080)
THERE = Address("192.0.2.1", 5060)


class Port:
    """A listening socket that takes its time to close."""

    def __init__(self) -> None:
        self.closing: Deferred[None] | None = None

    def stopListening(self) -> Deferred[None]:
        self.closing = Deferred()
        return self.closing


class Stream(StringTransport):
    def getHandle(self) -> Any:
        return UdpSocket()

    def setTcpNoDelay(self, enabled: bool) -> None: ...


class ListeningReactor(MemoryReactorClock):
    """Listens in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[str, Port] = {}
        self.asked: list[tuple[int, int]] = []
        self.factory: Any = None
        self.udp: list[UdpSocket] = []
        self.readers: list[Any] = []
        self.tcp_protocol: Any = None
        """The one that came last."""

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)

    def adoptStreamPort(self, fileno: int, family: int, factory: Any) -> Any:
        self.asked.append((fileno, family))
        self.factory = factory
        return self._port("tcp")

    def _port(self, kind: str) -> Port:
        self.ports[kind] = Port()
        return self.ports[kind]

    def connect(self) -> Stream:
        """Somebody comes by TCP."""
        stream = Stream()
        self.tcp_protocol = self.factory.buildProtocol(IPv4Address("TCP", "192.168.1.1", 54321))
        self.tcp_protocol.makeConnection(stream)
        return stream


@dataclass
class Sink:
    heard: list[tuple[bytes, Flow]] = field(default_factory=list)
    opened: list[Flow] = field(default_factory=list)

    def datagram(self, data: bytes, flow: Flow) -> bool:
        self.heard.append((data, flow))
        return False

    def stream(self, data: bytes, flow: Flow) -> None:
        self.heard.append((data, flow))

    def connection_opened(self, flow: Flow) -> None:
        self.opened.append(flow)

    def connection_lost(self, flow: Flow) -> None: ...
    def send_failed(self, flow: Flow) -> None: ...
    def alias_of(self, flow: Flow) -> Flow | None:
        return None

    def keeps(self, flow: Flow) -> bool:
        return True


class Opened:
    """A socket of the kernel's."""

    def __init__(self, listen: Listen, number: int) -> None:
        self.family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
        self.number = number
        self.closed = False

    def fileno(self) -> int:
        return self.number

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed = True


UDP = Listen(transport=Transport.UDP, address=HERE.host, port=HERE.port)
TCP = Listen(transport=Transport.TCP, address=HERE.host, port=HERE.port)


def built(*listeners: Listen) -> tuple[Transports, ListeningReactor, Sink, list[Opened]]:
    reactor = ListeningReactor()
    opened: list[Opened] = []

    def opener(listen: Listen) -> Any:
        if listen.transport is Transport.UDP:
            reactor.udp.append(UdpSocket(host=listen.address))
            return reactor.udp[-1]
        opened.append(Opened(listen, 10 + len(opened)))
        return opened[-1]

    transports, sink = Transports(reactor, listeners, LocalAddresses(listeners), opener=opener), Sink()
    transports.listen(sink)
    return transports, reactor, sink, opened


def listening() -> tuple[Transports, ListeningReactor, Sink]:
    transports, reactor, sink, _ = built(UDP, TCP)
    return transports, reactor, sink


def test_the_reactor_takes_over_every_socket() -> None:
    six = Listen(transport=Transport.UDP, address="::", port=5080)
    _, reactor, _, opened = built(UDP, TCP, six)
    assert [reader.handle for reader in reactor.readers] == reactor.udp
    assert [each.host for each in reactor.udp] == [HERE.host, "::"]
    assert reactor.asked == [(10, socket.AF_INET)]
    assert all(each.closed for each in opened), "the reactor has a descriptor of its own"


def test_a_flow_goes_by_a_listener_of_its_transport_and_family() -> None:
    six = Listen(transport=Transport.UDP, address="::", port=5082)
    transports, _, _, _ = built(UDP, six)
    there = Address("2001:db8::1", 5060)
    assert transports.flow_to(Transport.UDP, THERE) == Flow(Transport.UDP, HERE, THERE)
    assert transports.flow_to(Transport.UDP, there) == Flow(Transport.UDP, Address("::", 5082), there)
    assert transports.flow_to(Transport.TCP, THERE) is None
    assert transports.flow_to(Transport.TLS, there) is None


def test_a_flow_to_a_mapped_address_is_one_of_ipv4_and_a_link_local_one_leads_nowhere() -> None:
    transports, _, _, _ = built(UDP, Listen(transport=Transport.UDP, address="::", port=5082))
    assert transports.flow_to(Transport.UDP, Address("::ffff:192.0.2.1", 5060)) == Flow(Transport.UDP, HERE, THERE)
    assert transports.flow_to(Transport.UDP, Address("fe80::1", 5060)) is None
    assert transports.flow_to(Transport.UDP, Address("example.org", 5060)) is None


@pytest.mark.parametrize(("routed", "chosen"), [("10.0.0.1", "10.0.0.1"), ("192.0.2.9", "0.0.0.0")])
def test_of_several_listeners_the_one_that_the_kernel_would_send_from_is_taken(
    monkeypatch: pytest.MonkeyPatch, routed: str, chosen: str
) -> None:
    inner = Listen(transport=Transport.UDP, address="10.0.0.1", port=5080)
    outer = Listen(transport=Transport.UDP, address="0.0.0.0", port=5090)
    other = Listen(transport=Transport.UDP, address="10.0.1.1", port=5080)
    monkeypatch.setattr(addresses, "_route_to", lambda _: routed)
    transports, _, _, _ = built(other, inner, outer)
    flow = transports.flow_to(Transport.UDP, THERE)
    assert flow is not None
    assert flow.local.host == chosen


def test_a_datagram_leaves_by_the_socket_of_its_flow_only() -> None:
    transports, reactor, _, _ = built(UDP)
    assert not transports.send(Flow(Transport.UDP, Address("192.0.2.10", 5080), THERE), b"x")
    assert reactor.udp[0].sent == []


def test_each_message_goes_out_by_its_flows_transport() -> None:
    transports, reactor, sink = listening()
    udp = transports.flow_to(Transport.UDP, THERE)
    assert udp is not None
    assert udp == Flow(Transport.UDP, HERE, THERE)
    assert transports.send(udp, b"datagram")
    assert reactor.udp[0].sent == [(b"datagram", THERE)]
    stream = reactor.connect()
    assert transports.send(sink.opened[0], b"stream")
    assert stream.value() == b"stream"


def test_a_trunk_over_tcp_is_connected_to_with_its_first_message() -> None:
    transports, reactor, _ = listening()
    flow = transports.flow_to(Transport.TCP, THERE)
    assert flow == Flow(Transport.TCP, HERE, THERE)
    assert flow is not None
    assert reactor.tcpClients == []
    assert transports.send(flow, b"x")
    assert [client[:2] for client in reactor.tcpClients] == [(THERE.host, THERE.port)]


def test_what_could_not_be_sent_is_told() -> None:
    transports, reactor, _sink = listening()
    reactor.udp[0].error = OSError(101, "Network is unreachable")
    assert not transports.send(Flow(Transport.UDP, HERE, THERE), b"x")
    assert not transports.send(Flow(Transport.TCP, HERE, THERE, 9), b"x")


def test_close_closes_a_stream() -> None:
    transports, reactor, sink = listening()
    stream = reactor.connect()
    transports.close(sink.opened[0])
    assert stream.disconnecting


def test_what_comes_is_told_with_its_flow() -> None:
    _, reactor, sink = listening()
    reactor.udp[0].inbox.append((b"d", tuple(THERE)))
    reactor.readers[0].doRead()
    reactor.connect()
    reactor.tcp_protocol.dataReceived(b"s")
    assert sink.heard == [(b"d", Flow(Transport.UDP, HERE, THERE)), (b"s", sink.opened[0])]


def test_stop_closes_the_connections_and_returns_when_the_ports_are_free() -> None:
    transports, reactor, _ = listening()
    stream = reactor.connect()

    async def scene() -> None:
        stopping = asyncio.create_task(transports.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        closing = reactor.ports["tcp"].closing
        assert closing is not None
        closing.callback(None)
        await stopping

    asyncio.run(scene())
    assert reactor.udp[0].closed
    assert reactor.readers == []
    assert stream.disconnecting


def test_a_phone_that_an_earlier_process_heard_is_reached_by_the_same_listener_or_another() -> None:
    transports, _, _ = listening()
    assert transports.flow_by(Transport.UDP, HERE, THERE) == Flow(Transport.UDP, HERE, THERE)
    gone = Address("198.51.100.9", 1)
    assert transports.flow_by(Transport.UDP, gone, THERE) == transports.flow_to(Transport.UDP, THERE)
