"""Says how loud audio is, in dB below a sine wave of full scale."""

from __future__ import annotations

import math
import threading
from typing import Final

import numpy as np

from softphone.audio.ring import Samples

FULL_SCALE: Final = 32767
"""Peak of the loudest sine that 16 bits hold; its level is 0 dBFS (AES17 defines dBFS by the sine, not by its RMS)."""
SILENCE_DBFS: Final = -100.0
"""Reported for digital silence, where the logarithm has no value; one bit of noise lies near -87."""


class LevelMeter:
    """Mean level since it was last asked: written by an audio thread, read by the owner thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._energy = 0.0
        self._count = 0

    def add(self, samples: Samples) -> None:
        """Take a block into the mean."""
        wide = samples.astype(np.float64)
        energy = float(np.dot(wide, wide))
        with self._lock:
            self._energy += energy
            self._count += len(samples)

    def take_dbfs(self) -> float:
        """Return the level in dBFS since the last call, one decimal, and start anew."""
        with self._lock:
            energy, count = self._energy, self._count
            self._energy, self._count = 0.0, 0
        return dbfs(energy, count)


def dbfs(energy: float, count: int) -> float:
    """Level of `count` samples whose squares sum to `energy`: 20 log10(rms * sqrt 2 / 32767), at least -100."""
    if count == 0 or energy <= 0.0:
        return SILENCE_DBFS
    rms = math.sqrt(energy / count)
    return max(SILENCE_DBFS, round(20 * math.log10(rms * math.sqrt(2) / FULL_SCALE), 1))
