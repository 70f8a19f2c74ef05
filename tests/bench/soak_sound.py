"""What the telephones of the media soak say: some seconds of each codec made beforehand, cut as they are needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import encode
from engine.media.commands import Codec
from engine.media.g722 import G722Encoder

_SECONDS: Final = 2
_DIGIT_MS: Final = 120
_KEYS: Final = "123A456B789C*0#D"
_LOW: Final = (697, 770, 852, 941)
_HIGH: Final = (1209, 1336, 1477, 1633)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sound:
    """Of one codec."""

    octets: bytes
    """Twice as long as it is gone through, so that any cut is a slice."""
    per_ms: float
    """Octets."""
    ticks_per_ms: int
    """Of the timestamp."""
    digits: dict[str, bytes]
    """Tones of 120 ms; empty where the codec carries none."""


def speech(rate: int) -> NDArray[np.int16]:
    """Harmonics that swell and fade about as syllables do."""
    times = np.arange(_SECONDS * rate) / rate
    voice = sum(np.sin(2 * np.pi * 140 * n * times + n) / n for n in range(1, 12))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * times)
    return np.rint(5000 * voice / np.abs(voice).max() * swell).astype(np.int16)


def keypad(digit: str, rate: int) -> NDArray[np.int16]:
    row, column = divmod(_KEYS.index(digit), 4)
    times = np.arange(_DIGIT_MS * rate // 1000) / rate
    both = np.sin(2 * np.pi * _LOW[row] * times) + np.sin(2 * np.pi * _HIGH[column] * times)
    return np.rint(6000 * both).astype(np.int16)


def sounds() -> dict[str, Sound]:
    """By the name in rtpmap."""
    narrow, wide, noise = speech(8000), speech(16_000), np.random.default_rng(1).bytes(12_000)
    found = {}
    for name, codec, rate in (
        ("PCMU/8000", Codec.PCMU, 8000),
        ("PCMA/8000", Codec.PCMA, 8000),
        ("L16/8000", Codec.L16, 8000),
        ("L16/16000", Codec.L16_16K, 16_000),
    ):
        octets = encode(narrow if rate == 8000 else wide, codec).tobytes()
        tones = {digit: encode(keypad(digit, rate), codec).tobytes() for digit in _KEYS}
        found[name] = Sound(
            octets=octets * 2, per_ms=len(octets) / _SECONDS / 1000, ticks_per_ms=rate // 1000, digits=tones
        )
    found["G722/8000"] = Sound(octets=G722Encoder().encode(wide) * 2, per_ms=8, ticks_per_ms=8, digits={})
    found["G729/8000"] = Sound(octets=noise * 2, per_ms=1, ticks_per_ms=8, digits={})
    found["opus/48000/2"] = Sound(octets=noise * 2, per_ms=4, ticks_per_ms=48, digits={})
    return found
