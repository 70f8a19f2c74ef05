"""What is too loud for 16 bits: a soft knee in the place of wrapping or clipping.

Up to `KNEE` (2.5 dB below full scale) a sum passes bit by bit; above it the curve bends, with the same slope at the
knee, so that nothing steps, and reaches full scale only in infinity:

    y = KNEE + HEAD * u / (HEAD + u)        u = |x| - KNEE, HEAD = 32767 - KNEE

It remembers nothing, so it may be cut anywhere, and one sink's loudness changes no other's. A single voice is never
given to it (see `mixer`): that fits as it is.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

KNEE: Final = 24576
"""Magnitude from which on the curve bends."""

HEAD: Final = 32767 - KNEE

_highest: Final = np.maximum.reduce
_lowest: Final = np.minimum.reduce
"""As `max` and `min` of an array, which first ask what is meant."""


def limit(sums: NDArray[np.int32]) -> NDArray[np.int16]:
    """Sums of any size as samples, in the same shape."""
    samples = sums.astype(np.int16)
    if sums.size and (_highest(sums, axis=None) > KNEE or _lowest(sums, axis=None) < -KNEE):
        loud = np.nonzero((sums > KNEE) | (sums < -KNEE))
        over = np.abs(sums[loud].astype(np.float64)) - KNEE
        samples[loud] = np.rint(np.copysign(KNEE + HEAD * over / (HEAD + over), sums[loud]))
    return samples
