"""What the tones of a country's telephone network sound like: facts, after the list of "Various tones used in national
networks" (ITU-T E.180 supplement 2). Where a country has told of several variants the usual one stands here.

A tone is written as its parts, one after the other: `425/1` is 425 Hz for a second, `-/4` four seconds of silence,
`440+480` two frequencies together, `400*25` is 400 Hz whose loudness swings 25 times a second. What has but one part
has no break.

Brings no numpy: whoever checks a country's name may look it up here (`COUNTRIES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from engine.media.commands import Tone

LEVEL_DBM0: Final = -10.0
"""Of a whole tone (E.180 clause 3: -10 dBm0, and 5 dB to either side), whatever it is made of."""

SPECIAL_INFORMATION: Final = "950/0.33 1400/0.33 1800/0.33 -/1"
"""The same everywhere (E.180 clause 8: three tones of 330 ms, a second of silence)."""

BY_COUNTRY: Final = (Tone.DIAL, Tone.RINGBACK, Tone.BUSY, Tone.CONGESTION, Tone.SPECIAL_INFORMATION)
"""The tones that a country has of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A stretch of a tone."""

    frequencies: tuple[float, ...]
    """Hz, together; none is silence."""
    seconds: float
    swing_hz: float = 0.0
    """How often a second the loudness swings; 0 for not at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TonePlan:
    """The tones of one country."""

    tones: Mapping[Tone, tuple[Part, ...]]
    """One round of each of BY_COUNTRY."""
    levels: Mapping[Tone, float]
    """dBm0 of each frequency, where that is not by LEVEL_DBM0."""


def parts(text: str) -> tuple[Part, ...]:
    """The parts of a tone as it is written in this module."""
    return tuple(_part(word) for word in text.split())


def _part(word: str) -> Part:
    sound, _, seconds = word.partition("/")
    carrier, _, swing = sound.partition("*")
    frequencies = () if carrier == "-" else tuple(float(each) for each in carrier.split("+"))
    return Part(frequencies=frequencies, seconds=float(seconds or 1), swing_hz=float(swing or 0))


def _plan(
    dial: str,
    ringback: str,
    busy: str,
    congestion: str,
    special_information: str = SPECIAL_INFORMATION,
    levels: Mapping[Tone, float] = MappingProxyType({}),
) -> TonePlan:
    texts = (dial, ringback, busy, congestion, special_information)
    tones = {tone: parts(text) for tone, text in zip(BY_COUNTRY, texts, strict=True)}
    return TonePlan(tones=MappingProxyType(tones), levels=levels)


_NORTH_AMERICA: Final = _plan(
    "350+440",
    "440+480/2 -/4",
    "480+620/0.5 -/0.5",
    "480+620/0.25 -/0.25",
    # The precise tone plan gives each its level.
    levels=MappingProxyType(
        {
            Tone.DIAL: -13.0,
            Tone.RINGBACK: -19.0,
            Tone.BUSY: -24.0,
            Tone.CONGESTION: -24.0,
            Tone.SPECIAL_INFORMATION: -24.0,
        }
    ),
)
_BRITAIN: Final = _plan(
    "350+440",
    "400+450/0.4 -/0.2 400+450/0.4 -/2",
    "400/0.375 -/0.375",
    "400/0.4 -/0.35 400/0.225 -/0.525",
)

COUNTRIES: Final[Mapping[str, TonePlan]] = MappingProxyType(
    {
        "ar": _plan("425", "425/1 -/4", "425/0.3 -/0.2", "425/0.3 -/0.4"),
        "at": _plan("420", "420/1 -/5", "420/0.4 -/0.4", "420/0.2 -/0.2"),
        "au": _plan("413+438", "413+438/0.4 -/0.2 413+438/0.4 -/2", "425/0.375 -/0.375", "425/0.375 -/0.375"),
        "be": _plan("425", "425/1 -/3", "425/0.5 -/0.5", "425/0.167 -/0.167"),
        "br": _plan("425", "425/1 -/4", "425/0.25 -/0.25", "425/0.25 -/0.25 425/0.75 -/0.25"),
        "ca": _NORTH_AMERICA,
        "ch": _plan("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2"),
        "cn": _plan("450", "450/1 -/4", "450/0.35 -/0.35", "450/0.7 -/0.7"),
        "cz": _plan("425/0.33 -/0.33 425/0.66 -/0.66", "425/1 -/4", "425/0.33 -/0.33", "425/0.165 -/0.165"),
        "de": _plan("425", "425/1 -/4", "425/0.48 -/0.48", "425/0.24 -/0.24"),
        "dk": _plan("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2"),
        "es": _plan("425", "425/1.5 -/3", "425/0.2 -/0.2", "425/0.2 -/0.2 425/0.2 -/0.2 425/0.2 -/0.6"),
        "fi": _plan("425", "425/1 -/4", "425/0.3 -/0.3", "425/0.2 -/0.2"),
        "fr": _plan("440", "440/1.5 -/3.5", "440/0.5 -/0.5", "440/0.25 -/0.25"),
        "gr": _plan("425/0.2 -/0.3 425/0.7 -/0.8", "425/1 -/4", "425/0.3 -/0.3", "425/0.2 -/0.2"),
        "hu": _plan("425", "425/1.25 -/3.75", "425/0.3 -/0.3", "425/0.3 -/0.3"),
        "ie": _plan("425", "425/0.4 -/0.2 425/0.4 -/2", "425/0.5 -/0.5", "425/0.25 -/0.25"),
        "il": _plan("400", "400/1 -/3", "400/0.5 -/0.5", "400/0.25 -/0.25"),
        "in": _plan("400*25", "400*25/0.4 -/0.2 400*25/0.4 -/2", "400/0.75 -/0.75", "400/0.25 -/0.25"),
        "it": _plan("425/0.2 -/0.2 425/0.6 -/1", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2"),
        "jp": _plan("400", "400*16/1 -/2", "400/0.5 -/0.5", "400/0.5 -/0.5"),
        "kr": _plan("350+440", "440+480/1 -/2", "480+620/0.5 -/0.5", "480+620/0.3 -/0.2"),
        "mx": _plan("425", "425/1 -/4", "425/0.25 -/0.25", "425/0.25 -/0.25"),
        "nl": _plan("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.25 -/0.25"),
        "no": _plan("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.2 -/0.2"),
        "nz": _plan("400", "400+450/0.4 -/0.2 400+450/0.4 -/2", "400/0.5 -/0.5", "400/0.25 -/0.25"),
        "pl": _plan("425", "425/1 -/4", "425/0.5 -/0.5", "425/0.5 -/0.5"),
        "pt": _plan("425", "425/1 -/5", "425/0.5 -/0.5", "425/0.2 -/0.2"),
        "ru": _plan("425", "425/1 -/4", "425/0.35 -/0.35", "425/0.175 -/0.175"),
        "se": _plan("425", "425/1 -/5", "425/0.25 -/0.25", "425/0.25 -/0.75"),
        "sg": _plan("425", "425*24/0.4 -/0.2 425*24/0.4 -/2", "425/0.75 -/0.75", "425/0.25 -/0.25"),
        "tr": _plan("450", "450/2 -/4", "450/0.5 -/0.5", "450/0.2 -/0.2 450/0.2 -/0.2 450/0.2 -/0.2 450/0.6 -/0.2"),
        "gb": _BRITAIN,
        "uk": _BRITAIN,
        "us": _NORTH_AMERICA,
        "za": _plan("400*33", "400*33/0.4 -/0.2 400*33/0.4 -/2", "400/0.5 -/0.5", "400/0.25 -/0.25"),
    }
)
"""By ISO 3166-1 code in small letters; Britain by `uk` too."""
