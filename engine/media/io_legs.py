"""The sockets of legs: binding pairs, latching, RTCP. (`io` has the loop that reads RTP once a leg is latched.)

Until a leg has latched its RTP socket is open to everybody and read here, with recvfrom, one packet at a time. The
first valid packet from where the peer may speak (`latch.may_latch`) decides: the socket is connected to its source, and
from then on the kernel drops everybody else's packets. What strangers had queued before that moment is still in the
socket, so it is emptied with recvfrom, and only what the latched source sent is kept.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Final

from engine.errors import Unavailable
from engine.log_format import pairs
from engine.media.commands import Latched, MediaEvent
from engine.media.io_poll import READ, Poller
from engine.media.latch import may_latch, rtcp_target, target
from engine.media.leg import Address, Leg
from engine.media.ports import Ports
from engine.media.reception import Reception, deaf, samples_at
from engine.media.relay import Forwarder
from engine.media.rtcp import Report, parse
from engine.media.rtp import MAX_PACKET, payload_span

log = logging.getLogger(__name__)

DRAIN: Final = 64
"""Packets read from one unlatched or RTCP socket at one look."""

MAX_TOLD: Final = 20
"""Taken ports that are logged one by one."""

RECEIVE_BUFFER: Final = 65536
"""Octets that the kernel may queue on a leg: over a second of G.711, and no more, since later is too late."""


_MAPPED: Final = "::ffff:"


class Pair:
    """The two sockets of one leg."""

    __slots__ = ("deaf", "leg", "rtcp", "rtp")

    def __init__(self, rtp: socket.socket, rtcp: socket.socket) -> None:
        self.rtp = rtp
        self.rtcp = rtcp
        self.leg: Leg | None = None
        self.deaf = False
        """The RTP socket was lost in an unlatch and could not be bound again."""


class LegSockets:
    """`wire.Wire` on real sockets."""

    def __init__(
        self,
        *,
        poller: Poller,
        ports: Ports,
        bind: str,
        forwarder: Forwarder,
        emit: Callable[[MediaEvent], None],
        heard: Callable[[Leg, list[Report], float], None],
    ) -> None:
        self.latched: dict[int, Reception] = {}
        """Receptions by the descriptor of their connected RTP socket: the fast path of the loop."""
        self.others: dict[int, Callable[[float], None]] = {}
        """What to call when any other descriptor is ready."""
        self._poller = poller
        self._ports = ports
        self._bind = bind
        self._family = socket.AF_INET6 if ":" in bind else socket.AF_INET
        self._both = bind == "::"
        """Whether IPv4 peers are met too, whom the kernel then writes as mapped addresses (RFC 4291 2.5.5.2)."""
        self._forwarder = forwarder
        self._emit = emit
        self._heard = heard
        self._pairs: dict[int, Pair] = {}
        self._told_taken: set[int] = set()

    # --- opening ---

    def open(self) -> int:
        """Bind the next free pair of the range. Raises Unavailable when there is none."""
        for port in self._ports.candidates():
            try:
                rtp = self._bound(port)
            except OSError as error:
                self._taken(port, error)
                continue
            try:
                rtcp = self._bound(port + 1)
            except OSError as error:
                rtp.close()
                self._taken(port, error)
                continue
            self._ports.use(port)
            self._pairs[port] = Pair(rtp, rtcp)
            return port
        raise Unavailable("no free pair of RTP ports is left in the range")

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if self._both:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
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

    def attach(self, leg: Leg) -> None:
        pair = self._pairs[leg.port]
        pair.leg = leg
        for sock in (pair.rtp, pair.rtcp):
            _forget_what_came(sock)
        self._watch_rtp(pair, leg)
        self.others[pair.rtcp.fileno()] = lambda now: self._rtcp_ready(pair, leg, now)
        self._poller.register(pair.rtcp.fileno(), READ)

    def _watch_rtp(self, pair: Pair, leg: Leg) -> None:
        self.others[pair.rtp.fileno()] = lambda now: self._unlatched_ready(pair, leg, now)
        self._poller.register(pair.rtp.fileno(), READ)

    def _to_kernel(self, address: Address) -> Address:
        """An address as our sockets take it."""
        return (f"{_MAPPED}{address[0]}", address[1]) if self._both and ":" not in address[0] else address

    # --- sending ---

    def aim(self, leg: Leg) -> None:
        pair = self._pairs[leg.port]
        there = None if pair.deaf else target(leg)
        if there is None:
            leg.point(None)
        elif leg.latched is not None:
            leg.point(pair.rtp.send)
        else:
            sendto, address = pair.rtp.sendto, self._to_kernel(there)
            leg.point(lambda packet: sendto(packet, address))

    def report(self, leg: Leg, packet: bytes) -> None:
        there = rtcp_target(leg)
        if there is None:
            return
        try:
            self._pairs[leg.port].rtcp.sendto(packet, self._to_kernel(there))
        except OSError as error:
            leg.tx.failed(error)

    # --- latching ---

    def _unlatched_ready(self, pair: Pair, leg: Leg, now: float) -> None:
        """Read what came to a leg that does not know its peer yet, up to the packet that it latches on."""
        buffer = self._forwarder.buffer
        for _ in range(DRAIN):
            try:
                size, source = pair.rtp.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                return
            if self._believable(leg, buffer, size, peer := _from_kernel(source)):
                self._latch(pair, leg, peer, size, now)
                return
            leg.rx.strangers += 1

    def _believable(self, leg: Leg, buffer: bytearray, size: int, source: Address) -> bool:
        remote = leg.remote
        if remote is None or not may_latch(remote, source):
            return False
        span = payload_span(buffer, size)
        if span is None or span[0] == span[1]:
            return False
        return buffer[1] & 0x7F in (leg.payload_type, leg.dtmf_type)

    def _latch(self, pair: Pair, leg: Leg, source: Address, size: int, now: float) -> None:
        """Connect to the source of the packet in the buffer, and hear it and what else its sender queued."""
        try:
            pair.rtp.connect(self._to_kernel(source))
        except OSError as error:
            leg.tx.failed(error)
            return
        descriptor = pair.rtp.fileno()
        del self.others[descriptor]
        leg.latched = source
        leg.rx.recv_into = pair.rtp.recv_into
        self.latched[descriptor] = leg.rx
        self._poller.edge(descriptor)
        self.aim(leg)
        self._emit(Latched(leg=leg.name, address=source[0], port=source[1]))
        self._forwarder.receive(leg.rx, size, now, samples_at(now))
        self._empty(pair, leg, source, now)

    def _empty(self, pair: Pair, leg: Leg, source: Address, now: float) -> None:
        """Read what was queued before the connect: no more than the kernel's buffer can have held."""
        buffer = self._forwarder.buffer
        for _ in range(RECEIVE_BUFFER // 64):
            try:
                size, sender = pair.rtp.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                continue
            if _from_kernel(sender) == source:
                self._forwarder.receive(leg.rx, size, now, samples_at(now))
            else:
                leg.rx.strangers += 1

    def unlatch(self, leg: Leg) -> None:
        """A socket that was connected is not set free again portably; a new one takes its place on the same port."""
        pair = self._pairs[leg.port]
        self._drop_rtp(pair)
        leg.rx.recv_into = deaf
        try:
            pair.rtp = self._bound(leg.port)
        except OSError as error:
            pair.deaf = True
            raise Unavailable(f"cannot bind port {leg.port} again: {error.strerror}") from error
        self._watch_rtp(pair, leg)

    # --- RTCP ---

    def _rtcp_ready(self, pair: Pair, leg: Leg, now: float) -> None:
        for _ in range(DRAIN):
            try:
                data, source = pair.rtcp.recvfrom(MAX_PACKET)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                continue
            reports = parse(data) if leg.latched is not None and _from_kernel(source)[0] == leg.latched[0] else None
            if reports is None:
                leg.rx.strangers += 1
            else:
                self._heard(leg, reports, now)

    # --- closing ---

    def close(self, leg: Leg) -> None:
        pair = self._pairs.pop(leg.port)
        self._drop_rtp(pair)
        descriptor = pair.rtcp.fileno()
        self._poller.unregister(descriptor)
        del self.others[descriptor]
        pair.rtcp.close()
        leg.rx.recv_into = deaf
        self._ports.release(leg.port)

    def _drop_rtp(self, pair: Pair) -> None:
        if pair.deaf:
            return
        descriptor = pair.rtp.fileno()
        self._poller.unregister(descriptor)
        self.others.pop(descriptor, None)
        self.latched.pop(descriptor, None)
        pair.rtp.close()


def _forget_what_came(sock: socket.socket) -> None:
    """Empty a socket that was bound before it had a leg: late packets of an earlier call on the same port."""
    for _ in range(RECEIVE_BUFFER // 64):
        try:
            sock.recv(1)
        except OSError:
            return


def _from_kernel(source: tuple[str, int, *tuple[int, ...]]) -> Address:
    """Who sent a packet, an IPv4 peer by his own address."""
    host = source[0]
    return host.removeprefix(_MAPPED) if "." in host else host, source[1]
