"""Which rows are being played slower or faster now, to come to another depth (stretch.py says how it sounds)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.stretch import STEPS

MOST: Final = 8
"""Rows that slide at a time: what a tick costs is to stay what it is when all rows want to. The others wait."""


class Slides:
    """The rows that slide. A handful at most; everything here is a dict or an array of so many."""

    def __init__(self) -> None:
        self._place: dict[int, int] = {}
        """How far the delay of each sliding row has come, of STEPS."""
        self._direction: dict[int, int] = {}
        """1: towards a frame of delay, -1: towards none."""
        self._waiting: dict[int, None] = {}
        """Rows that are to be played a frame sooner as soon as they can."""

    def __len__(self) -> int:
        return len(self._place) + len(self._waiting)

    def review(self, later: list[int], sooner: list[int]) -> None:
        """Rows that should be played later, the neediest first, and rows that could be played a frame sooner."""
        self._waiting.clear()
        for row in later:
            if row in self._place:
                self._direction[row] = 1
            elif len(self._place) < MOST:
                self._place[row], self._direction[row] = 0, 1
        for row in sooner:
            if row not in self._place and len(self) < MOST:
                self._waiting[row] = None

    def turn(self, row: int) -> None:
        """The row has come to another depth by other means."""
        self._waiting.pop(row, None)
        if row in self._place:
            self._direction[row] = -1

    def drop(self, row: int) -> None:
        """The row is given back."""
        self._waiting.pop(row, None)
        self._place.pop(row, None)
        self._direction.pop(row, None)

    def clear(self) -> None:
        """Ticks were left out: nobody would hear the seam."""
        self._place.clear()
        self._direction.clear()
        self._waiting.clear()

    def waiting(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which of these rows are to be played a frame sooner: where they stand in `rows`."""
        return _among(rows, self._waiting)

    def begin(self, row: int) -> None:
        """This one has read a frame more, and goes from a frame of delay to none."""
        self._waiting.pop(row, None)
        self._place[row], self._direction[row] = STEPS, -1

    def full(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which of these rows have a whole frame of delay and want to keep it."""
        return _among(rows, [row for row, place in self._place.items() if place >= STEPS and self._direction[row] > 0])

    def growing(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Which of these rows are on the way to that."""
        return _among(rows, [row for row, direction in self._direction.items() if direction > 0])

    def sliding(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Which of these rows slide; their place and direction in this tick. They move on."""
        at = _among(rows, self._place)
        place, direction = [], []
        for row in rows[at].tolist():
            now = self._place[row]
            step = self._direction[row] if 0 <= now + self._direction[row] <= STEPS else 0
            place.append(now)
            direction.append(step)
            self._place[row] = now + step
            if now + step == 0:
                self.drop(row)
        return at, np.array(place, np.intp), np.array(direction, np.intp)


def _among(rows: NDArray[np.intp], some: dict[int, int] | dict[int, None] | list[int]) -> NDArray[np.intp]:
    return np.flatnonzero(np.isin(rows, list(some))) if some else np.zeros(0, np.intp)
