from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock, StringTransport

from engine.errors import ConfigError
from engine.net.transports import Transports
from engine.sip.flow import Address, Flow, Transport
from tests.support.fake_udp import UdpPort, UdpSocket

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
    """Listens in memory; the kinds in `taken` belong to another program."""

    def __init__(self, *taken: str) -> None:
        super().__init__()
        self._taken = taken
        self.udp = UdpSocket()
        self.ports: dict[str, Port] = {}
        self.asked: list[tuple[str, str, int, int]] = []
        self.factory: Any = None
        self.udp_protocol: Any = None
        self.tcp_protocol: Any = None
        """The one that came last."""

    def listenUDP(self, port: int, protocol: Any, interface: str = "", maxPacketSize: int = 8192) -> Port:
        made = self._listen("udp", interface, port, maxPacketSize)
        self.udp_protocol = protocol
        protocol.makeConnection(UdpPort(self.udp, interface, port))
        return made

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        self.factory = factory
        return self._listen("tcp", interface, port, backlog)

    def _listen(self, kind: str, interface: str, port: int, room: int) -> Port:
        if kind in self._taken:
            raise CannotListenError(interface, port, OSError(98, "Address already in use"))
        self.asked.append((kind, interface, port, room))
        self.ports[kind] = Port()
        return self.ports[kind]

    def connect(self) -> Stream:
        """Somebody comes by TCP."""
        stream = Stream()
        self.tcp_protocol = self.factory.buildProtocol(None)
        self.tcp_protocol.makeConnection(stream)
        return stream


@dataclass
class Sink:
    heard: list[tuple[bytes, Flow]] = field(default_factory=list)
    opened: list[Flow] = field(default_factory=list)

    def datagram(self, data: bytes, flow: Flow) -> None:
        self.heard.append((data, flow))

    def stream(self, data: bytes, flow: Flow) -> None:
        self.heard.append((data, flow))

    def connection_opened(self, flow: Flow) -> None:
        self.opened.append(flow)

    def connection_lost(self, flow: Flow) -> None: ...
    def send_failed(self, flow: Flow) -> None: ...
    def keeps(self, flow: Flow) -> bool:
        return True


def listening(*taken: str) -> tuple[Transports, ListeningReactor, Sink]:
    reactor = ListeningReactor(*taken)
    transports, sink = Transports(reactor), Sink()
    transports.listen(HERE.host, HERE.port, sink)
    return transports, reactor, sink


def test_both_listeners_stand_on_the_same_address_and_port() -> None:
    _, reactor, _ = listening()
    assert reactor.asked == [("udp", "192.0.2.9", 5080, 65535), ("tcp", "192.0.2.9", 5080, 1024)]


@pytest.mark.parametrize("taken", ["udp", "tcp"])
def test_a_port_in_use_is_told_with_what_to_do(taken: str) -> None:
    with pytest.raises(ConfigError) as caught:
        listening(taken)
    assert str(caught.value) == (
        f"sip.port: {taken.upper()} 192.0.2.9:5080 cannot be opened: [Errno 98] Address already in use. "
        "Another program has it, perhaps another Hearthline; stop that, or choose another sip.port"
    )


def test_each_message_goes_out_by_its_flows_transport() -> None:
    transports, reactor, sink = listening()
    udp = transports.flow_to(Transport.UDP, THERE)
    assert udp == Flow(Transport.UDP, HERE, THERE)
    assert transports.send(udp, b"datagram")
    assert reactor.udp.sent == [(b"datagram", THERE)]
    stream = reactor.connect()
    assert transports.send(sink.opened[0], b"stream")
    assert stream.value() == b"stream"


def test_a_trunk_over_tcp_is_connected_to_with_its_first_message() -> None:
    transports, reactor, _ = listening()
    flow = transports.flow_to(Transport.TCP, THERE)
    assert flow == Flow(Transport.TCP, HERE, THERE)
    assert reactor.tcpClients == []
    assert transports.send(flow, b"x")
    assert [client[:2] for client in reactor.tcpClients] == [(THERE.host, THERE.port)]


def test_what_could_not_be_sent_is_told() -> None:
    transports, reactor, _sink = listening()
    reactor.udp.error = OSError(101, "Network is unreachable")
    assert not transports.send(transports.flow_to(Transport.UDP, THERE), b"x")
    assert not transports.send(Flow(Transport.TCP, HERE, THERE, 9), b"x")


def test_close_closes_a_stream() -> None:
    transports, reactor, sink = listening()
    stream = reactor.connect()
    transports.close(sink.opened[0])
    assert stream.disconnecting


def test_what_comes_is_told_with_its_flow() -> None:
    _, reactor, sink = listening()
    reactor.udp_protocol.datagramReceived(b"d", tuple(THERE))
    reactor.connect()
    reactor.tcp_protocol.dataReceived(b"s")
    assert sink.heard == [(b"d", Flow(Transport.UDP, HERE, THERE)), (b"s", sink.opened[0])]


def test_stop_closes_the_connections_and_returns_when_the_ports_are_free() -> None:
    transports, reactor, _ = listening()
    stream = reactor.connect()

    async def scene() -> None:
        stopping = asyncio.create_task(transports.stop())
        for kind in ("udp", "tcp"):
            await asyncio.sleep(0)
            assert not stopping.done()
            closing = reactor.ports[kind].closing
            assert closing is not None
            closing.callback(None)
            await asyncio.sleep(0)
        await stopping

    asyncio.run(scene())
    assert stream.disconnecting
