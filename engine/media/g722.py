"""G.722 at 64 kbit/s, by the kept library `G722`: the one codec whose coder has a state, one of C for each direction.

An octet holds two samples at 16 kHz: six bits of the lower band, two of the upper. A coder costs 15 to 20 us a frame; a
leg has one only while it is mixed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from G722 import G722
from numpy.typing import NDArray

from engine.media.codecs import WIDE_RATE

_BITS: Final = 64_000

DELAY: Final = 22
"""Samples at 16 kHz by which encoding and decoding delay sound: half of each of the two quadrature mirror filters of 24
taps (G.722 section 1.4.4: 1.5 ms at most)."""


class G722Encoder:
    """Encodes one stream; frames follow on each other."""

    __slots__ = ("_coder",)

    def __init__(self) -> None:
        self._coder = G722(WIDE_RATE, _BITS)

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """An octet for each two of the samples (16 kHz, an even number)."""
        octets: bytes = self._coder.encode(samples)
        return octets


class G722Decoder:
    """Decodes one stream."""

    __slots__ = ("_coder",)

    def __init__(self) -> None:
        self._coder = G722(WIDE_RATE, _BITS)

    def decode(self, octets: bytes) -> NDArray[np.int16]:
        """Two samples at 16 kHz for each octet."""
        return np.frombuffer(self._coder.decode(octets), np.int16)
