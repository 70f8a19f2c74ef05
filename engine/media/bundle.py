"""Streams that are sent a frame each at every tick, all at once: their headers are rows of one array.

While a `Transmission` is in a bundle the bundle counts for it; `settle` brings it up to date, as that of `Reception`
does for the fast lane. Whoever changes where a stream goes, or feeds it otherwise, takes it out first
(`Transmission.leave`), which breaks the bundle: it is never sent again, and who owns it makes another of the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME
from engine.media.rtp import HEADER_SIZE, MARKER, PLAIN

if TYPE_CHECKING:
    from engine.media.transmission import Transmission

Fire = Callable[[], Sequence[tuple[int, int]]]
"""Sends every row as it is now; the rows that the kernel did not take, with its errno."""
Volley = Callable[[Sequence[int], NDArray[np.uint8]], Fire]
"""Makes a Fire of descriptors of connected sockets and the array of their packets [rows, octets]."""

_SEQ: Final = slice(2, 4)
_STAMP: Final = slice(4, 8)
_SSRC: Final = slice(8, 12)


class Bundle:
    """Some transmissions whose packets are a header and one frame of 160 octets, each with a socket of its own."""

    def __init__(self, members: Sequence[Transmission], volley: Volley) -> None:
        """Each member can be in a bundle and is in none."""
        rows = len(members)
        self.members = tuple(members)
        self._packets = np.zeros((rows, HEADER_SIZE + FRAME), np.uint8)
        whole, size = self._packets.reshape(-1).data, HEADER_SIZE + FRAME
        self.payloads = [whole[at * size + HEADER_SIZE : (at + 1) * size] for at in range(rows)]
        """What each is to be sent, 160 octets."""
        self._seq = np.array([tx.seq for tx in members], np.uint16)
        self._stamp = np.array([tx.stamp for tx in members], np.uint32)
        self._seqs = self._packets[:, _SEQ].view(">u2")[:, 0]
        self._stamps = self._packets[:, _STAMP].view(">u4")[:, 0]
        """As they stand in the packets."""
        self._packets[:, 0] = PLAIN
        self._packets[:, 1] = [tx.payload_type for tx in members]
        self._packets[:, _SSRC] = np.array([tx.ssrc for tx in members], ">u4").view(np.uint8).reshape(rows, 4)
        self._fire = volley([tx.descriptor for tx in members], self._packets)
        self._sent = 0
        self._sent_at = 0.0
        self._settled = [0] * rows
        """Of `_sent`, what each member knows of."""
        self._fresh = [row for row, tx in enumerate(members) if tx.restart]
        """Those whose talkspurt begins with the next packet."""
        self.broken = False
        """A member has left; it must not be sent again."""
        for row, tx in enumerate(members):
            tx.bundle, tx.row = self, row

    def send(self, now: float, advance: int = FRAME) -> None:
        """Send what stands in `payloads`, `advance` samples after the last."""
        assert not self.broken, "a socket of a broken bundle may be closed"
        fresh = self._fresh
        self._seq += np.uint16(1)
        self._stamp += np.uint32(advance)
        for row in fresh:
            tx = self.members[row]
            tx.restart = False
            self._stamp[row] = tx.stamp + tx.gap(now) & 0xFFFFFFFF
            self._packets[row, 1] |= MARKER
        self._seqs[:] = self._seq
        self._stamps[:] = self._stamp
        self._sent += 1
        self._sent_at = now
        for row, number in self._fire():
            self._failed(row, number)
        if fresh:
            self._packets[fresh, 1] &= 0x7F
            self._fresh = []

    def _failed(self, row: int, number: int) -> None:
        tx = self.members[row]
        tx.packets -= 1
        tx.octets -= FRAME
        tx.failed(OSError(number, ""))

    def settle(self, row: int) -> None:
        """Let a member know what was sent for it."""
        tx = self.members[row]
        count = self._sent - self._settled[row]
        if count:
            self._settled[row] = self._sent
            tx.packets += count
            tx.octets += count * FRAME
            tx.seq, tx.stamp, tx.stamp_at = int(self._seq[row]), int(self._stamp[row]), self._sent_at

    def leave(self, row: int) -> None:
        """A member goes its own way again."""
        self.settle(row)
        self.members[row].bundle = None
        self.broken = True

    def disband(self) -> None:
        """All go their own way again."""
        for row, tx in enumerate(self.members):
            if tx.bundle is self:
                self.leave(row)
