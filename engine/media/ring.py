"""What waits to be played: coded sound of every row by its place on the play-out clock, and which of it is there.

A row's slots follow each other, each as long as 20 ms are in the row's codec, so packets of any length fit. What came
is known by sixteenths of a slot; when a slot has been read it counts as empty, whatever octets are left in it.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.clocks import Clocks

SLOTS: Final = 20
"""Frames of a row; 400 ms."""

BLOCKS: Final = 16
"""Parts of a slot that are known to be there or not."""

WHOLE: Final = (1 << BLOCKS) - 1


class Ring:
    """Slots of all rows, and the shift of each row's play-out clock."""

    def __init__(self, rows: int, octets: int) -> None:
        """`octets` of a slot; `widen` makes room for more."""
        self.codes: NDArray[np.uint8] = np.zeros((rows, SLOTS * octets), np.uint8)
        """[rows, octets]; a row of a codec with fewer octets uses the first of them."""
        self.cover: NDArray[np.uint16] = np.zeros((rows, SLOTS), np.uint16)
        """A bit for each block that came."""
        self.shift: NDArray[np.intp] = np.zeros(rows, np.intp)
        """Frame of each row that tick 0 would have played."""
        self.clocks = Clocks(rows)
        self.played: NDArray[np.uint16] = np.zeros((rows, SLOTS), np.uint16)
        """`cover` of each slot when it was read last."""
        self.stride = self.codes.shape[1]
        self.octets = self.codes.reshape(-1).data
        """`codes` for who writes packets."""
        self.blocks = self.cover.reshape(-1).data
        """`cover` likewise."""

    def grow(self) -> None:
        """Twice as many rows."""
        self.codes = np.concatenate((self.codes, np.zeros_like(self.codes)))
        self.cover = np.concatenate((self.cover, np.zeros_like(self.cover)))
        self.played = np.concatenate((self.played, np.zeros_like(self.played)))
        self.shift = np.concatenate((self.shift, np.zeros_like(self.shift)))
        self.clocks.grow()
        self.octets = self.codes.reshape(-1).data
        self.blocks = self.cover.reshape(-1).data

    def widen(self, octets: int) -> None:
        """Make room for slots of so many octets."""
        wider = octets * SLOTS - self.codes.shape[1]
        if wider > 0:
            self.codes = np.pad(self.codes, ((0, 0), (0, wider)))
            self.stride = self.codes.shape[1]
            self.octets = self.codes.reshape(-1).data

    def empty(self, row: int) -> None:
        """Nothing of this row is to be played."""
        self.cover[row] = 0
        self.played[row] = 0

    def lay(self, row: int, start: int, payload: memoryview, frame: int, width: int) -> bool:
        """Put sound where it will be read: from place `start`, with `frame` places in a slot and `width` octets in a
        place. False when all of it was there already."""
        slot, offset = divmod(start, frame)
        slot %= SLOTS
        octets = frame * width
        if offset or len(payload) != octets:
            return self._lay_pieces(row, slot, offset * width, payload, octets)
        cover = self.blocks
        if cover[row * SLOTS + slot] == WHOLE:
            return False
        cover[row * SLOTS + slot] = WHOLE
        base = row * self.stride + slot * octets
        self.octets[base : base + octets] = payload
        return True

    def _lay_pieces(self, row: int, slot: int, offset: int, payload: memoryview, octets: int) -> bool:
        """The same for a packet that is not just one slot."""
        cover, done, news = self.blocks, 0, False
        while done < len(payload):
            piece = payload[done : done + octets - offset]
            end = offset + len(piece)
            bits = (1 << -(-end * BLOCKS // octets)) - (1 << offset * BLOCKS // octets)
            at = row * SLOTS + slot
            if bits & ~cover[at]:
                news = True
                cover[at] |= bits
                base = row * self.stride + slot * octets
                self.octets[base + offset : base + end] = piece
            done += len(piece)
            offset = 0
            slot = (slot + 1) % SLOTS
        return news

    def take(self, rows: NDArray[np.intp], tick: int, octets: int) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
        """What the rows, of a codec with so many octets a slot, play at this tick: codes [rows, octets], cover [rows].
        The slots are empty afterwards."""
        slots = (self.shift[rows] + tick) % SLOTS
        codes = self.codes.reshape(len(self.codes), -1, octets)[rows, slots]
        cover = self.cover[rows, slots]
        self.cover[rows, slots] = 0
        self.played[rows, slots] = cover
        return codes, cover

    def ready(self, row: int, tick: int, count: int) -> bool:
        """Whether the row's next so many slots came whole."""
        first = int(self.shift[row]) + tick
        return all(self.blocks[row * SLOTS + slot % SLOTS] == WHOLE for slot in range(first, first + count))

    def was_played(self, row: int, start: int, frame: int) -> bool:
        """Whether what belongs at place `start`, of a slot that was read already, came before that."""
        slot, offset = divmod(start, frame)
        return bool(self.played[row, slot % SLOTS] >> (offset * BLOCKS // frame) & 1)

    def hush(self, ticks: range) -> None:
        """Empty the slots of ticks that will not be played, so that their sound does not come round again."""
        rows = np.arange(len(self.shift))
        for tick in ticks:
            slots = (self.shift + tick) % SLOTS
            self.cover[rows, slots] = 0
            self.played[rows, slots] = 0


def heard(cover: NDArray[np.uint16], samples: int) -> NDArray[np.bool_]:
    """Which of so many samples of a frame came: [rows, samples]."""
    bits = (cover[:, np.newaxis] >> np.arange(BLOCKS, dtype=np.uint16)) & 1
    return np.repeat(bits.astype(bool), samples // BLOCKS, axis=1)
