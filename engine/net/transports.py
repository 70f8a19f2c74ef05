"""All SIP listeners together: opens them, and sends each transmission on its flow."""

from __future__ import annotations

from typing import Protocol

from twisted.internet.error import CannotListenError

from engine.errors import ConfigError
from engine.net.bridge import as_future
from engine.net.reactor import Listener, Reactor
from engine.net.stream import StreamConnections, StreamSink
from engine.net.udp import UdpListener
from engine.sip.flow import Address, Flow, Transport


class SipSink(StreamSink, Protocol):
    """Who is told about datagrams and streams (the driver)."""

    def datagram(self, data: bytes, flow: Flow) -> None: ...


class Transports:
    """One UDP listener and one TCP listener on the same address and port."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._udp = UdpListener()
        self._tcp = StreamConnections(reactor)
        self._ports: list[Listener] = []

    def listen(self, host: str, port: int, sink: SipSink) -> None:
        """Open both listeners and tell `sink` what comes. Raises ConfigError that names the port when another program
        has it."""
        self._udp.receive = sink.datagram
        self._tcp.sink = sink
        try:
            self._ports.append(self._reactor.listenUDP(port, self._udp, interface=host, maxPacketSize=65535))
            self._ports.append(self._reactor.listenTCP(port, self._tcp, backlog=1024, interface=host))
        except CannotListenError as error:
            raise ConfigError(
                f"sip.port: {'UDP' if not self._ports else 'TCP'} {host}:{port} cannot be opened: {error.socketError}. "
                "Another program has it, perhaps another Hearthline; stop that, or choose another sip.port"
            ) from error

    def flow_to(self, transport: Transport, remote: Address) -> Flow:
        """The flow from our listener to an address that no phone opened for us (a trunk)."""
        if transport is Transport.UDP:
            return self._udp.flow_to(remote)
        return Flow(transport, self._udp.local, remote)

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write on the flow; False when that is known to have failed."""
        if flow.transport is Transport.UDP:
            return self._udp.send(data, flow.remote)
        return self._tcp.send(flow, data)

    def close(self, flow: Flow) -> None:
        """Close a stream flow."""
        self._tcp.close(flow)

    async def stop(self) -> None:
        """Close every connection and listener; when this returns the ports are free."""
        self._tcp.close_all()
        for port in self._ports:
            stopping = port.stopListening()
            if stopping is not None:
                await as_future(stopping)
        self._ports.clear()
