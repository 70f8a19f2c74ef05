"""What a receiver knows of the stream that it hears: sequence (RFC 3550 A.1), loss (A.3), jitter (A.8)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.media.codecs import RATE
from engine.media.rtp import HEADER_SIZE
from engine.media.transmission import Send, Transmission

if TYPE_CHECKING:
    from engine.media.leg import Leg
    from engine.media.tray import Tray

ReceiveInto = Callable[[bytearray], int]

MAX_DROPOUT: Final = 3000
"""RFC 3550 A.1: a jump forward by less is loss."""
MAX_MISORDER: Final = 100
"""RFC 3550 A.1: a step back by less is reordering."""
MAX_TRANSIT_STEP: Final = 80_000
"""Units of the RTP clock (10 s at 8000). A greater change of transit time is a new time base, not jitter."""
UNTIMELY: Final = 80
"""Samples (10 ms) by which the transit of a packet may differ from the last one's."""


def samples_at(now: float) -> int:
    """Monotonic seconds in units of the RTP clock."""
    return int(now * RATE)


def deaf(buffer: bytearray) -> int:
    """What a leg hears before it is latched and after it is closed."""
    raise BlockingIOError


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What one report block says of the time since the last one (RFC 3550 6.4.1)."""

    fraction_lost: int
    """Of 256."""
    cumulative_lost: int
    """24-bit signed, already clamped."""
    highest_sequence: int
    """Extended by the cycle count."""
    jitter: int
    """In timestamp units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where the packets of a stream wait for the tick."""

    tray: Tray
    place: int
    left: Callable[[Reception], None]
    """To be called when it is needed no more."""


class Reception:
    """Running account of one leg's incoming stream, and its fast lane.

    The fast lane is a promise about the next packet: when it has this head, this SSRC, this size and the next sequence
    number, `relay.Forwarder.receive` needs to touch nothing but this object. What the lane leaves undone (octets, the
    highest number, all that the sending side counts) follows from the number of packets and is made up for by `settle`.
    Where packets wait for the tick (`seat`), the tray keeps the promise.
    """

    __slots__ = (
        "bad_sequence",
        "base",
        "cycles",
        "earlier_expected",
        "earlier_received",
        "expected_prior",
        "gaps",
        "head",
        "heard_at",
        "highest",
        "jitter",
        "lane_failed",
        "lane_since",
        "leg",
        "next",
        "octets",
        "out_head",
        "out_send",
        "out_ssrc",
        "out_tx",
        "out_view",
        "rate",
        "received",
        "received_prior",
        "recv_into",
        "sample",
        "sampling",
        "seat",
        "seq_shift",
        "size",
        "ssrc",
        "stamp_shift",
        "strangers",
        "transit",
    )

    def __init__(self, leg: Leg) -> None:
        self.leg = leg
        self.recv_into: ReceiveInto = deaf
        """`recv_into` of the leg's connected socket, once it is latched."""
        self.rate = RATE
        """Of the RTP clock, Hz."""
        self.ssrc = -1
        """-1 before the first packet."""
        self.highest = 0
        self.cycles = 0
        self.base = 0
        self.bad_sequence = -1
        self.received = 0
        """Since the stream began (RFC 3550 A.3)."""
        self.octets = 0
        self.transit = 0
        self.jitter = 0.0
        self.heard_at = 0.0
        """Monotonic seconds of the last valid packet, or of the moment when listening began."""
        self.strangers = 0
        self.gaps = 0
        """Times that packets were missing before one, over every stream."""
        self.sampling = False
        """The next packet of sound is wanted in `sample`; whoever asks shuts the lane."""
        self.sample: bytes | None = None
        self.expected_prior = 0
        self.received_prior = 0
        self.earlier_expected = 0
        self.earlier_received = 0
        self.next = -1
        """The sequence number that the fast lane waits for; -1 when it is shut, and 65536 after 65535."""
        self.head = 0
        self.size = 0
        self.out_tx: Transmission | None = None
        """The one transmission that the lane feeds; None when the packet goes to the mixer or to several."""
        self.out_send: Send | None = None
        self.out_head = 0
        self.out_ssrc = 0
        self.out_view = memoryview(b"")
        """The part of the forwarder's buffer that such a packet fills."""
        self.seq_shift = 0
        self.stamp_shift = 0
        self.lane_since = 0
        """`next` at the last `settle`; what came since then is not in `received` yet."""
        self.lane_failed = 0
        """Packets since then that the kernel would not take."""
        self.seat: Seat | None = None
        """Where its packets wait for the tick; None while they are dealt with on arrival."""

    # --- the fast lane ---

    def keep_time(self, rate: int) -> None:
        """The RTP clock of what is heard from now on."""
        if rate != self.rate:
            self.shut()
            self.rate, self.transit, self.jitter = rate, 0, 0.0

    def open(self, head: int, size: int) -> None:
        """Promise that the next packet needs no second look; `highest`, `ssrc` and the `out_` fields are set."""
        self.head = head
        self.size = size
        if self.seat is not None:
            self.seat.tray.promise(self.seat.place, self)
            return
        self.lane_failed = 0
        self.lane_since = self.next = self.highest + 1

    @property
    def last_heard_at(self) -> float:
        """`heard_at`, settled or not."""
        return self.heard_at if self.seat is None else max(self.heard_at, self.seat.tray.heard_at(self.seat.place))

    def settle(self) -> None:
        """Bring into line what the fast lane has left behind."""
        if self.seat is not None:
            count = self.seat.tray.settle(self.seat.place, self)
            self.highest += count
            self.received += count
            self.octets += count * (self.size - HEADER_SIZE)
            return
        count = self.next - self.lane_since
        if self.next < 0 or not count:
            return
        self.lane_since = self.next
        self.highest = self.next - 1
        self.received += count
        octets = self.size - HEADER_SIZE
        self.octets += count * octets
        tx = self.out_tx
        if tx is not None:
            sent = count - self.lane_failed
            self.lane_failed = 0
            tx.packets += sent
            tx.octets += sent * octets
            tx.seq = self.highest + self.seq_shift & 0xFFFF
            tx.stamp = samples_at(self.heard_at) - self.transit + self.stamp_shift & 0xFFFFFFFF
            tx.stamp_at = self.heard_at

    def shut(self) -> None:
        """Settle, and look at every packet closely from now on."""
        self.settle()
        self.next = -1
        if self.seat is not None:
            self.seat.tray.shut(self.seat.place)

    def rise(self) -> None:
        """Its packets wait no more."""
        if self.seat is not None:
            self.shut()
            self.seat.left(self)

    # --- RFC 3550 appendix A ---

    def sequence(self, ssrc: int, seq: int) -> bool:
        """Account for a packet that is not simply the next one. False when it is to be dropped (A.1: a great jump is
        believed only when the next packet follows on it). The caller counts the packet as received."""
        if ssrc != self.ssrc:
            self._begin(ssrc, seq)
            return True
        delta = (seq - self.highest) & 0xFFFF
        if delta < MAX_DROPOUT:
            if seq < self.highest:
                self.cycles += 0x10000
            self.gaps += delta > 1
            self.highest = seq
        elif delta <= 0x10000 - MAX_MISORDER:
            if seq != self.bad_sequence:
                self.bad_sequence = (seq + 1) & 0xFFFF
                return False
            self._begin(ssrc, seq)
        return True

    def _begin(self, ssrc: int, seq: int) -> None:
        """A new stream; what the old one lost stays in the totals."""
        if self.ssrc >= 0:
            self.earlier_expected += self.expected
            self.earlier_received += self.received
        self.ssrc = ssrc
        self.base = self.highest = seq
        self.cycles = 0
        self.bad_sequence = -1
        self.received = 0
        self.expected_prior = 0
        self.received_prior = 0
        self.transit = 0
        self.jitter = 0.0

    @property
    def expected(self) -> int:
        """Packets of this stream that the sequence numbers promise (A.3)."""
        return self.cycles + self.highest - self.base + 1 if self.ssrc >= 0 else 0

    @property
    def lost(self) -> int:
        """Expected minus received over every stream that this leg has heard; negative with duplicates."""
        return self.earlier_expected - self.earlier_received + self.expected - self.received

    def leap(self, arrival: int, stamp: int) -> int:
        """By how much the transit time of a packet differs from that of the last one, timestamps wrapping."""
        return abs((arrival - stamp - self.transit + 0x80000000 & 0xFFFFFFFF) - 0x80000000)

    def clock(self, arrival: int, stamp: int) -> None:
        """Fold one packet's transit time into the jitter (A.8). `arrival` in units of the RTP clock."""
        transit = arrival - stamp
        delta = abs(transit - self.transit)
        if delta < MAX_TRANSIT_STEP:
            self.jitter += (delta - self.jitter) * 0.0625
        self.transit = transit

    def interval(self) -> Interval:
        """Close one reporting interval (A.3)."""
        expected = self.expected
        expected_now = expected - self.expected_prior
        lost_now = expected_now - (self.received - self.received_prior)
        self.expected_prior = expected
        self.received_prior = self.received
        fraction = (lost_now << 8) // expected_now if expected_now > 0 and lost_now > 0 else 0
        return Interval(
            fraction_lost=min(fraction, 255),
            cumulative_lost=max(-0x800000, min(0x7FFFFF, expected - self.received)),
            highest_sequence=(self.cycles + self.highest) & 0xFFFFFFFF,
            jitter=int(self.jitter),
        )
