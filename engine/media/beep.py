"""The tone that tells people that they are recorded: 1,400 Hz for a fifth of a second (47 CFR 64.501 had it so)."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np

from engine.media.codecs import PEAK_0DBM0, RATE
from engine.media.prompts import Clip

FREQUENCY: Final = 1400.0
SECONDS: Final = 0.2
_RAMP: Final = 80
"""Samples (10 ms) over which it rises and falls."""


@cache
def tone() -> Clip:
    """The beep at 0 dBm0, shared by all who hear it."""
    count = round(SECONDS * RATE)
    sound = PEAK_0DBM0 * np.sin(2 * np.pi * FREQUENCY * np.arange(count) / RATE)
    edge = (np.arange(_RAMP) + 0.5) / _RAMP
    sound[:_RAMP] *= edge
    sound[-_RAMP:] *= edge[::-1]
    return Clip(np.rint(sound).astype(np.int16))
