"""What can be repeated of a sound that breaks off: its period, and one round of it without a seam.

For all rows of a tick at once. The period is the lag of the greatest normalised correlation of the last 20 ms with what
stood before them (ITU-T G.711 Appendix I, which looks at 5 to 15 ms; here at 4 to 20, so that there is a multiple of
the period for every tone, too).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.media.codecs import FRAME

Samples = NDArray[np.float32]

SHORTEST: Final = 32
"""Lag in samples at 8 kHz."""

LONGEST: Final = FRAME
"""Lag in samples at 8 kHz: voices down to 50 Hz."""

_EVERY: Final = 2
"""Of the samples at 8 kHz every second one is compared."""


def periods(tails: Samples) -> NDArray[np.intp]:
    """The best lag of each row. `tails` [rows, 2 * LONGEST * times]: the last 40 ms, at `times` 8 kHz."""
    length = tails.shape[1] // 2
    times = length // LONGEST
    last = tails[:, length :: _EVERY * times]
    windows = sliding_window_view(tails, length, axis=1)[:, : length - SHORTEST * times + 1, :: _EVERY * times]
    products = np.einsum("rwn,rn->rw", windows, last)
    energies = np.einsum("rwn,rwn->rw", windows, windows)
    best: NDArray[np.intp] = length - np.argmax(products / np.sqrt(energies + 1), axis=1)
    return best


def cycles(tails: Samples, lags: NDArray[np.intp]) -> Samples:
    """One period of each row, to be repeated: [rows, LONGEST * times], of which the first `lag` samples count.

    It goes on from the last sample of `tails`. Its last quarter is blended into what stood before the period, so that
    its end joins its own beginning.
    """
    length = tails.shape[1] // 2
    lag = lags[:, np.newaxis]
    place = np.arange(length)
    quarter = lag // 4
    weight = np.clip((place - (lag - quarter) + 1) / (quarter + 1), 0, 1).astype(np.float32)
    last = np.take_along_axis(tails, np.minimum(2 * length - lag + place, 2 * length - 1), axis=1)
    before = np.take_along_axis(tails, np.minimum(2 * length - 2 * lag + place, 2 * length - 1), axis=1)
    joined: Samples = last * (1 - weight) + before * weight
    return joined
