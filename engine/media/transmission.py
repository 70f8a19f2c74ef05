"""What a leg sends: one RTP stream with its own SSRC, whose sequence and clock never jump when its source changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from engine.media.codecs import FRAME, RATE, Form
from engine.media.cutter import Cut, Cutter
from engine.media.rtp import HEADER, HEADER_SIZE, MARKER, PLAIN

if TYPE_CHECKING:
    from engine.media.bundle import Bundle

_pack: Final = HEADER.pack_into

_TICK_MS: Final = 20

Send = Callable[[memoryview], int]
"""Puts one datagram on the wire: `socket.send` of the leg's own connected socket, or a stand-in. Raises OSError."""


class Transmission:
    """One outgoing stream. `relay.Forwarder` and `step.Step` take turns in feeding it; `restart` marks the turn.
    The latter does so for many at once (`bundle.Bundle`)."""

    __slots__ = (
        "ahead",
        "bundle",
        "comfort_type",
        "cutter",
        "descriptor",
        "dropped",
        "dtmf_clock",
        "dtmf_type",
        "octets",
        "packet",
        "packets",
        "payload_type",
        "rate",
        "refused",
        "restart",
        "row",
        "send",
        "seq",
        "ssrc",
        "stamp",
        "stamp_at",
        "view",
    )

    def __init__(self, *, ssrc: int, seq: int, stamp: int) -> None:
        """Start values are random (RFC 3550 5.1); who opens the leg draws them."""
        self.ssrc = ssrc
        self.seq = seq
        """Of the last packet sent."""
        self.stamp = stamp
        """Of the last packet sent."""
        self.stamp_at = 0.0
        """Monotonic seconds at which that was; 0 before the first packet."""
        self.ahead = 0
        """By how much the stamps are ahead of time, less than a packet: a source that begins within the last packet
        of another one follows on it."""
        self.payload_type = 0
        self.rate = RATE
        """Of the RTP clock, Hz."""
        self.cutter: Cutter | None = None
        """What makes packets of frames where a packet is not simply one frame of 160 octets and 160 samples."""
        self.comfort_type: int | None = None
        """Of comfort noise; None when the peer has none."""
        self.dtmf_type: int | None = None
        self.dtmf_clock = RATE
        """Of durations in telephone-events, Hz."""
        self.send: Send | None = None
        """None while nothing may be sent (no remote address, hold, closed)."""
        self.descriptor = -1
        """Of the connected socket that `send` writes to, if that is all that it does."""
        self.bundle: Bundle | None = None
        """That of which this is a member at present; it counts for us."""
        self.row = 0
        """There."""
        self.packets = 0
        self.octets = 0
        """Payload octets, as in sender reports."""
        self.refused = 0
        self.dropped = 0
        """Datagrams that the kernel would not take for another reason than ECONNREFUSED."""
        self.restart = True
        """The next packet of the tick begins a talkspurt: marker, and a timestamp that says how long it was silent."""
        self.packet = bytearray(HEADER_SIZE + FRAME)
        self.view = memoryview(self.packet)

    def carry(self, form: Form | None, clock_rate: int, ptime_ms: int) -> None:
        """What is sent from now on: frames of this form, or none that we make (an opaque codec)."""
        if form is None or (form.octets == form.units == FRAME and ptime_ms == _TICK_MS):
            cutter = None
        elif self.cutter is not None and (self.cutter.form, self.cutter.ptime_ms) == (form, ptime_ms):
            cutter = self.cutter
        else:
            cutter = Cutter(form, ptime_ms)
        if cutter is not self.cutter:
            self.restart = True
        self.cutter, self.rate = cutter, clock_rate

    @property
    def bundles(self) -> bool:
        """Whether this can be a member of a bundle: one frame a packet, written to one socket."""
        return self.descriptor >= 0 and self.cutter is None

    def settle(self) -> None:
        """Bring the counters up to date."""
        if self.bundle is not None:
            self.bundle.settle(self.row)

    def leave(self) -> None:
        """Be in no bundle any more."""
        if self.bundle is not None:
            self.bundle.leave(self.row)

    def gap(self, now: float) -> int:
        """Timestamp units from the last stamp to that of a packet that begins a talkspurt now.

        As many as time has passed, but at least one packet, so that none overlaps the one before. What is too much by
        that is kept in mind (`ahead`), lest it add up from one change of source to the next: where they follow on each
        other faster than that, packets do overlap, and stamps stay within one packet of time.
        """
        least = self.rate // 50 if self.cutter is None else self.cutter.units
        if not self.stamp_at:
            return least
        due = round((now - self.stamp_at) * self.rate) - self.ahead
        gap = max(due, min(least, least + due), 1)
        self.ahead = gap - due
        return gap

    def frame(self, payload: bytes | memoryview, now: float, advance: int = FRAME) -> None:
        """Send one 20 ms payload of the tick, `advance` samples at 8 kHz after the last."""
        send = self.send
        if send is None:
            return
        if self.cutter is not None:
            self._cut(self.cutter, payload, now, advance)
            return
        second = self.payload_type
        if self.restart:
            self.restart = False
            second |= MARKER
            advance = self.gap(now)
        self.seq = seq = self.seq + 1 & 0xFFFF
        self.stamp = stamp = self.stamp + advance & 0xFFFFFFFF
        self.stamp_at = now
        packet = self.packet
        packet[HEADER_SIZE:] = payload
        _pack(packet, 0, PLAIN, second, seq, stamp, self.ssrc)
        try:
            send(self.view)
        except OSError as error:
            self.failed(error)
            return
        self.packets += 1
        self.octets += FRAME

    def _cut(self, cutter: Cutter, frame: bytes | memoryview, now: float, advance: int) -> None:
        if self.restart or advance != FRAME:
            rest = cutter.rest(now)
            if rest is not None:
                self._sound(rest)
            if self.restart:
                self.restart = False
                cutter.begin(self.stamp + self.gap(now) & 0xFFFFFFFF)
            else:
                cutter.skip(advance - FRAME)
        for cut in cutter.add(frame, now):
            self._sound(cut)

    def alone(self, payload: bytes, now: float) -> None:
        """Send one packet that belongs to nothing before or after it, of whatever length."""
        self.restart = True
        self._sound(Cut(payload=payload, stamp=self.stamp + self.gap(now) & 0xFFFFFFFF, at=now, marked=True))

    def event(self, payload: bytes, *, first: bool, now: float, advance: int = 0) -> None:
        """Send one telephone-event packet (RFC 4733 2.5.1): every packet of an event carries the time it began, or
        its segment, which began `advance` (in `dtmf_clock`) after the one before."""
        send = self.send
        if send is None or self.dtmf_type is None:
            return
        if first:
            self.stamp = self.stamp + self.gap(now) & 0xFFFFFFFF
            self.stamp_at = now
        elif advance:
            self.stamp = self.stamp + advance * self.rate // self.dtmf_clock & 0xFFFFFFFF
            self.stamp_at += advance / self.dtmf_clock
        self._send(send, payload, self.dtmf_type | (MARKER if first else 0))

    def _sound(self, cut: Cut) -> None:
        send = self.send
        if send is not None:
            self.stamp, self.stamp_at = cut.stamp, cut.at
            self._send(send, cut.payload, self.payload_type | (MARKER if cut.marked else 0))

    def _send(self, send: Send, payload: bytes, second: int) -> None:
        self.seq = self.seq + 1 & 0xFFFF
        packet = bytearray(HEADER_SIZE) + payload
        _pack(packet, 0, PLAIN, second, self.seq, self.stamp, self.ssrc)
        try:
            send(memoryview(packet))
        except OSError as error:
            self.failed(error)
            return
        self.packets += 1
        self.octets += len(payload)

    def failed(self, error: OSError) -> None:
        """Count what the kernel said; the peer may come back, so nothing is closed."""
        if isinstance(error, ConnectionRefusedError):
            self.refused += 1
        else:
            self.dropped += 1
