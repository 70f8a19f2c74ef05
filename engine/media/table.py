"""The struct of arrays: one row for each leg that the mixer listens to, and nothing for all others.

`ring[row]` holds coded samples by their place on the play-out clock (see jitter.py), so packets of any length fit; a
slot is made silent again when it has been read, so what never came is silence.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import DECODE, FRAME, SILENCE
from engine.media.jitter import MAX_PAYLOAD, RING, SLOTS, Placement

_FIRST_ROWS: Final = 16


class Table:
    """Rows of coded sound, read one 20 ms slot at a time for all rows that a plan names."""

    def __init__(self) -> None:
        self.tick = 0
        """The next tick to be read; the loop moves it on."""
        self.ring: NDArray[np.uint8] = np.zeros((_FIRST_ROWS, SLOTS, FRAME), np.uint8)
        self._flat = self.ring.reshape(-1).data
        self._placements: list[Placement] = [Placement() for _ in range(_FIRST_ROWS)]
        self._codecs = [0] * _FIRST_ROWS
        self._ends = [0] * _FIRST_ROWS
        self._free = list(reversed(range(_FIRST_ROWS)))

    @property
    def rows(self) -> int:
        """Rows in use."""
        return len(self._codecs) - len(self._free)

    def add(self, codec: int) -> int:
        """A row for a source of this codec (index into CODECS), silent."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._codecs[row] = codec
        self._placements[row] = Placement()
        self._ends[row] = 0
        self.ring[row] = SILENCE[codec]
        return row

    def remove(self, row: int) -> None:
        """Give a row back."""
        self._free.append(row)

    def codec(self, row: int) -> int:
        return self._codecs[row]

    def placement(self, row: int) -> Placement:
        return self._placements[row]

    def _grow(self) -> None:
        old = len(self._codecs)
        self.ring = np.concatenate((self.ring, np.zeros_like(self.ring)))
        self._flat = self.ring.reshape(-1).data
        self._placements += [Placement() for _ in range(old)]
        self._codecs += [0] * old
        self._ends += [0] * old
        self._free += reversed(range(old, 2 * old))

    def write(self, row: int, stamp: int, ssrc: int, payload: memoryview, marker: bool) -> None:
        """Lay one packet's codes where the play-out clock will find them; a packet too late is dropped."""
        size = len(payload)
        if size > MAX_PAYLOAD:
            return
        tick = self.tick
        empty = marker and self._ends[row] <= tick * FRAME
        start = self._placements[row].place(stamp, ssrc, tick, empty=empty)
        if start < 0:
            return
        self._ends[row] = max(self._ends[row], start + size)
        begin = start % RING
        base = row * RING
        over = begin + size - RING
        if over <= 0:
            self._flat[base + begin : base + begin + size] = payload
        else:
            self._flat[base + begin : base + RING] = payload[: size - over]
            self._flat[base : base + over] = payload[size - over :]

    def read(self, groups: list[tuple[int, NDArray[np.intp]]], out: NDArray[np.int16]) -> None:
        """Decode this tick's slot of some rows into `out`, in the order of the groups, and make the slot silent.

        `groups`: (codec index, rows). `out`: int16 [rows in all, 160].
        """
        slot = self.tick % SLOTS
        begin = 0
        for codec, rows in groups:
            end = begin + len(rows)
            np.take(DECODE[codec], self.ring[rows, slot], out=out[begin:end], mode="clip")
            self.ring[rows, slot] = SILENCE[codec]
            begin = end

    def hush(self, ticks: range) -> None:
        """Make the slots of ticks that were never played silent, so that their sound does not come round again."""
        for row, codec in enumerate(self._codecs):
            self.ring[row, [tick % SLOTS for tick in ticks]] = SILENCE[codec]
