"""The pass-through path: a packet that only one leg's ears want leaves on arrival, its header rewritten in place.

`Forwarder.receive` runs for every RTP packet of the process (10,000 a second for 100 calls). Nearly all of them take
the fast lane (see `Reception`): one comparison of the header with what was promised, the jitter, the header written
back, sent. No object is made per packet. All else, and every packet of another RTP clock than 8000 Hz, goes to `_look`,
which is where a reader should begin. Both are pure: the packet lies in `buffer`, and `Transmission.send` is
whatever the leg was given.

What the far end sees is one stream with our SSRC. Sequence numbers and timestamps are the source's plus a constant, so
that loss and reordering stay visible to the far end's own jitter buffer; the constants change only when the source
does (`Relay.align`), and a marker says so (RFC 3550 5.1, RFC 3551 4.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

import numpy as np

from engine.media.codecs import RATE, decode, encode
from engine.media.commands import G711, Codec
from engine.media.laws import is_other_law, to_agreed_law
from engine.media.leg import Leg
from engine.media.mixer import ramp
from engine.media.reception import MAX_TRANSIT_STEP, UNTIMELY, Reception, samples_at
from engine.media.rtp import HEADER, HEADER_SIZE, MARKER, MAX_PACKET, PLAIN, flatten
from engine.media.table import Table
from engine.media.transmission import Send, Transmission

_HEAD: Final = struct.Struct("!HHII")
"""The header with its first two octets as one number: what the fast lane compares."""
_unpack: Final = _HEAD.unpack_from
_pack: Final = _HEAD.pack_into
_MAX_STEP: Final = MAX_TRANSIT_STEP
PAUSES: Final = 5
"""A fifth of a second: where a talkspurt begins, a greater step of the transit time is no jitter of the network."""
_PLAIN_HEAD: Final = PLAIN << 8


class Relay:
    """One edge of the hearing matrix that is passed through."""

    __slots__ = ("began", "seq_shift", "soft", "source_ssrc", "stamp_shift", "tx")

    def __init__(self, tx: Transmission, soft: Codec | None = None) -> None:
        """`soft`: the first packet's sound, in this codec, is faded in."""
        self.tx = tx
        self.soft = soft
        self.source_ssrc = -1
        """Of the stream that the shifts belong to; -1 before the first packet."""
        self.began = 0
        """Number of the first packet sent with these shifts."""
        self.seq_shift = 0
        self.stamp_shift = 0

    def align(self, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """Let the packet (seq, stamp) follow on what `tx` sent last."""
        self.source_ssrc = ssrc
        self.began = self.tx.seq + 1 & 0xFFFF
        self.seq_shift = self.began - seq
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
        transit = arrival - stamp
        delta: int = transit - rx.transit
        if delta < 0:
            delta = -delta
        if delta >= _MAX_STEP:
            rx.shut()
            self._look(rx, size, now, arrival)
            return True
        rx.jitter += (delta - rx.jitter) * 0.0625
        rx.next = seq + 1
        rx.heard_at = now
        rx.transit = transit
        send = rx.out_send
        if send is None:
            self._spread(rx.leg, size, 0, seq, stamp, ssrc, now, arrival)
            return delta > UNTIMELY
        _pack(
            self.buffer, 0, rx.out_head, seq + rx.seq_shift & 0xFFFF, stamp + rx.stamp_shift & 0xFFFFFFFF, rx.out_ssrc
        )
        try:
            send(rx.out_view)
        except OSError as error:
            rx.lane_failed += 1
            rx.leg.relays[0].tx.failed(error)
        return delta > UNTIMELY

    def _look(self, rx: Reception, size: int, now: float, arrival: int) -> None:
        """Any packet: check it, account for it, pass it on; then open the fast lane for the next one if it can be."""
        leg = rx.leg
        if HEADER_SIZE < size <= MAX_PACKET and self.buffer[0] != PLAIN:
            size = flatten(self.buffer, size)
        _, second, seq, stamp, ssrc = HEADER.unpack_from(self.buffer)
        kind = second & 0x7F
        if not HEADER_SIZE < size <= MAX_PACKET or kind not in (leg.payload_type, leg.dtmf_type, leg.comfort_type):
            if not self._changed_law(leg, size, kind):
                self._strange(leg, size, now)
                return
            kind = leg.payload_type
        if not rx.sequence(ssrc, seq):
            return
        if not rx.received:
            # A stream begins, be it with the old SSRC: whoever hears it is not to see the leap, for an encrypted
            # leg could not send a number that is far behind.
            for relay in leg.relays:
                relay.source_ssrc = -1
        rx.received += 1
        rx.octets += size - HEADER_SIZE
        rx.heard_at = now
        if kind == leg.dtmf_type:
            self._event(leg, size, second & MARKER, seq, stamp, ssrc, now)
            return
        if kind == leg.comfort_type:
            self._comfort(leg, size, second & MARKER, seq, stamp, ssrc, now, arrival)
            return
        at = arrival if rx.rate == RATE else int(now * rx.rate)
        if rx.leap(at, stamp) >= (rx.rate // PAUSES if second & MARKER else MAX_TRANSIT_STEP):
            # The stamps do not say how much time has passed: a talkspurt that does not count the silence before it,
            # or a source that was exchanged behind one stream.
            for relay in leg.relays:
                relay.source_ssrc = -1
        rx.clock(at, stamp)
        if rx.sampling:
            rx.sampling, rx.sample = False, bytes(self._views[size][HEADER_SIZE:])
        self._spread(leg, size, second & MARKER, seq, stamp, ssrc, now, arrival)
        if seq == rx.highest and rx.rate == RATE:
            self._open(leg, size)

    def _changed_law(self, leg: Leg, size: int, kind: int) -> bool:
        """Whether it is G.711 by the other law; then it has become what was agreed."""
        if not HEADER_SIZE < size <= MAX_PACKET or not is_other_law(leg.codec, kind):
            return False
        to_agreed_law(leg.codec, kind, self._views[size][HEADER_SIZE:])
        return True

    def _strange(self, leg: Leg, size: int, now: float) -> None:
        """What nobody takes. Where it is RTP at all it says that the peer lives: keep-alives are packets without a
        payload, or of a number that means nothing (RFC 6263 4.4, 4.6)."""
        leg.rx.strangers += 1
        if HEADER_SIZE <= size <= MAX_PACKET and self.buffer[0] >> 6 == PLAIN >> 6:
            leg.signs.lived_at = now

    def _open(self, leg: Leg, size: int) -> None:
        """Open the fast lane behind the packet that was just passed on."""
        rx = leg.rx
        relay = leg.relays[0] if len(leg.relays) == 1 else None
        rx.out_tx = None if relay is None else relay.tx
        rx.out_send = None
        if relay is not None:
            rx.out_send = relay.tx.send if leg.row < 0 else self._tap(rx, leg.row, relay.tx.send, self._views[size])
            rx.out_head = _PLAIN_HEAD | relay.tx.payload_type
            rx.out_ssrc = relay.tx.ssrc
            rx.out_view = self._views[size]
            rx.seq_shift = relay.seq_shift
            rx.stamp_shift = relay.stamp_shift
        rx.open(_PLAIN_HEAD | leg.payload_type, size)

    def _tap(self, rx: Reception, row: int, send: Send | None, view: memoryview) -> Send | None:
        """What a packet of the fast lane goes through where the mixer, or a recording, listens too."""
        if send is None:
            return None
        write, payload = self._table.write, view[HEADER_SIZE:]

        def both(packet: memoryview) -> int:
            arrival = samples_at(rx.heard_at)
            write(row, arrival - rx.transit, rx.ssrc, payload, False, arrival)
            return send(packet)

        return both

    def _spread(
        self, leg: Leg, size: int, marker: int, seq: int, stamp: int, ssrc: int, now: float, arrival: int
    ) -> None:
        """Give a voice packet to the mixer, if it listens, and to every leg that has it passed through."""
        if leg.row >= 0:
            self._table.write(leg.row, stamp, ssrc, self._views[size][HEADER_SIZE:], bool(marker), arrival)
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
        if seq - tx.seq & 0x8000:  # a straggler
            if tx.seq - seq & 0xFFFF > tx.seq - relay.began & 0xFFFF:
                return  # its number was another source's
        else:
            tx.seq = seq
            if stamp != tx.stamp:  # packets of one telephone-event carry the time it began
                tx.stamp, tx.stamp_at = stamp, now
        HEADER.pack_into(self.buffer, 0, PLAIN, second, seq, stamp, tx.ssrc)
        packet = self._views[size]
        if relay.soft is not None and second & 0x7F == tx.payload_type:
            packet, relay.soft = faded_in(packet, relay.soft), None
        try:
            tx.send(packet)
        except OSError as error:
            tx.failed(error)
            return
        tx.packets += 1
        tx.octets += size - HEADER_SIZE

    def _comfort(
        self, leg: Leg, size: int, marker: int, seq: int, stamp: int, ssrc: int, now: float, arrival: int
    ) -> None:
        """Comfort noise: the mixer plays it, and it passes through to the legs that know it."""
        if leg.row >= 0:
            self._table.silence(leg.row, stamp, ssrc, self.buffer[HEADER_SIZE] & 0x7F, arrival)
        for relay in leg.relays:
            if relay.tx.comfort_type is None:
                relay.seq_shift -= 1
            else:
                self._pass(relay, size, marker | relay.tx.comfort_type, seq, stamp, ssrc, now)

    def _event(self, leg: Leg, size: int, marker: int, seq: int, stamp: int, ssrc: int, now: float) -> None:
        """A telephone-event: to whoever takes digits, and through to the legs that can hear it."""
        if leg.listening:
            leg.digits_in.packet(self._views[size][HEADER_SIZE:], stamp, now, marker=bool(marker))
            self._pressed(leg)
        for relay in leg.relays:
            if relay.tx.dtmf_type is None or relay.tx.dtmf_clock != leg.digits_in.clock:
                # The far end has no telephone-event, or none of this clock: leave the packet out, and its number.
                relay.seq_shift -= 1
            else:
                self._pass(relay, size, marker | relay.tx.dtmf_type, seq, stamp, ssrc, now)


def faded_in(packet: memoryview, codec: Codec) -> memoryview:
    """A copy of a packet of G.711 whose sound begins from silence; of another codec just the packet."""
    if codec not in G711:
        return packet
    copy = bytearray(packet)
    codes = np.frombuffer(copy, np.uint8, offset=HEADER_SIZE)
    sound = np.rint(decode(codes, codec) * ramp(0.0, 1.0, len(codes))).astype(np.int16)
    codes[:] = encode(sound, codec)
    return memoryview(copy)
