"""The pass-through path: a packet that only one leg's ears want leaves on arrival, its header rewritten in place.

`Forwarder.receive` runs for every RTP packet of the process (10,000 a second for 100 calls). Nearly all of them take
the fast lane (see `Reception`): one comparison of the header with what was promised, the jitter, the header written
back, sent. No object is made per packet. All else goes to `_look`, which is where a reader should begin. Both are pure:
the packet lies in `buffer`, and `Transmission.send` is whatever the leg was given.

What the far end sees is one stream with our SSRC. Sequence numbers and timestamps are the source's plus a constant, so
that loss and reordering stay visible to the far end's own jitter buffer; the constants change only when the source
does (`Relay.align`), and a marker says so (RFC 3550 5.1, RFC 3551 4.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from engine.media.leg import Leg
from engine.media.reception import MAX_TRANSIT_STEP, Reception
from engine.media.rtp import HEADER, HEADER_SIZE, MARKER, MAX_PACKET, PLAIN, flatten
from engine.media.table import Table
from engine.media.transmission import Transmission

_HEAD: Final = struct.Struct("!HHII")
"""The header with its first two octets as one number: what the fast lane compares."""
_unpack: Final = _HEAD.unpack_from
_pack: Final = _HEAD.pack_into
_MAX_STEP: Final = MAX_TRANSIT_STEP
_UNTIMELY: Final = 80
"""Samples (10 ms) by which the transit of a packet may differ from the last one's."""
_PLAIN_HEAD: Final = PLAIN << 8


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
        """`pressed` is called for every packet of a digit that a leg's peer sends."""
        self.buffer = bytearray(2048)
        """The socket reads into this; one packet is dealt with before the next is read."""
        whole = memoryview(self.buffer)
        self._views = [whole[:size] for size in range(len(self.buffer) + 1)]
        self._table = table
        self._pressed = pressed

    def receive(self, rx: Reception, size: int, now: float, arrival: int) -> bool:
        """Deal with `buffer[:size]`, heard at `now`, which is `arrival` in samples (`reception.samples_at`).

        True when the packet was out of turn or out of time, so that another may be waiting behind it.
        """
        head, seq, stamp, ssrc = _unpack(self.buffer)
        if seq != rx.next or ssrc != rx.ssrc or head != rx.head or size != rx.size:
            rx.shut()
            self._look(rx, size, now, arrival)
            return True
        rx.next = seq + 1
        rx.heard_at = now
        transit = arrival - stamp
        delta: int = transit - rx.transit
        rx.transit = transit
        if delta < 0:
            delta = -delta
        if delta < _MAX_STEP:
            rx.jitter += (delta - rx.jitter) * 0.0625
        send = rx.out_send
        if send is None:
            self._spread(rx.leg, size, 0, seq, stamp, ssrc, now)
            return delta > _UNTIMELY
        _pack(
            self.buffer, 0, rx.out_head, seq + rx.seq_shift & 0xFFFF, stamp + rx.stamp_shift & 0xFFFFFFFF, rx.out_ssrc
        )
        try:
            send(rx.out_view)
        except OSError as error:
            rx.lane_failed += 1
            rx.leg.relays[0].tx.failed(error)
        return delta > _UNTIMELY

    def _look(self, rx: Reception, size: int, now: float, arrival: int) -> None:
        """Any packet: check it, account for it, pass it on; then open the fast lane for the next one if it can be."""
        leg = rx.leg
        if HEADER_SIZE < size <= MAX_PACKET and self.buffer[0] != PLAIN:
            size = flatten(self.buffer, size)
        _, second, seq, stamp, ssrc = HEADER.unpack_from(self.buffer)
        kind = second & 0x7F
        if not HEADER_SIZE < size <= MAX_PACKET or kind not in (leg.payload_type, leg.dtmf_type):
            rx.strangers += 1
            return
        if not rx.sequence(ssrc, seq):
            return
        rx.received += 1
        rx.octets += size - HEADER_SIZE
        rx.heard_at = now
        if kind == leg.dtmf_type:
            self._event(leg, size, second & MARKER, seq, stamp, ssrc, now)
            return
        rx.clock(arrival, stamp)
        self._spread(leg, size, second & MARKER, seq, stamp, ssrc, now)
        if seq == rx.highest and (leg.row >= 0 or leg.relays):
            self._open(leg, size)

    def _open(self, leg: Leg, size: int) -> None:
        """Open the fast lane behind the packet that was just passed on."""
        rx = leg.rx
        relay = leg.relays[0] if len(leg.relays) == 1 and leg.row < 0 else None
        rx.out_tx = None if relay is None else relay.tx
        rx.out_send = None
        if relay is not None:
            rx.out_send = relay.tx.send
            rx.out_head = _PLAIN_HEAD | relay.tx.payload_type
            rx.out_ssrc = relay.tx.ssrc
            rx.out_view = self._views[size]
            rx.seq_shift = relay.seq_shift
            rx.stamp_shift = relay.stamp_shift
        rx.open(_PLAIN_HEAD | leg.payload_type, size)

    def _spread(self, leg: Leg, size: int, marker: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """Give a voice packet to the mixer, if it listens, and to every leg that has it passed through."""
        if leg.row >= 0:
            self._table.write(leg.row, stamp, ssrc, self._views[size][HEADER_SIZE:], bool(marker))
        for relay in leg.relays:
            self._pass(relay, size, marker | relay.tx.payload_type, seq, stamp, ssrc, now)

    def _pass(self, relay: Relay, size: int, second: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        tx = relay.tx
        if tx.send is None:
            return
        if relay.source_ssrc != ssrc:
            relay.align(seq, stamp, ssrc, now)
            second |= MARKER
        seq = seq + relay.seq_shift & 0xFFFF
        stamp = stamp + relay.stamp_shift & 0xFFFFFFFF
        if seq - tx.seq & 0x8000 == 0:  # not a straggler
            tx.seq = seq
            if stamp != tx.stamp:  # packets of one telephone-event carry the time it began
                tx.stamp, tx.stamp_at = stamp, now
        HEADER.pack_into(self.buffer, 0, PLAIN, second, seq, stamp, tx.ssrc)
        try:
            tx.send(self._views[size])
        except OSError as error:
            tx.failed(error)
            return
        tx.packets += 1
        tx.octets += size - HEADER_SIZE

    def _event(self, leg: Leg, size: int, marker: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """A telephone-event: to whoever takes digits, and through to the legs that can hear it."""
        if leg.listening:
            leg.digits_in.packet(self._views[size][HEADER_SIZE:], stamp, now)
            self._pressed(leg)
        for relay in leg.relays:
            if relay.tx.dtmf_type is None:
                # The far end has no telephone-event: leave the packet out, and the number it would have had.
                relay.seq_shift -= 1
            else:
                self._pass(relay, size, marker | relay.tx.dtmf_type, seq, stamp, ssrc, now)
