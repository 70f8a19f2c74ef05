"""Pairs of sockets: bound on neighbouring ports of the range, marked, given back."""

from __future__ import annotations

import errno
import logging
import socket
import time
from typing import Final

from engine.errors import Unavailable
from engine.log_format import pairs
from engine.media.io_marking import mark
from engine.media.leg import Address
from engine.media.ports import Ports

log = logging.getLogger(__name__)

MAX_TOLD: Final = 20
"""Taken ports that are logged one by one."""

RECEIVE_BUFFER: Final = 65536
"""Octets that the kernel may queue on a leg: over a second of G.711, and no more, since later is too late."""

QUEUED: Final = RECEIVE_BUFFER // 64
"""More packets than the kernel can have queued on one socket."""

_MAPPED: Final = "::ffff:"


class Pair:
    """The two sockets of one leg."""

    __slots__ = ("deaf", "port", "rtcp", "rtp")

    def __init__(self, port: int, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.port = port
        """The even one."""
        self.rtp = rtp
        self.rtcp = rtcp
        self.deaf = False
        """The RTP socket was lost in an unlatch and could not be bound again."""


class Pairs:
    """Makes and closes them."""

    def __init__(self, ports: Ports, *, bind: str, dscp: int) -> None:
        self._ports = ports
        self._bind = bind
        self._dscp = dscp
        self._family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._both = bind == "::"
        """Whether IPv4 peers are met too, whom the kernel then writes as mapped addresses (RFC 4291 2.5.5.2)."""
        self._told_taken: set[int] = set()

    def open(self) -> Pair:
        """Bind the next free pair of the range. Raises Unavailable when there is none."""
        for port in self._ports.candidates(time.monotonic()):
            try:
                rtp = self.bound(port)
            except OSError as error:
                self._taken(port, error)
                continue
            try:
                rtcp = self.bound(port + 1)
            except OSError as error:
                rtp.close()
                self._taken(port, error)
                continue
            self._ports.use(port)
            return Pair(port, rtp, rtcp)
        raise Unavailable("no free pair of RTP ports is left in the range")

    def bound(self, port: int) -> socket.socket:
        """A socket on this port. Raises OSError."""
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if self._both:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            mark(sock, self._dscp)
            sock.bind((self._bind, port))
        except OSError:
            sock.close()
            raise
        return sock

    def _taken(self, port: int, error: OSError) -> None:
        """Another program holds a port (anything else is no reason to try the next one)."""
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise Unavailable(f"cannot open RTP port {port}: {error.strerror}") from error
        self._ports.taken.add(port)
        if port not in self._told_taken:
            self._told_taken.add(port)
            if len(self._told_taken) <= MAX_TOLD:
                log.warning("port_taken", extra=pairs(port=port, reason=error.strerror))
            elif len(self._told_taken) == MAX_TOLD + 1:
                log.warning(
                    "ports_taken", extra=pairs(detail="further ones are not told; `hearthline status` counts them")
                )

    def release(self, port: int) -> None:
        """Both sockets are closed."""
        self._ports.release(port, time.monotonic())

    def to_kernel(self, address: Address) -> Address:
        """An address as our sockets take it."""
        return (f"{_MAPPED}{address[0]}", address[1]) if self._both and ":" not in address[0] else address


def from_kernel(source: tuple[str, int, *tuple[int, ...]]) -> Address:
    """Who sent a packet, an IPv4 peer by his own address."""
    host = source[0]
    return host.removeprefix(_MAPPED) if "." in host else host, source[1]


def forget_what_came(sock: socket.socket) -> None:
    """Empty a socket that was bound before it had a leg: late packets of an earlier call on the same port."""
    for _ in range(QUEUED):
        try:
            sock.recv(1)
        except OSError:
            return
