"""SIP over TCP: connections that phones and trunks open to us, and those that we open to a trunk.

Anybody can open a connection and say nothing, or half a message, for ever. Who has not shown within `STRANGER_S` that
he is somebody is closed, and as soon as there is no room for another, the oldest of those gives way.
"""

from __future__ import annotations

import resource
import socket
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from typing import Any, Final, Protocol, cast

from twisted.internet import interfaces, protocol
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.python.failure import Failure

from engine.net.reactor import End, Reactor, StreamTransport, Timer, stream_transport
from engine.sip.flow import Address, Flow, Transport

_CONNECT_TIMEOUT_S: Final = 5.0
_WRITE_BOUND: Final = 1 << 20
"""Bytes that may wait for a peer that does not read; beyond, the connection is closed."""
_CONNECTIONS_BOUND: Final = 20_000
STRANGER_S: Final = 32.0
"""64 * T1: in that time every SIP transaction is over."""
_OTHERS_SHARE: Final = 4
_OTHERS_LEAST: Final = 64
"""Of the files that the process may have open, a quarter and at least so many are for other than SIP's connections."""


def room_for_connections() -> int:
    """How many connections may be open, by the limit on open files of this process as it is now."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return _CONNECTIONS_BOUND
    return max(1, min(_CONNECTIONS_BOUND, files - max(_OTHERS_LEAST, files // _OTHERS_SHARE)))


class StreamSink(Protocol):
    """Who is told about connections (the driver)."""

    def keeps(self, flow: Flow) -> bool:
        """Whether somebody known speaks on the connection: a trunk, or a phone that has proved whose it is."""
        ...

    def connection_opened(self, flow: Flow) -> None: ...

    def stream(self, data: bytes, flow: Flow) -> None: ...

    def connection_lost(self, flow: Flow) -> None: ...

    def send_failed(self, flow: Flow) -> None: ...


class StreamConnections(protocol.Factory):
    """Every open connection by its number; a listening factory and a connector in one."""

    noisy = False

    def __init__(self, reactor: Reactor, *, room: Callable[[], int] = room_for_connections) -> None:
        self.sink: StreamSink
        """Set before the first connection."""
        self._reactor = reactor
        self._room = room
        self._numbers = count(1)
        self._open: dict[int, _Connection] = {}
        self._strangers: dict[int, Timer] = {}
        """Connections that we have not seen to be anybody's, the oldest first, each with the end of our patience."""
        self._outgoing: dict[Address, _Connection] = {}
        self._waiting: dict[Address, list[tuple[Flow, bytes]]] = {}

    def buildProtocol(self, addr: interfaces.IAddress | None) -> _Connection | None:
        if len(self._open) >= self._room() and not self._evict():
            return None
        return _Connection(self.sink, next(self._numbers), opened=self._on_open, closed=self._on_close)

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write on the flow's connection. A flow without a connection number asks for one of ours to its remote: it
        is opened, and the bytes wait for it. False when the connection is gone."""
        if flow.connection == 0:
            return self._send_outgoing(flow, data)
        connection = self._open.get(flow.connection)
        return connection is not None and connection.send(data)

    def close(self, flow: Flow) -> None:
        """Close the flow's connection, after what is written."""
        if (connection := self._open.get(flow.connection)) is not None:
            connection.close()

    def close_all(self) -> None:
        """Close every connection."""
        for connection in list(self._open.values()):
            connection.close()

    def _send_outgoing(self, flow: Flow, data: bytes) -> bool:
        if (connection := self._outgoing.get(flow.remote)) is not None:
            return connection.send(data)
        waiting = self._waiting.get(flow.remote)
        if waiting is not None:
            waiting.append((flow, data))
            return True
        self._waiting[flow.remote] = [(flow, data)]
        connecting = cast("Deferred[_Connection]", self._endpoint(flow).connect(cast(Any, self)))
        connecting.addCallbacks(
            lambda made: self._connected(flow.remote, made), lambda failure: self._not_connected(flow.remote, failure)
        )
        return True

    def _endpoint(self, flow: Flow) -> TCP4ClientEndpoint | TCP6ClientEndpoint:
        """Names have been resolved above. A trunk may know us by the address we listen on, so that is where we come
        from."""
        remote, local = ip_address(flow.remote.host), ip_address(flow.local.host)
        return (TCP4ClientEndpoint if remote.version == 4 else TCP6ClientEndpoint)(
            self._reactor,
            str(remote),
            flow.remote.port,
            timeout=_CONNECT_TIMEOUT_S,
            bindAddress=None if local.is_unspecified else (str(local), 0),
        )

    def _connected(self, remote: Address, connection: _Connection) -> None:
        connection.asked_for = remote
        self._outgoing[remote] = connection
        for _flow, data in self._waiting.pop(remote, []):
            connection.send(data)

    def _not_connected(self, remote: Address, _failure: Failure) -> None:
        for flow, _data in self._waiting.pop(remote, []):
            self.sink.send_failed(flow)

    def _on_open(self, connection: _Connection) -> None:
        self._open[connection.number] = connection
        self._strangers[connection.number] = self._reactor.callLater(STRANGER_S, self._look_at, connection.number)

    def _look_at(self, number: int) -> None:
        """A stranger's time is over; who is known by now stays for good."""
        del self._strangers[number]
        connection = self._open[number]
        if not self._keeps(connection):
            connection.abort()

    def _evict(self) -> bool:
        """Close the oldest stranger's connection; False where all are known."""
        while self._strangers:
            number = next(iter(self._strangers))
            self._strangers.pop(number).cancel()
            connection = self._open[number]
            if not self._keeps(connection):
                connection.abort()
                return True
        return False

    def _keeps(self, connection: _Connection) -> bool:
        return connection.asked_for is not None or self.sink.keeps(connection.flow)

    def _on_close(self, connection: _Connection) -> None:
        self._open.pop(connection.number, None)
        if (timer := self._strangers.pop(connection.number, None)) is not None:
            timer.cancel()
        if connection.asked_for is not None:
            del self._outgoing[connection.asked_for]


class _Connection(protocol.Protocol):
    def __init__(
        self,
        sink: StreamSink,
        number: int,
        *,
        opened: Callable[[_Connection], None],
        closed: Callable[[_Connection], None],
    ) -> None:
        self._sink = sink
        self.number = number
        self._opened = opened
        self._closed = closed
        self._stream: StreamTransport | None = None
        self._backlog: int | None = None
        self.flow = Flow(Transport.TCP, Address("", 0), Address("", 0), number)
        self.asked_for: Address | None = None
        """Where we wanted to go, when it was us who opened the connection."""

    def connectionMade(self) -> None:
        transport = self._stream = stream_transport(self.transport)
        transport.setTcpNoDelay(True)
        transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.flow = Flow(Transport.TCP, _address(transport.getHost()), _address(transport.getPeer()), self.number)
        transport.registerProducer(self, True)
        self._opened(self)
        self._sink.connection_opened(self.flow)

    def dataReceived(self, data: bytes) -> None:
        self._sink.stream(data, self.flow)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._closed(self)
        self._sink.connection_lost(self.flow)

    def send(self, data: bytes) -> bool:
        transport = self._stream
        if transport is None or transport.disconnecting or not transport.connected:
            return False
        if self._backlog is not None:
            self._backlog += len(data)
            if self._backlog > _WRITE_BOUND:
                transport.abortConnection()
                return False
        transport.write(data)
        return True

    def close(self) -> None:
        """Close after what is written, which a peer that does not read would put off for ever."""
        if self._backlog is not None:
            self.abort()
        elif self._stream is not None:
            self._stream.unregisterProducer()
            self._stream.loseConnection()

    def abort(self) -> None:
        """Close at once; what is written and not read is lost."""
        if self._stream is not None:
            self._stream.abortConnection()

    # Twisted's IPushProducer: it tells us when the peer does not read as fast as we write.

    def pauseProducing(self) -> None:
        self._backlog = 0

    def resumeProducing(self) -> None:
        self._backlog = None

    def stopProducing(self) -> None:
        self._backlog = None


def _address(end: End) -> Address:
    return Address(end.host, end.port)
