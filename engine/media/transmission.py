"""What a leg sends: one RTP stream with its own SSRC, whose sequence and clock never jump when its source changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.media.codecs import FRAME, RATE
from engine.media.rtp import HEADER, HEADER_SIZE, MARKER, PLAIN

_pack: Final = HEADER.pack_into

Send = Callable[[memoryview], int]
"""Puts one datagram on the wire: `socket.send` of the leg's own connected socket, or a stand-in. Raises OSError."""


class Transmission:
    """One outgoing stream. `relay.Forwarder` and `step.Step` take turns in feeding it; `restart` marks the turn."""

    __slots__ = (
        "dropped",
        "dtmf_type",
        "octets",
        "packet",
        "packets",
        "payload_type",
        "refused",
        "restart",
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
        """Monotonic seconds that `stamp` belongs to; 0 before the first packet."""
        self.payload_type = 0
        self.dtmf_type: int | None = None
        self.send: Send | None = None
        """None while nothing may be sent (no remote address, hold, closed)."""
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

    def gap(self, now: float) -> int:
        """Timestamp units from the last stamp to one for now, at least one frame."""
        return max(FRAME, round((now - self.stamp_at) * RATE)) if self.stamp_at else FRAME

    def frame(self, payload: bytes | memoryview, now: float, advance: int = FRAME) -> None:
        """Send one 20 ms payload of the tick, `advance` samples after the last."""
        send = self.send
        if send is None:
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

    def event(self, payload: bytes, *, first: bool, now: float) -> None:
        """Send one telephone-event packet (RFC 4733 2.5.1): every packet of an event carries the time it began."""
        send = self.send
        if send is None or self.dtmf_type is None:
            return
        if first:
            self.stamp = self.stamp + self.gap(now) & 0xFFFFFFFF
            self.stamp_at = now
        self.seq = self.seq + 1 & 0xFFFF
        second = self.dtmf_type | (MARKER if first else 0)
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
