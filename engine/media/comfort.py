"""Comfort noise (RFC 3389): what is played of a sender that is silent and said how its silence sounds.

The level alone is used; the reflection coefficients of the spectrum, which few send, are not. White noise of the right
level tells a listener as well that the line is alive.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_POOL: Final = 1 << 14
"""Samples of noise that all rows cut their frames from."""

_STRIDE: Final = 4099
_OFFSET: Final = 1303
"""Prime, so that neither the frames of a row nor the rows of a frame resemble each other."""

FULL: Final = 32768.0
"""0 dBov as RMS (RFC 3389 section 3): that of a square wave at overload."""

NONE: Final = -1


class Comfort:
    """What each row of the table last heard of its sender's silence."""

    def __init__(self, rows: int) -> None:
        self.level: NDArray[np.int16] = np.full(rows, NONE, np.int16)
        """Decibels below FULL, or NONE."""
        self.since: NDArray[np.int64] = np.zeros(rows, np.int64)
        """Place, in samples, from which on it is so."""
        self._gain: NDArray[np.float32] = np.zeros(rows, np.float32)
        """RMS at the end of the last frame of noise."""
        self._noise = np.clip(np.random.default_rng(3389).standard_normal(_POOL), -3, 3).astype(np.float32)
        self._noise /= np.sqrt(np.mean(self._noise**2))

    def grow(self) -> None:
        """Twice as many rows."""
        self.level = np.concatenate((self.level, np.full_like(self.level, NONE)))
        self.since = np.concatenate((self.since, np.zeros_like(self.since)))
        self._gain = np.concatenate((self._gain, np.zeros_like(self._gain)))

    def begin(self, row: int) -> None:
        """A row has another owner."""
        self.level[row] = NONE
        self._gain[row] = 0

    def told(self, row: int, level: int, since: int) -> None:
        """The sender is silent from this place on, at so many decibels below overload."""
        self.level[row] = level
        self.since[row] = since

    def due(self, rows: NDArray[np.intp], ends: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Rows whose silence before the place `ends` was announced."""
        due: NDArray[np.bool_] = (self.level[rows] != NONE) & (self.since[rows] < ends)
        return due

    def heard(self, rows: NDArray[np.intp], until: NDArray[np.intp]) -> None:
        """Sound came up to the place `until`: silence announced before it is over."""
        over = rows[self.since[rows] < until]
        self.level[over] = NONE
        self._gain[over] = 0

    def noise(self, rows: NDArray[np.intp], samples: int, tick: int) -> NDArray[np.float32]:
        """One frame for each of the rows [rows, samples], from the loudness of the last one to that of now."""
        starts = (tick * _STRIDE + rows * _OFFSET) % (_POOL - samples)
        target = (FULL * 10 ** (self.level[rows] / -20)).astype(np.float32)
        ramp = np.linspace(1 / samples, 1, samples, dtype=np.float32)
        before = self._gain[rows][:, np.newaxis]
        self._gain[rows] = target
        gain: NDArray[np.float32] = before + (target[:, np.newaxis] - before) * ramp
        noise: NDArray[np.float32] = gain * self._noise[starts[:, np.newaxis] + np.arange(samples)]
        return noise
