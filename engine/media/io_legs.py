"""The sockets of legs: latching, moving to a second pair, RTCP. (`io` has the loop that reads latched RTP.)

Until a leg has latched its RTP socket is open to everybody and read here, with recvfrom, one packet at a time. The
first valid packet from where the peer may speak (`latch.trust`) decides, or a run of them (`probation`): the socket is
connected to its source, and from then on the kernel drops everybody else's packets. What strangers had queued before
that moment is still in the socket, so it is emptied with recvfrom, and only what the latched source sent is kept.

A leg that control moves to other ports has a second pair meanwhile. Both are read; the leg sends by the first, until
the second has latched: then the first is closed, and the second is the only one.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import Unavailable
from engine.media.bundle import Volley
from engine.media.events import Latched, MediaEvent, Switched
from engine.media.io_pairs import QUEUED, Pair, Pairs, forget_what_came, from_kernel
from engine.media.io_pen import MOST, Pen
from engine.media.io_poll import READ, Poller
from engine.media.io_scoop import stamped
from engine.media.latch import Trust, may_report, rtcp_target, target, trust
from engine.media.laws import is_other_law
from engine.media.leg import Address, Leg
from engine.media.probation import Probation
from engine.media.reception import Reception, deaf, samples_at
from engine.media.relay import Forwarder
from engine.media.rtcp import Report, parse
from engine.media.rtp import MAX_PACKET, payload_span


class LegSockets:
    """`wire.Wire` on real sockets."""

    def __init__(
        self,
        *,
        poller: Poller,
        pairs: Pairs,
        forwarder: Forwarder,
        emit: Callable[[MediaEvent], None],
        heard: Callable[[Leg, list[Report], float], None],
        volley: Volley,
    ) -> None:
        self.volley = volley
        self.latched: dict[int, Reception] = {}
        """Receptions by the descriptor of their connected RTP socket: the fast path of the loop."""
        self.others: dict[int, Callable[[float], None]] = {}
        """What to call when any other descriptor is ready."""
        self.pen = Pen(poller)
        self._poller = poller
        self._make = pairs
        self._forwarder = forwarder
        self._emit = emit
        self._heard = heard
        self._pairs: dict[int, Pair] = {}
        self._seconds: dict[Leg, Pair] = {}
        """Where legs are to be heard soon, beside the pair at `leg.port`."""

    # --- opening ---

    def open(self) -> int:
        """Bind the next free pair of the range. Raises Unavailable when there is none."""
        pair = self._make.open()
        self._pairs[pair.port] = pair
        return pair.port

    def attach(self, leg: Leg) -> None:
        self._attach(self._pairs[leg.port], leg)

    def add(self, leg: Leg, port: int) -> None:
        before = self._seconds.pop(leg, None)
        if before is not None:
            self._shut(before)
        pair = self._seconds[leg] = self._pairs[port]
        self._attach(pair, leg)

    def _attach(self, pair: Pair, leg: Leg) -> None:
        for sock in (pair.rtp, pair.rtcp):
            forget_what_came(sock)
        self._watch_rtp(pair, leg)
        self.others[pair.rtcp.fileno()] = lambda now: self._rtcp_ready(pair, leg, now)
        self._poller.register(pair.rtcp.fileno(), READ)

    def _watch_rtp(self, pair: Pair, leg: Leg) -> None:
        self.others[pair.rtp.fileno()] = lambda now: self._unlatched_ready(pair, leg, now)
        self._poller.register(pair.rtp.fileno(), READ)

    # --- lending ---

    def lend(self, leg: Leg) -> int:
        """See `wire.Wire`."""
        pair = self._pairs[leg.port]
        descriptor = -1 if pair.deaf else pair.rtp.fileno()
        if descriptor not in self.latched or self.pen.has(descriptor):
            return -1
        stamped(pair.rtp)
        self._poller.unregister(descriptor)
        return descriptor

    def reclaim(self, leg: Leg) -> None:
        """See `wire.Wire`."""
        descriptor = self._pairs[leg.port].rtp.fileno()
        self._poller.register(descriptor, READ)
        self._poller.edge(descriptor)

    # --- sending ---

    def aim(self, leg: Leg) -> None:
        pair = self._pairs[leg.port]
        there = None if pair.deaf else target(leg)
        if leg.latched is not None:
            leg.hear(pair.rtp.recv_into)
        if there is None:
            leg.point(None)
        elif leg.latched is not None:
            leg.point(pair.rtp.send, pair.rtp.fileno())
        else:
            sendto, address = pair.rtp.sendto, self._make.to_kernel(there)
            leg.point(lambda packet: sendto(packet, address))

    def report(self, leg: Leg, packet: bytes) -> None:
        there = rtcp_target(leg)
        if there is None:
            return
        try:
            sealed = packet if leg.shield is None else leg.shield.sealer.rtcp(packet)
            self._pairs[leg.port].rtcp.sendto(sealed, self._make.to_kernel(there))
        except OSError as error:
            leg.tx.failed(error)

    # --- latching ---

    def _unlatched_ready(self, pair: Pair, leg: Leg, now: float) -> None:
        """Read what came to a leg that does not know its peer yet, up to the packet that it latches on."""
        buffer = self._forwarder.buffer
        for _ in range(MOST):
            try:
                size, source = pair.rtp.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                return
            peer = from_kernel(source)
            size = self._believed(leg, peer, size, now)
            if size:
                self._latch(pair, leg, peer, size, now)
                return
            leg.rx.strangers += 1
        self.pen.put(pair.rtp.fileno(), now)

    def _believed(self, leg: Leg, peer: Address, size: int, now: float) -> int:
        """The size of the plain packet in the buffer, if the leg is to latch on it; else 0."""
        if leg.remote is None:
            return 0
        trusted = trust(leg.remote, peer)
        if leg.latched is not None and peer[0] == leg.latched[0]:
            # Of a second pair: who was believed once is believed here.
            trusted = Trust.FIRST
        if trusted is Trust.NEVER:
            return 0
        buffer = self._forwarder.buffer
        size = _opened(leg, buffer, size)
        if not _valid(leg, buffer, size):
            return 0
        if trusted is Trust.RUN:
            if leg.signs.probation is None:
                leg.signs.probation = Probation(leg.remote.clock_rate)
            if not leg.signs.probation.passed(peer, buffer, now):
                return 0
        return size

    def _latch(self, pair: Pair, leg: Leg, source: Address, size: int, now: float) -> None:
        """Connect to the source of the packet in the buffer, and hear it and what else its sender queued."""
        try:
            pair.rtp.connect(self._make.to_kernel(source))
        except OSError as error:
            leg.tx.failed(error)
            return
        descriptor = pair.rtp.fileno()
        del self.others[descriptor]
        if pair.port != leg.port:
            self._switch(leg, pair)
        leg.latched, leg.signs.probation = source, None
        self.latched[descriptor] = leg.rx
        self._poller.edge(descriptor)
        self.aim(leg)
        self._emit(Latched(leg=leg.name, address=source[0], port=source[1]))
        self._forwarder.receive(leg.rx, size, now, samples_at(now))
        self._empty(pair, leg, source, now)

    def _switch(self, leg: Leg, pair: Pair) -> None:
        """The second pair has heard the peer: it is the only one from now on."""
        del self._seconds[leg]
        self._shut(self._pairs[leg.port])
        leg.port, leg.signs.reported_from = pair.port, None
        self._emit(Switched(leg=leg.name, port=pair.port))

    def _empty(self, pair: Pair, leg: Leg, source: Address, now: float) -> None:
        """Read what was queued before the connect: no more than the kernel's buffer can have held."""
        buffer = self._forwarder.buffer
        for _ in range(QUEUED):
            try:
                size, sender = pair.rtp.recvfrom_into(buffer)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                continue
            if from_kernel(sender) == source:
                self._forwarder.receive(leg.rx, _opened(leg, buffer, size), now, samples_at(now))
            else:
                leg.rx.strangers += 1

    def unlatch(self, leg: Leg) -> None:
        """A socket that was connected is not set free again portably; a new one takes its place on the same port."""
        pair = self._pairs[leg.port]
        leg.point(None)
        self._drop_rtp(pair)
        leg.rx.recv_into = deaf
        leg.signs.reported_from = None
        try:
            pair.rtp = self._make.bound(leg.port)
        except OSError as error:
            pair.deaf = True
            raise Unavailable(f"cannot bind port {leg.port} again: {error.strerror}") from error
        self._watch_rtp(pair, leg)

    # --- RTCP ---

    def _rtcp_ready(self, pair: Pair, leg: Leg, now: float) -> None:
        for _ in range(MOST):
            try:
                data, source = pair.rtcp.recvfrom(MAX_PACKET)
            except BlockingIOError:
                return
            except OSError as error:
                leg.tx.failed(error)
                continue
            reports, peer = None, from_kernel(source)
            if may_report(leg, peer):
                reports = parse(data if leg.shield is None else leg.shield.opener.rtcp(data))
            if reports is None:
                leg.rx.strangers += 1
                continue
            if pair.port == leg.port:
                leg.signs.reported_from = peer
            self._heard(leg, reports, now)
        self.pen.put(pair.rtcp.fileno(), now)

    # --- closing ---

    def close(self, leg: Leg) -> None:
        for pair in (self._pairs[leg.port], self._seconds.pop(leg, None)):
            if pair is not None:
                self._shut(pair)
        leg.rx.recv_into = deaf

    def _shut(self, pair: Pair) -> None:
        """Close both sockets and give the pair back."""
        self._drop_rtp(pair)
        del self._pairs[pair.port]
        descriptor = pair.rtcp.fileno()
        self._unwatch(descriptor)
        del self.others[descriptor]
        pair.rtcp.close()
        self._make.release(pair.port)

    def _drop_rtp(self, pair: Pair) -> None:
        if pair.deaf:
            return
        descriptor = pair.rtp.fileno()
        if descriptor in self.latched:
            self.latched.pop(descriptor).rise()
        self._unwatch(descriptor)
        self.others.pop(descriptor, None)
        pair.rtp.close()

    def _unwatch(self, descriptor: int) -> None:
        if not self.pen.forget(descriptor):
            self._poller.unregister(descriptor)


def _valid(leg: Leg, buffer: bytearray, size: int) -> bool:
    """Whether this is RTP of a payload number that was agreed, with something in it."""
    span = payload_span(buffer, size)
    if span is None or span[0] == span[1]:
        return False
    number = buffer[1] & 0x7F
    return number in (leg.payload_type, leg.dtmf_type) or is_other_law(leg.codec, number)


def _opened(leg: Leg, buffer: bytearray, size: int) -> int:
    """The size of the plain packet in the buffer; 0 where it is not authentic."""
    return size if leg.shield is None else leg.shield.opener.rtp(buffer, size)
