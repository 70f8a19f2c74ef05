"""All SIP listeners together: opens them, and sends each transmission on its flow."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from engine.net.addresses import ANY, LocalAddresses
from engine.net.bridge import as_future
from engine.net.listen import Listen, plain_host, same_family
from engine.net.reactor import Listener, Reactor
from engine.net.sockets import open_socket
from engine.net.stream import StreamConnections, StreamSink
from engine.net.tls import TlsContexts
from engine.net.udp import UdpListener
from engine.sip.flow import Address, Flow, Transport


class SipSink(StreamSink, Protocol):
    """Who is told about datagrams and streams (the driver)."""

    def datagram(self, data: bytes, flow: Flow) -> bool: ...


class Transports:
    """Every listener, and the connections that came by them or that we opened."""

    def __init__(
        self,
        reactor: Reactor,
        listeners: Sequence[Listen],
        addresses: LocalAddresses,
        *,
        tls: TlsContexts | None = None,
        opener: Callable[[Listen], socket.socket] = open_socket,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`tls` is needed where a listener speaks it; `note` tells the operator's log."""
        self._reactor = reactor
        self._listeners = tuple(listeners)
        self._addresses = addresses
        self._opener = opener
        self._udp = {each.local: UdpListener(each.local) for each in listeners if each.transport is Transport.UDP}
        self._streams = StreamConnections(reactor, addresses, tls=tls, note=note)
        self._ports: list[Listener] = []

    def listen(self, sink: SipSink) -> None:
        """Open all listeners and tell `sink` what comes. Raises ConfigError that names the port when another program
        has it."""
        self._streams.sink = sink
        for each in self._listeners:
            opened = self._opener(each)
            if each.transport is Transport.UDP:
                udp = self._udp[each.local]
                udp.receive = sink.datagram
                udp.open(self._reactor, opened)
                self._ports.append(udp)
                continue
            with opened:
                # The reactor takes a copy of the descriptor.
                factory = self._streams.factory(each)
                self._ports.append(self._reactor.adoptStreamPort(opened.fileno(), opened.family, factory))

    def flow_to(self, transport: Transport, remote: Address, name: str = "") -> Flow | None:
        """The flow from our listener to an address that no phone opened for us (a trunk); None where nothing listens
        by this transport in the address's family. `name` is what a TLS peer's certificate must be for (RFC 5922);
        empty: the address itself."""
        try:
            remote = Address(plain_host(remote.host), remote.port)
        except ValueError:
            return None
        listen = self._listener_for(transport, remote.host)
        if listen is None:
            return None
        if transport is Transport.UDP:
            return self._udp[listen.local].flow_to(remote)
        return Flow(transport, listen.local, remote, 0, name)

    def flow_by(self, transport: Transport, local: Address, remote: Address) -> Flow | None:
        """The flow from the listener at `local`, where it still listens there, else as `flow_to`: the way to a phone
        that an earlier process heard of there."""
        if transport is Transport.UDP and local in self._udp:
            return self._udp[local].flow_to(remote)
        return self.flow_to(transport, remote)

    def _listener_for(self, transport: Transport, host: str) -> Listen | None:
        fitting = [each for each in self._listeners if each.transport is transport and same_family(each.address, host)]
        if len(fitting) <= 1:
            return fitting[0] if fitting else None
        ours = self._addresses.toward(host)
        for wanted in ({ours}, ANY):
            for each in fitting:
                if each.address in wanted:
                    return each
        return fitting[0]

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write on the flow; False when that is known to have failed."""
        if flow.transport is Transport.UDP:
            listener = self._udp.get(flow.local)
            return listener is not None and listener.send(data, flow.remote)
        return self._streams.send(flow, data)

    def refused_handshakes(self) -> Mapping[str, int]:
        """TLS handshakes of peers that came to nothing, by `handshakes.Refusal`."""
        return self._streams.handshakes.refused

    def close(self, flow: Flow) -> None:
        """Close a stream flow."""
        self._streams.close(flow)

    async def stop(self) -> None:
        """Close every connection and listener; when this returns the ports are free."""
        self._streams.close_all()
        for port in self._ports:
            stopping = port.stopListening()
            if stopping is not None:
                await as_future(stopping)
        self._ports.clear()
