"""Named tones as sound: those of a country by `tone_plans`, and some that are the same everywhere.

Levels are per frequency in dBm0; 0 dBm0 is a sine that peaks 3.14 dB under full scale (`codecs.PEAK_0DBM0`). MILLIWATT
is the 1,004 Hz test tone at 0 dBm0 (not 1,000 Hz, whose samples repeat every eighth and so use few codes): a peak of
22,828, which is -3.14 dBFS by peak and -6.15 dBFS by effective value.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME, PEAK_0DBM0, RATE
from engine.media.commands import Tone
from engine.media.tone_plans import BY_COUNTRY, COUNTRIES, LEVEL_DBM0, Part, parts

_RAMP: Final = 40
"""Samples at 8 kHz (5 ms) over which a burst rises and falls, so that it does not click."""

_SWING: Final = 0.85
"""How deep the loudness of a tone swings where its plan has it so: this share of the mean to either side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneShape:
    """A tone: its parts, one after the other, again and again."""

    parts: tuple[Part, ...]
    """One alone is a tone without a break, and must hold a whole number of periods."""
    dbm0: float | None = None
    """Level of each frequency; None: LEVEL_DBM0 together."""


EVERYWHERE: Final = {
    Tone.CONFIRM: ToneShape(parts=parts("350+440/0.1 -/0.1 350+440/0.1 -/0.1 350+440/0.1 -/0.1"), dbm0=-15),
    Tone.DENY: ToneShape(parts=parts("480+620/0.2 -/0.1 480+620/0.4 -/0.1"), dbm0=-17),
    Tone.MILLIWATT: ToneShape(parts=parts("1004/1"), dbm0=0),
}
"""The tones that no country has of its own."""


def shape(tone: Tone, country: str = "us") -> ToneShape:
    """What a tone sounds like there. `country` is a key of COUNTRIES."""
    if tone not in BY_COUNTRY:
        return EVERYWHERE[tone]
    plan = COUNTRIES[country]
    return ToneShape(parts=plan.tones[tone], dbm0=plan.levels.get(tone))


def render(tone: Tone, rate: int = RATE, country: str = "us") -> NDArray[np.int16]:
    """Whole rounds of a tone's cadence, int16 at 8 or 16 kHz: as many as fill whole frames. Repeated, it is the
    tone."""
    what = shape(tone, country)
    one = np.concatenate([_sound(part, what.dbm0, rate, ramp=len(what.parts) > 1) for part in what.parts])
    frame = FRAME * rate // RATE
    return np.tile(one, frame // gcd(len(one), frame)).round().astype(np.int16)


def _sound(part: Part, dbm0: float | None, rate: int, *, ramp: bool) -> NDArray[np.float64]:
    count = round(part.seconds * rate)
    if not part.frequencies:
        return np.zeros(count)
    times = np.arange(count) / rate
    if dbm0 is None:
        dbm0 = LEVEL_DBM0 - 10 * log10(len(part.frequencies))
    peak = PEAK_0DBM0 * 10 ** (dbm0 / 20)
    sound = peak * np.sum([np.sin(2 * np.pi * frequency * times) for frequency in part.frequencies], axis=0)
    if part.swing_hz:
        # As loud in the mean of its power as it would be without.
        swing = 1 + _SWING * np.sin(2 * np.pi * part.swing_hz * times)
        sound *= swing / np.sqrt(1 + _SWING**2 / 2)
    if ramp:
        length = _RAMP * rate // RATE
        edge = (np.arange(length) + 0.5) / length
        sound[:length] *= edge
        sound[-length:] *= edge[::-1]
    return np.asarray(sound)
