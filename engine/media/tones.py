"""Named tones: frequencies, levels and cadences (North American precise tone plan; ITU-T E.180 supplement 2 lists
others).

Levels are per frequency in dBm0; 0 dBm0 is a sine that peaks 3.14 dB under full scale (`codecs.PEAK_0DBM0`). MILLIWATT
is the 1,004 Hz test tone at 0 dBm0 (not 1,000 Hz, whose samples repeat every eighth and so use few codes): a peak of
22,828, which is -3.14 dBFS by peak and -6.15 dBFS by effective value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import PEAK_0DBM0, RATE
from engine.media.commands import Tone

_RAMP: Final = 40
"""Samples (5 ms) over which a burst rises and falls, so that it does not click."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneShape:
    """A tone: these frequencies together, on and off by turns."""

    frequencies: tuple[float, ...]
    dbm0: float
    """Level of each frequency."""
    cadence: tuple[float, ...]
    """Seconds on, off, on, off ... of one round; a single figure is a tone without a break, and must hold a whole
    number of periods."""


TONES: Final = {
    Tone.RINGBACK: ToneShape(frequencies=(440, 480), dbm0=-19, cadence=(2, 4)),
    Tone.BUSY: ToneShape(frequencies=(480, 620), dbm0=-24, cadence=(0.5, 0.5)),
    Tone.CONGESTION: ToneShape(frequencies=(480, 620), dbm0=-24, cadence=(0.25, 0.25)),
    Tone.CONFIRM: ToneShape(frequencies=(350, 440), dbm0=-15, cadence=(0.1, 0.1, 0.1, 0.1, 0.1, 0.1)),
    Tone.DENY: ToneShape(frequencies=(480, 620), dbm0=-17, cadence=(0.2, 0.1, 0.4, 0.1)),
    Tone.MILLIWATT: ToneShape(frequencies=(1004,), dbm0=0, cadence=(1.0,)),
}


def render(tone: Tone) -> NDArray[np.int16]:
    """One round of a tone's cadence, int16 at 8 kHz, repeated, it is the tone."""
    shape = TONES[tone]
    parts = []
    for index, seconds in enumerate(shape.cadence):
        count = round(seconds * RATE)
        on = index % 2 == 0
        parts.append(_burst(shape, count, ramp=len(shape.cadence) > 1) if on else np.zeros(count))
    return np.concatenate(parts).round().astype(np.int16)


def _burst(shape: ToneShape, count: int, *, ramp: bool) -> NDArray[np.float64]:
    times = np.arange(count) / RATE
    peak = PEAK_0DBM0 * 10 ** (shape.dbm0 / 20)
    sound = peak * np.sum([np.sin(2 * np.pi * frequency * times) for frequency in shape.frequencies], axis=0)
    if ramp:
        edge = (np.arange(_RAMP) + 0.5) / _RAMP
        sound[:_RAMP] *= edge
        sound[-_RAMP:] *= edge[::-1]
    return np.asarray(sound)
