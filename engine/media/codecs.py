"""How each codec's sound lies in packets, and G.711 by table: one lookup per sample in each direction, built once from
the Recommendation's own tables.

ITU-T G.711 tables 1a/1b (A-law) and 2a/2b (mu-law) list decision values x(n) and quantized values y(n), the middle of
each interval. Both laws are piecewise linear: runs of equal steps, each segment's step twice the one before. The
encoder below counts the decision values at or under the magnitude; the decoder gives back the middle.

Scale: the Recommendation's A-law values are 13-bit and its mu-law values 14-bit; here all samples are 16-bit linear,
so they are multiplied by 8 and 4. A sine of 0 dBm0 then peaks at `PEAK_0DBM0`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.commands import G711, Codec

RATE: Final = 8000
"""Samples per second of narrow-band PCM, and the RTP clock of all codecs but L16 at 16 kHz."""

FRAME: Final = 160
"""Samples of one 20 ms frame of narrow-band PCM; with G.711 also its octets."""

WIDE_RATE: Final = 16000
"""Samples per second of wide-band PCM."""

WIDE_FRAME: Final = 320
"""Samples of one 20 ms frame of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much 20 ms of a codec's sound is."""

    samples: int
    """Of PCM: 160 at 8 kHz, 320 at 16 kHz."""
    units: int
    """Of the RTP clock (RFC 3551 4.5): 160, also with G.722; 320 with L16 at 16 kHz."""
    octets: int
    """Of payload."""


FORMS: Final = {
    Codec.PCMU: Form(samples=160, units=160, octets=160),
    Codec.PCMA: Form(samples=160, units=160, octets=160),
    Codec.G722: Form(samples=320, units=160, octets=160),
    Codec.L16: Form(samples=160, units=160, octets=320),
    Codec.L16_16K: Form(samples=320, units=320, octets=640),
}
"""Of every codec that we can decode."""

CODECS: Final = tuple(FORMS)
"""Numbered: a codec's index here stands for it in arrays. DECODE and ENCODE have rows for the first two."""

INDEX: Final = {codec: index for index, codec in enumerate(CODECS)}

PEAK_0DBM0: Final = 32768 * 10 ** (-3.14 / 20)
"""Peak of a sine at 0 dBm0: A-law overloads at +3.14 dBm0 (G.711 table 5), so 0 dBm0 is 3.14 dB under full scale.
Mu-law overloads at +3.17 dBm0 of its 8159 * 4, which is the same amplitude within 0.07 dB."""


def _mulaw() -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Decoder [256] and encoder [65536, by the sample's 16 bits] of mu-law (G.711 tables 2a, 2b)."""
    steps = [1] + [2] * 15 + [step for segment in range(1, 8) for step in [2 << segment] * 16]
    decisions = np.concatenate(([0], np.cumsum(steps))) * 4
    middles = (decisions[:-1] + decisions[1:]) // 2
    middles[0] = 0
    # 8 bits: sign (1 positive), then the interval's number, all of the latter inverted (table 2a, column 6).
    codes = 0x80 | (0x7F - np.arange(128))
    return _tables(decisions, middles, codes)


def _alaw() -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Decoder [256] and encoder [65536] of A-law (G.711 tables 1a, 1b); even bits are inverted on the line."""
    steps = [2] * 32 + [step for segment in range(1, 7) for step in [2 << segment] * 16]
    decisions = np.concatenate(([0], np.cumsum(steps))) * 8
    middles = (decisions[:-1] + decisions[1:]) // 2
    codes = (0x80 | np.arange(128)) ^ 0x55
    return _tables(decisions, middles, codes)


def _tables(
    decisions: NDArray[np.int_], middles: NDArray[np.int_], codes: NDArray[np.int_]
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """`codes[n]` is the code of positive interval n; the negative one differs in the sign bit alone."""
    decode = np.zeros(256, np.int16)
    decode[codes] = middles
    decode[codes ^ 0x80] = -middles
    samples = np.arange(65536).astype(np.uint16).view(np.int16).astype(np.int32)
    interval = np.searchsorted(decisions[1:-1], np.abs(samples), side="right")
    encode = np.where(samples >= 0, codes[interval], codes[interval] ^ 0x80).astype(np.uint8)
    return decode, encode


_BOTH: Final = (_mulaw(), _alaw())

DECODE: Final[NDArray[np.int16]] = np.stack([decode for decode, _ in _BOTH])
"""[codec, code] -> sample."""

ENCODE: Final[NDArray[np.uint8]] = np.stack([encode for _, encode in _BOTH])
"""[codec, sample as uint16] -> code."""

SILENCE: Final[tuple[int, ...]] = (*(int(encode[0]) for _, encode in _BOTH), 0, 0, 0)
"""The octet that stands for no sound: 0xFF in mu-law, 0xD5 in A-law, 0 in L16. In G.722 an octet whose lower six bits
are 0 to 3 comes from no encoder (G.722 table 7 lists the codes of the lower band): 0 says that nothing came."""


def encode(samples: NDArray[np.int16], codec: Codec) -> NDArray[np.uint8]:
    """Octets of int16 samples in G.711 or L16; the last axis is twice as long in L16."""
    if codec in G711:
        return np.take(ENCODE[INDEX[codec]], samples.view(np.uint16))
    return samples.astype(">i2").view(np.uint8)


def decode(codes: NDArray[np.uint8], codec: Codec) -> NDArray[np.int16]:
    """int16 samples of octets in G.711 or L16; the last axis is half as long in L16."""
    if codec in G711:
        return np.take(DECODE[INDEX[codec]], codes)
    return codes.view(">i2").astype(np.int16)
