"""One stream connection, TCP or TLS, from the moment it stands to its loss."""

from __future__ import annotations

import socket
from typing import Final, Protocol, cast

from cryptography import x509
from OpenSSL import SSL
from twisted.internet import interfaces, protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from engine.net.listen import Listen
from engine.net.reactor import End, StreamTransport, stream_transport
from engine.net.sockets import mark
from engine.net.tls_identity import NOBODY, Identities, identities
from engine.sip.flow import Address, Flow, Transport

_WRITE_BOUND: Final = 1 << 20
"""Bytes that may wait for a peer that does not read; beyond, the connection is closed."""


class ConnectionOwner(Protocol):
    """Who keeps the connections (`stream.StreamConnections`)."""

    def begun(self, connection: Connection) -> None:
        """The TCP connection stands; with TLS nothing can be said on it yet."""

    def ready(self, connection: Connection) -> bool:
        """Messages can go now. False where the peer is not who he should be."""

    def heard(self, connection: Connection, data: bytes) -> None: ...

    def closed(self, connection: Connection, why: BaseException | None) -> None: ...


@implementer(interfaces.IHandshakeListener)
class Connection(protocol.Protocol):
    """A connection that came by a listener, or that we open for `asked`."""

    def __init__(self, owner: ConnectionOwner, number: int, listen: Listen, asked: Flow | None = None) -> None:
        self._owner = owner
        self.number = number
        self.listen = listen
        self.asked = asked
        """The flow without a number that we opened it for; None where the peer opened it."""
        self.flow = Flow(listen.transport, listen.local, Address("", 0), number)
        """What the core calls it, once it stands."""
        self.identities: Identities = NOBODY
        """For whom the peer's certificate speaks, once it was checked."""
        self.fault = ""
        """What is wrong with the peer, where something is."""
        self.slow = False
        """Whether it was closed because it did not come to stand in time."""
        self.stands = False
        """Whether messages can go; with TLS, after the handshake."""
        self._stream: StreamTransport | None = None
        self._backlog: int | None = None
        self._waiting: list[bytes] = []

    # Twisted's IProtocol and IHandshakeListener.

    def connectionMade(self) -> None:
        transport = self._stream = stream_transport(self.transport)
        transport.setTcpNoDelay(True)
        handle = _socket_of(transport)
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self.asked is None:
            self.flow = Flow(
                self.listen.transport, _address(transport.getHost()), _address(transport.getPeer()), self.number
            )
        else:
            mark(handle, self.listen.dscp)
            self.flow = self.asked._replace(connection=self.number)
        self._owner.begun(self)
        if self.listen.transport is not Transport.TLS:
            self._stand()

    def handshakeCompleted(self) -> None:
        assert self._stream is not None
        connection = self._stream.getHandle()
        certificate = connection.get_peer_certificate(as_cryptography=True) if _is_tls(connection) else None
        if isinstance(certificate, x509.Certificate):
            self.identities = identities(certificate)
        self._stand()

    def dataReceived(self, data: bytes) -> None:
        self._owner.heard(self, data)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._owner.closed(self, None if reason is None else reason.value)
        self.stands = False

    def _stand(self) -> None:
        if self._stream is None or self._stream.disconnecting:
            return
        if not self._owner.ready(self):
            self.abort()
            return
        self.stands = True
        self._stream.registerProducer(self, True)
        waiting, self._waiting = self._waiting, []
        for data in waiting:
            self.send(data)

    # What the owner does with it.

    def send(self, data: bytes) -> bool:
        """Write, or keep it until the connection stands; False where it is closing or its peer does not read."""
        transport = self._stream
        if transport is not None and (transport.disconnecting or not transport.connected):
            return False
        if not self.stands or transport is None:
            self._waiting.append(data)
            return sum(map(len, self._waiting)) <= _WRITE_BOUND
        if self._backlog is not None:
            self._backlog += len(data)
            if self._backlog > _WRITE_BOUND:
                transport.abortConnection()
                return False
        transport.write(data)
        return True

    def unsent(self) -> int:
        """How many sends still wait for it to stand."""
        return len(self._waiting)

    def close(self) -> None:
        """Close after what is written, which a peer that does not read would put off for ever."""
        if self._backlog is not None or not self.stands:
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


def _is_tls(handle: object) -> bool:
    return isinstance(handle, SSL.Connection)


def _socket_of(transport: StreamTransport) -> socket.socket:
    """The TCP socket; TLS has it one layer below."""
    handle = transport.getHandle()
    return cast(socket.socket, transport.transport.getHandle() if _is_tls(handle) else handle)


def _address(end: End) -> Address:
    return Address(end.host, end.port)
