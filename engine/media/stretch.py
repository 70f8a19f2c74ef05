"""How a row is played later or sooner without a gap: slower or faster by a two-hundredth for four seconds.

A row that slides is played through a delay that grows from nothing to one frame (or shrinks from one to nothing), read
between the samples. When the delay has reached a frame, the row rests for one tick in the ring; where it is to shrink,
two slots are read in its first tick. Half a per cent is the ninth part of a semitone: nobody hears it, whatever is
being played, and no period needs to be found.

Between samples Lagrange's polynomial through eight of them is read, in the last few samples of a frame, whose
successors are not known yet, through fewer.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

STEPS: Final = 200
"""Ticks that a slide takes, and parts of a sample that are told apart."""

_POINTS: Final = 4
"""Samples on either side."""


def _weights() -> NDArray[np.float32]:
    """[points on either side - 1, part of a sample, 8]: the basis of Lagrange's polynomials."""
    place = np.arange(STEPS) / STEPS
    weights = np.zeros((_POINTS, STEPS, 2 * _POINTS), np.float32)
    for half in range(1, _POINTS + 1):
        points = range(1 - half, half + 1)
        for point in points:
            factors = [(place - other) / (point - other) for other in points if other != point]
            weights[half - 1, :, point + _POINTS - 1] = np.prod(factors, axis=0)
    return weights


_WEIGHTS: Final = _weights()


def slid(past: NDArray[np.int16], place: NDArray[np.intp], direction: NDArray[np.intp]) -> NDArray[np.int16]:
    """One frame of each row through its delay.

    `past` [rows, 3 * samples]: three frames, the newest last. `place` [rows]: how far the delay has come, of STEPS, at
    the beginning of the frame; it moves by `direction` (1, -1, or 0) until its end.
    """
    samples = past.shape[1] // 3
    sample = np.arange(samples)
    where = STEPS * (2 * samples + sample) - place[:, np.newaxis] * samples - direction[:, np.newaxis] * sample
    before, part = np.divmod(where, STEPS)
    half = np.clip(past.shape[1] - 1 - before, 1, _POINTS)
    around = np.minimum(before[:, :, np.newaxis] + np.arange(1 - _POINTS, _POINTS + 1), past.shape[1] - 1)
    values = past[np.arange(len(past))[:, np.newaxis, np.newaxis], around]
    read = np.einsum("rsp,rsp->rs", values.astype(np.float32), _WEIGHTS[half - 1, part])
    frame: NDArray[np.int16] = np.clip(np.rint(read), -32768, 32767).astype(np.int16)
    return frame
