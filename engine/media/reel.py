"""The gathered sound of all recordings of one rate: one array [recordings, 2 sides, 50 frames, samples].

Once a second the row of each recording goes to its tape. Rows begin at different frames, so that no tick hands over
many.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.wire import Tape

FRAMES: Final = 50
"""Of 20 ms, until a recording's sound goes to its tape."""
_FIRST_ROWS: Final = 4
_SPREAD: Final = 19
"""Frames between the beginnings of neighbouring rows; prime to FRAMES."""


class Reel:
    """The gathered sound of all recordings of one rate."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self.frame = rate // 50
        self.block: NDArray[np.int16] = np.zeros((_FIRST_ROWS, 2, FRAMES, self.frame), np.int16)
        self.at: NDArray[np.intp] = np.zeros(_FIRST_ROWS, np.intp)
        self._begin: NDArray[np.intp] = np.zeros(_FIRST_ROWS, np.intp)
        self._used: NDArray[np.intp] = np.zeros(0, np.intp)
        """Rows that go on with every tick."""
        self._joining = False
        """A row was added since the last tick: ticks left out before do not count for it."""
        self._tapes: dict[int, Tape] = {}
        self._free = list(reversed(range(_FIRST_ROWS)))

    def __len__(self) -> int:
        return len(self._tapes)

    def add(self, tape: Tape) -> int:
        """A row for a recording."""
        if not self._free:
            old = len(self.block)
            self.block = np.concatenate((self.block, np.zeros_like(self.block)))
            self.at = np.concatenate((self.at, np.zeros_like(self.at)))
            self._begin = np.concatenate((self._begin, np.zeros_like(self._begin)))
            self._free += reversed(range(old, 2 * old))
        row = self._free.pop()
        self.at[row] = self._begin[row] = row * _SPREAD % FRAMES
        self._tapes[row] = tape
        self._joining = True
        return row

    def join(self) -> None:
        """Rows that were added go on with the others from now on."""
        if self._joining:
            self._joining = False
            self._used = np.array(sorted(self._tapes), np.intp)

    def remove(self, row: int) -> None:
        """Give its tape what is gathered, and a row back."""
        self._hand_over(row)
        del self._tapes[row]
        self._used = self._used[self._used != row]
        self._free.append(row)

    def lay(self, sound: NDArray[np.int16], rows: NDArray[np.intp], sides: NDArray[np.intp]) -> None:
        """Put a frame of each channel at its place: `sound` [channels, samples]."""
        self.block[rows, sides, self.at[rows]] = sound

    def advance(self) -> None:
        """A frame has passed for every recording."""
        used = self._used
        self.at[used] += 1
        for row in used[self.at[used] == FRAMES].tolist():
            self._hand_over(row)

    def _hand_over(self, row: int) -> None:
        begin, end = self._begin[row], self.at[row]
        if end > begin:
            self._tapes[row].write(self.block[row, :, begin:end].reshape(2, -1).T.tobytes())
        self.block[row] = 0
        self.at[row] = self._begin[row] = 0
