"""SIP over UDP: one listening address, many flows; a trunk's datagrams come by a socket of their own.

The kernel gives a connected socket what its peer sends, before any other socket at the port. So what a trunk sends
waits behind nothing that strangers flood us with, and is not lost when their queue is full. That a peer is a trunk is
learned from what it sent (`receive` says so), whatever port that came from.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import Final

from twisted.python import log

from engine.net.reactor import Reactor
from engine.sip.flow import Address, Flow, Transport

_RECEIVE_BUFFER: Final = 4 << 20
"""Bytes asked of the kernel. At 700 bytes a message that rides out a second of 6,000 messages."""
_OWN_BUFFER: Final = 1 << 20
"""The same for one peer: some 1,600 messages, a second of work. What would wait longer its sender has sent again."""
_MAX_DATAGRAM: Final = 65535
_TURN_S: Final = 0.004
"""How long one socket is read before timers and other sockets have their turn: some twenty messages, or a thousand that
the guard drops."""
_FLOW_BOUND: Final = 16384
_OWN_SOCKETS: Final = 64
"""Peers with a socket of their own: trunks are few."""
_SILENT_S: Final = 60.0
"""Until then a peer's own socket is not given to another: a forger who takes a trunk's address, and port after port,
must not have it closed with what it holds."""
_CAN_DIVIDE: Final = sys.platform == "linux"
"""Other kernels choose otherwise among the sockets of a port."""

Source = tuple[str, int]


class UdpListener:
    """Hands every datagram with its flow to `receive`; `send` writes one."""

    def __init__(self, local: Address) -> None:
        self.local = local
        self.receive: Callable[[bytes, Flow], bool]
        """Set before the socket is opened. True where a trunk sent it, whose way is to be kept free."""
        self._flows: dict[Source, Flow] = {}
        self._reactor: Reactor
        self._socket: socket.socket
        self._main: _Reader
        self._own: dict[Source, _Reader] = {}
        """Sockets of one peer each."""
        self._none_before = 0.0
        """When the next one may be made."""

    def open(self, reactor: Reactor, handle: socket.socket) -> None:
        """Read from this socket, which is ours from now on."""
        self._reactor, self._socket = reactor, handle
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        if _CAN_DIVIDE:
            # After it was bound: another program still cannot take the port, nor another engine by mistake.
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._main = _Reader(handle, self._heard, 0.0)
        reactor.addReader(self._main)

    def stopListening(self) -> None:
        """Close every socket."""
        for reader in (self._main, *self._own.values()):
            self._close(reader)
        self._own.clear()

    def flow_to(self, remote: Source) -> Flow:
        """The flow between this socket and a peer; kept, because it is asked for with every datagram."""
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= _FLOW_BOUND:
                self._flows.clear()
            flow = self._flows[remote] = Flow(Transport.UDP, self.local, Address(remote[0], remote[1]))
        return flow

    def send(self, data: bytes, remote: Address) -> bool:
        """Write one datagram; False when the kernel refused it (no route, too large).

        A full send buffer counts as sent: the datagram is lost as on any network, and SIP's timers repair that.
        """
        try:
            self._socket.sendto(data, remote)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    # --- inner ---

    def _heard(self, data: bytes, source: Source) -> None:
        flow = self._flows.get(source)
        if flow is None:
            if "%" in source[0]:
                return  # link-local: no Via and no Contact can name it
            flow = self.flow_to(source)
        if self.receive(data, flow) and source not in self._own:
            self._divide(source)

    def _divide(self, source: Source) -> None:
        """From now on this peer's datagrams come by a socket of their own, where there is one to be had."""
        now = monotonic()
        if now < self._none_before or not _CAN_DIVIDE:
            return
        if len(self._own) >= _OWN_SOCKETS:
            longest = min(self._own, key=lambda each: self._own[each].read_at)
            if now - self._own[longest].read_at < _SILENT_S:
                self._none_before = now + 1.0
                return
            self._close(self._own.pop(longest))
        handle = _connected(self._socket, source)
        if handle is None:
            self._none_before = now + _SILENT_S
            return
        self._own[source] = _Reader(handle, self._heard, now)
        self._reactor.addReader(self._own[source])

    def _close(self, reader: _Reader) -> None:
        self._reactor.removeReader(reader)
        reader.handle.close()


class _Reader:
    """What the reactor calls when there is something to read (IReadDescriptor)."""

    def __init__(self, handle: socket.socket, heard: Callable[[bytes, Source], None], read_at: float) -> None:
        self.handle = handle
        self.read_at = read_at
        """When something was last read."""
        self._heard = heard
        self._room = memoryview(bytearray(_MAX_DATAGRAM))

    def fileno(self) -> int:
        return self.handle.fileno()

    def logPrefix(self) -> str:
        return "udp"

    def doRead(self) -> None:
        read_into, room, heard = self.handle.recvfrom_into, self._room, self._heard
        self.read_at = monotonic()
        end = self.read_at + _TURN_S
        while True:
            try:
                # Copied to its size: what is kept of it would else stand where room for the largest one was, and the
                # holes between are too small for the next.
                size, source = read_into(room)
            except OSError:
                # Nothing is left, or a peer's host told us that nobody listens there, which SIP's timers find out.
                return
            try:
                heard(bytes(room[:size]), source if len(source) == 2 else source[:2])
            except Exception:
                log.err()  # type: ignore[no-untyped-call]
            if monotonic() >= end:
                return

    def connectionLost(self, reason: object) -> None:
        """The reactor reads no more."""


def _connected(listening: socket.socket, source: Source) -> socket.socket | None:
    """A socket at the same address for what this peer sends, None where the kernel gives none (no descriptor left, for
    one): then it goes on to come with everybody else's."""
    made: socket.socket | None = None
    try:
        made = socket.socket(listening.family, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _OWN_BUFFER)
        if listening.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(listening.getsockname())
        made.connect(source)
    except OSError:
        if made is not None:
            made.close()
        return None
    return made
