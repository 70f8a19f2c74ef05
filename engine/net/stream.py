"""SIP over TCP and TLS: connections that phones and trunks open to us, and those that we open.

Anybody can open a connection and say nothing, or half a message, for ever. Who has not shown within `STRANGER_S` that
he is somebody is closed, and as soon as there is no room for another, the oldest of those gives way. No one source may
hold so many that others find none, nor make us compute one TLS handshake after another (`handshakes`).

A request of ours goes by a connection that stands, if one leads there: one that we opened to the same address, by the
same transport and for the same name, or one of the peer's own that he offered for it (RFC 5923).
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from ipaddress import ip_address
from itertools import count
from typing import Any, Final, Protocol, cast

from twisted.internet import interfaces, protocol
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.python.failure import Failure

from engine.net.addresses import LocalAddresses
from engine.net.connection import Connection
from engine.net.handshakes import Handshakes, Refusal, refusal_of, source_of
from engine.net.listen import Listen, printed
from engine.net.reactor import Reactor, Timer
from engine.net.tls import TlsContexts, accepting_tls, connecting_tls, reason_of
from engine.sip.flow import Address, Flow, Transport

_CONNECT_TIMEOUT_S: Final = 5.0
HANDSHAKE_S: Final = 10.0
"""From the TCP connection to the end of the TLS handshake: two round trips, and a slow phone's arithmetic."""
_CONNECTIONS_BOUND: Final = 20_000
STRANGER_S: Final = 32.0
"""64 * T1: in that time every SIP transaction is over."""
STRANGERS_PER_SOURCE: Final = 256
"""An office's phones behind one address all come back within a second or two, and each is a stranger until it has
registered."""
CONNECTIONS_PER_SOURCE: Final = 2048
_TOLD_BOUND: Final = 256
_OTHERS_SHARE: Final = 4
_OTHERS_LEAST: Final = 64
"""Of the files that the process may have open, a quarter and at least so many are for other than SIP's connections."""

_Way = tuple[Transport, Address, str]
"""What a connection of ours is shared by: transport, remote, and the name that its peer proved (RFC 5923 3)."""


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

    def alias_of(self, flow: Flow) -> Flow | None:
        """A connection whose peer offered it for requests to where the flow, which has none yet, leads."""
        ...

    def connection_opened(self, flow: Flow) -> None: ...

    def stream(self, data: bytes, flow: Flow) -> None: ...

    def connection_lost(self, flow: Flow) -> None: ...

    def send_failed(self, flow: Flow) -> None: ...


class StreamConnections:
    """Every open connection by its number."""

    def __init__(
        self,
        reactor: Reactor,
        addresses: LocalAddresses,
        *,
        tls: TlsContexts | None = None,
        room: Callable[[], int] = room_for_connections,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`tls` is needed where TLS is spoken; `note` tells the operator's log."""
        self.sink: StreamSink
        """Set before the first connection."""
        self._reactor = reactor
        self._addresses = addresses
        self._tls = tls
        self._room = room
        self._note = note
        self._numbers = count(1)
        self._open: dict[int, Connection] = {}
        self._strangers: dict[int, Timer] = {}
        """Connections that we have not seen to be anybody's, the oldest first, each with the end of our patience."""
        self._sources: dict[str, dict[int, None]] = {}
        """Numbers of the connections that came from each source, the oldest first."""
        self._ways: dict[_Way, Connection] = {}
        self._told: dict[_Way, str] = {}
        """Why TLS failed last, so that each trouble is told once."""
        self.handshakes = Handshakes()

    # --- who comes ---

    def factory(self, listen: Listen) -> protocol.Factory:
        """What makes the connections that come by a listener."""
        accepting = _Accepting(self, listen)
        if listen.transport is not Transport.TLS:
            return accepting
        assert self._tls is not None, "a TLS listener needs certificates"
        return accepting_tls(self._tls, accepting, self._reactor)

    def admit(self, listen: Listen, peer: Address) -> Connection | None:
        """A connection for somebody who comes; None where he is turned away."""
        if "%" in peer.host or not self._admits(listen, peer):
            return None
        if len(self._open) >= self._room() and not self._evict(self._strangers):
            return None
        return Connection(self, next(self._numbers), listen)

    def _admits(self, listen: Listen, peer: Address) -> bool:
        """Whether his source has no more than its share. A trunk's connections are nobody else's business."""
        flow = Flow(listen.transport, listen.local, peer)
        if self.sink.keeps(flow):
            return True
        source = source_of(peer.host)
        held = self._sources.get(source, {})
        if len(held) >= CONNECTIONS_PER_SOURCE:
            return False
        strangers = (
            [number for number in held if number in self._strangers] if len(held) >= STRANGERS_PER_SOURCE else []
        )
        if len(strangers) >= STRANGERS_PER_SOURCE and not self._evict(strangers):
            return False
        return listen.transport is not Transport.TLS or self.handshakes.allow(source, self._reactor.seconds())

    def _evict(self, strangers: Any) -> bool:
        """Close the oldest stranger's connection; False where all are known."""
        for number in list(strangers):
            self._strangers.pop(number).cancel()
            connection = self._open[number]
            if not self._keeps(connection):
                connection.abort()
                return True
        return False

    def _keeps(self, connection: Connection) -> bool:
        return connection.asked is not None or self.sink.keeps(connection.flow)

    def _look_at(self, number: int) -> None:
        """A stranger's time is over, or that of a handshake; who is known by now stays for good."""
        del self._strangers[number]
        connection = self._open[number]
        if not (connection.stands and self._keeps(connection)):
            connection.slow = not connection.stands
            connection.abort()

    # --- what a connection tells (connection.ConnectionOwner) ---

    def begun(self, connection: Connection) -> None:
        self._open[connection.number] = connection
        if connection.asked is None:
            self._sources.setdefault(source_of(connection.flow.remote.host), {})[connection.number] = None
        patience = HANDSHAKE_S if connection.listen.transport is Transport.TLS else STRANGER_S
        self._strangers[connection.number] = self._reactor.callLater(patience, self._look_at, connection.number)

    def ready(self, connection: Connection) -> bool:
        asked = connection.asked
        if asked is not None and asked.transport is Transport.TLS:
            wanted = asked.name or asked.remote.host
            if not connection.identities.prove(wanted):
                connection.fault = f"its certificate is of {connection.identities}, not of {wanted} (RFC 5922)"
                return False
            self._told.pop((asked.transport, asked.remote, asked.name), None)
        if connection.listen.transport is Transport.TLS and (timer := self._strangers.pop(connection.number, None)):
            timer.cancel()
            if asked is None:
                patience = self._reactor.callLater(STRANGER_S, self._look_at, connection.number)
                self._strangers[connection.number] = patience
        self.sink.connection_opened(connection.flow)
        return True

    def heard(self, connection: Connection, data: bytes) -> None:
        self.sink.stream(data, connection.flow)

    def closed(self, connection: Connection, why: BaseException | None) -> None:
        self._open.pop(connection.number, None)
        if (timer := self._strangers.pop(connection.number, None)) is not None:
            timer.cancel()
        if connection.asked is None:
            source = source_of(connection.flow.remote.host)
            held = self._sources.get(source, {})
            held.pop(connection.number, None)
            if not held:
                self._sources.pop(source, None)
            if connection.listen.transport is Transport.TLS and not connection.stands:
                self.handshakes.refused[Refusal.SLOW if connection.slow else refusal_of(why)] += 1
        elif not connection.stands:
            self._failed(connection, connection.fault or reason_of(why))
        for way in [way for way, each in self._ways.items() if each is connection] if self._ways else ():
            del self._ways[way]
        if connection.stands:
            self.sink.connection_lost(connection.flow)

    # --- sending ---

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write on the flow's connection. A flow without a connection number asks for one that leads to its remote:
        if there is none it is opened, and the bytes wait for it. False when the connection is gone."""
        if flow.connection:
            connection = self._open.get(flow.connection)
            return connection is not None and connection.stands and connection.send(data)
        way = (flow.transport, flow.remote, flow.name)
        connection = self._ways.get(way) or self._offered(flow)
        if connection is None:
            connection = self._connect(flow)
            if connection is None:
                return False
        self._ways[way] = connection
        return connection.send(data)

    def _offered(self, flow: Flow) -> Connection | None:
        """The peer's own connection, where he offered it and is who we want: by his certificate with TLS, as a trunk
        with TCP, where nothing but the address speaks for him (RFC 5923 9.1)."""
        alias = self.sink.alias_of(flow)
        connection = None if alias is None else self._open.get(alias.connection)
        if connection is None or not connection.stands:
            return None
        if flow.transport is Transport.TLS:
            proved = connection.identities.prove(flow.name or flow.remote.host)
        else:
            proved = self.sink.keeps(Flow(flow.transport, flow.local, connection.flow.remote))
        return connection if proved else None

    def _connect(self, flow: Flow) -> Connection | None:
        listen = self._addresses.listener(flow)
        if listen is None or (len(self._open) >= self._room() and not self._evict(self._strangers)):
            return None
        connection = Connection(self, next(self._numbers), listen, flow)
        made: Any = _Outgoing(connection)
        if flow.transport is Transport.TLS:
            assert self._tls is not None, "a TLS listener needs certificates"
            made = connecting_tls(self._tls, flow.name, made, self._reactor)
        connecting = self._endpoint(flow).connect(made)
        connecting.addErrback(lambda failure: self._refused(connection, failure))
        return connection

    def _endpoint(self, flow: Flow) -> TCP4ClientEndpoint | TCP6ClientEndpoint:
        """Names have been resolved above. A trunk may know us by the address we listen on, so that is where we come
        from."""
        remote, local = ip_address(flow.remote.host), ip_address(flow.local.host)
        return (TCP4ClientEndpoint if remote.version == 4 else TCP6ClientEndpoint)(
            cast(Any, self._reactor),
            str(remote),
            flow.remote.port,
            timeout=cast(Any, _CONNECT_TIMEOUT_S),
            bindAddress=None if local.is_unspecified else (str(local), 0),
        )

    def _refused(self, connection: Connection, failure: Failure) -> None:
        """No TCP connection came about."""
        self._ways = {way: each for way, each in self._ways.items() if each is not connection}
        self._failed(connection, reason_of(failure.value))

    def _failed(self, connection: Connection, why: str) -> None:
        """It never stood: all that waited for it failed."""
        asked = connection.asked
        assert asked is not None
        way = (asked.transport, asked.remote, asked.name)
        if asked.transport is Transport.TLS and self._told.get(way) != why:
            if len(self._told) >= _TOLD_BOUND:
                self._told.clear()
            self._told[way] = why
            self._note(f"no TLS to {' '.join(filter(None, (printed(asked.remote), asked.name)))}: {why}")
        for _ in range(connection.unsent()):
            self.sink.send_failed(asked)

    # --- the end ---

    def close(self, flow: Flow) -> None:
        """Close the flow's connection, after what is written."""
        if (connection := self._open.get(flow.connection)) is not None:
            connection.close()

    def close_all(self) -> None:
        """Close every connection."""
        for connection in list(self._open.values()):
            connection.close()


class _Accepting(protocol.Factory):
    """The connections of one listener."""

    noisy = False

    def __init__(self, connections: StreamConnections, listen: Listen) -> None:
        self._connections = connections
        self._listen = listen

    def buildProtocol(self, addr: interfaces.IAddress | None) -> Connection | None:
        peer = cast(Any, addr)
        return self._connections.admit(self._listen, Address(peer.host, peer.port))


class _Outgoing(protocol.ClientFactory):
    """One connection of ours."""

    noisy = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: interfaces.IAddress | None) -> Connection:
        return self._connection
