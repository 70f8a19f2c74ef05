"""What the play-out clocks of all rows say, in arrays, for who lays packets of many rows at once; `jitter.Playout` is
one row of them."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_COLUMNS: Final = 5


class Clocks:
    """A number of int64 a row in each column, and each column as a view that reads and writes single numbers fast."""

    def __init__(self, rows: int) -> None:
        self._columns: NDArray[np.int64] = np.zeros((_COLUMNS, rows), np.int64)
        self._view()

    def _view(self) -> None:
        self.octets, self.ssrc, self.origin, self.ends, self.late_run = self._columns
        self.octets_of, self.ssrc_of, self.origin_of, self.ends_of, self.late_run_of = map(_cells, self._columns)

    def grow(self) -> None:
        """Twice as many rows."""
        self._columns = np.concatenate((self._columns, np.zeros_like(self._columns)), axis=1)
        self._view()


def _cells(column: NDArray[np.int64]) -> memoryview[int]:
    return column.data.cast("B").cast("q")
