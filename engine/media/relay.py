"""The pass-through path: a packet that only one leg's ears want leaves on arrival, its header rewritten in place.

`Forwarder.receive` is the one function that runs for every RTP packet of the process (10,000 a second for 100 calls),
so it is written flat: no object per packet, the common case (plain header, known payload, next in sequence) first, all
else in methods below it. It is pure: the packet lies in `buffer`, and `Transmission.send` is whatever the leg was
given.

What the far end sees is one stream with our SSRC. Sequence numbers and timestamps are the source's plus a constant, so
that loss and reordering stay visible to the far end's own jitter buffer; the constants change only when the source
does (`Relay.align`), and a marker says so (RFC 3550 5.1, RFC 3551 4.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.media.rtp import HEADER, HEADER_SIZE, MARKER, MAX_PACKET, PLAIN, flatten
from engine.media.transmission import Transmission

if TYPE_CHECKING:
    from engine.media.leg import Leg
    from engine.media.table import Table


class Relay:
    """One edge of the hearing matrix that is passed through."""

    __slots__ = ("seq_shift", "source_ssrc", "stamp_shift", "tx")

    def __init__(self, tx: Transmission) -> None:
        self.tx = tx
        self.source_ssrc = -1
        """Of the stream that the shifts belong to; -1 before the first packet."""
        self.seq_shift = 0
        self.stamp_shift = 0

    def align(self, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """Let the packet (seq, stamp) follow on what `tx` sent last."""
        self.source_ssrc = ssrc
        self.seq_shift = self.tx.seq + 1 - seq
        self.stamp_shift = self.tx.stamp + self.tx.gap(now) - stamp


class Forwarder:
    """Takes each received packet to the legs that hear its sender."""

    def __init__(self, table: Table, pressed: Callable[[Leg], None]) -> None:
        """`pressed` is called when a leg's peer has finished a digit."""
        self.table = table
        self._pressed = pressed
        self.buffer = bytearray(2048)
        """The socket reads into this; one packet is dealt with before the next is read."""
        whole = memoryview(self.buffer)
        self._views = [whole[:size] for size in range(len(self.buffer) + 1)]
        self.received = 0
        self.relayed = 0

    def receive(self, leg: Leg, size: int, now: float) -> bool:  # noqa: PLR0911  # flat on purpose, see above
        """Deal with `buffer[:size]`, heard on `leg` at `now`. False when it was not valid RTP."""
        buffer = self.buffer
        rx = leg.rx
        if not HEADER_SIZE < size <= MAX_PACKET:
            rx.strangers += 1
            return False
        first, second, seq, stamp, ssrc = HEADER.unpack_from(buffer)
        if first != PLAIN:
            size = flatten(buffer, size)
            if size <= HEADER_SIZE:
                rx.strangers += 1
                return False
        kind = second & 0x7F
        if kind != leg.payload_type:
            return self._event(leg, size, now)
        if ssrc == rx.ssrc and (seq - rx.highest) & 0xFFFF == 1:
            rx.highest = seq
            if not seq:
                rx.cycles += 0x10000
        elif not rx.sequence(ssrc, seq):
            return True
        self.received += 1
        rx.received += 1
        rx.octets += size - HEADER_SIZE
        rx.heard_at = now
        transit = int(now * 8000) - stamp
        delta = transit - rx.transit
        rx.transit = transit
        if -80_000 < delta < 80_000:
            rx.jitter += ((delta if delta >= 0 else -delta) - rx.jitter) * 0.0625
        relay = leg.relay
        if relay is None:
            if leg.outlets:
                self._spread(leg, size, second, seq, stamp, ssrc, now)
            return True
        tx = relay.tx
        second = second & MARKER | tx.payload_type
        if relay.source_ssrc != ssrc:
            relay.align(seq, stamp, ssrc, now)
            second |= MARKER
        tx.seq = seq = (seq + relay.seq_shift) & 0xFFFF
        tx.stamp = stamp = (stamp + relay.stamp_shift) & 0xFFFFFFFF
        HEADER.pack_into(buffer, 0, PLAIN, second, seq, stamp, tx.ssrc)
        tx.sent_at = now
        try:
            tx.send(self._views[size])  # type: ignore[misc]  # the planner gives no relay to a leg that may not send
        except OSError as error:
            tx.failed(error)
            return True
        tx.packets += 1
        tx.octets += size - HEADER_SIZE
        self.relayed += 1
        return True

    def _spread(self, leg: Leg, size: int, second: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """Several legs pass this one's sound through, or the mixer wants it, or both."""
        if leg.row >= 0:
            self.table.write(leg.row, stamp, ssrc, self._views[size][HEADER_SIZE:], bool(second & MARKER))
        for relay in leg.relays:
            self._pass(relay, size, second & MARKER | relay.tx.payload_type, seq, stamp, ssrc, now)

    def _pass(self, relay: Relay, size: int, second: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        tx = relay.tx
        if relay.source_ssrc != ssrc:
            relay.align(seq, stamp, ssrc, now)
            second |= MARKER
        tx.seq = (seq + relay.seq_shift) & 0xFFFF
        tx.stamp = (stamp + relay.stamp_shift) & 0xFFFFFFFF
        HEADER.pack_into(self.buffer, 0, PLAIN, second, tx.seq, tx.stamp, tx.ssrc)
        tx.sent_at = now
        try:
            tx.send(self._views[size])  # type: ignore[misc]  # see receive
        except OSError as error:
            tx.failed(error)
            return
        tx.packets += 1
        tx.octets += size - HEADER_SIZE
        self.relayed += 1

    def _event(self, leg: Leg, size: int, now: float) -> bool:
        """A payload type that is not the codec's: a telephone-event, or a stranger."""
        rx = leg.rx
        _, second, seq, stamp, ssrc = HEADER.unpack_from(self.buffer)
        if second & 0x7F != leg.dtmf_type:
            rx.strangers += 1
            return False
        if not rx.sequence(ssrc, seq):
            return True
        self.received += 1
        rx.received += 1
        rx.octets += size - HEADER_SIZE
        rx.heard_at = now
        if leg.listening:
            leg.digits_in.packet(self._views[size][HEADER_SIZE:], stamp, now)
            if leg.digits_in.found:
                self._pressed(leg)
        for relay in leg.relays:
            if relay.tx.dtmf_type is None:
                # The far end has no telephone-event: leave the packet out, and the number it would have had.
                relay.seq_shift -= 1
                continue
            self._pass(relay, size, second & MARKER | relay.tx.dtmf_type, seq, stamp, ssrc, now)
        return True
