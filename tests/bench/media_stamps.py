"""Time written into sound, so that it can be read behind a codec, a mixer and a jitter buffer.

A stamp is SYNC and then the time of sending in microseconds, modulo 2**27 (134 s), as nine octal digits: 17 samples at
the beginning of each packet. A digit is one of eight levels so far apart that mu-law and A-law keep them, and added
silence too. Behind a jitter buffer a stamp may stand anywhere in a packet; it is found by its SYNC.

The latency of a stamp: the packet that it begins in arrived at `t`, the stamp is its sample `k`: `t + k / 8000` less
the time of sending, for the peer's ear hears it so much later than one beside the sender would.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import decode, encode
from engine.media.commands import Codec

_LEVELS: Final = np.array([-12000, -4500, -1500, -450, 450, 1500, 4500, 12000], np.int16)
_EDGES: Final = np.array([-7300, -2600, -820, 0, 820, 2600, 7300])
_SYNC: Final = np.array([7, 0, 7, 0, 6, 1, 7, 0])
_DIGITS: Final = 9
SIZE: Final = len(_SYNC) + _DIGITS
"""Samples of a stamp."""
WRAP_US: Final = 8**_DIGITS
_SHIFTS: Final = np.arange(_DIGITS - 1, -1, -1) * 3
_FLOOR: Final = 200
"""Levels under this are silence."""


def symbols(codec: Codec) -> NDArray[np.uint8]:
    """The codes of the eight levels."""
    return encode(_LEVELS, codec)


def write(codes: NDArray[np.uint8], now_us: int, alphabet: NDArray[np.uint8]) -> None:
    """Put the stamp for `now_us` at the beginning of each row of `codes` [packets, samples]."""
    digits = (now_us % WRAP_US) >> _SHIFTS & 7
    codes[:, : len(_SYNC)] = alphabet[_SYNC]
    codes[:, len(_SYNC) : SIZE] = alphabet[digits]


def read(codes: NDArray[np.uint8], codec: Codec) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Where stamps begin in a stream of codes, and the times in them (microseconds, modulo WRAP_US)."""
    sound = decode(codes, codec)
    if len(sound) < SIZE:
        return np.zeros(0, np.intp), np.zeros(0, np.int64)
    found = np.searchsorted(_EDGES, sound)
    found[np.abs(sound) < _FLOOR] = -1
    room = len(sound) - SIZE + 1
    fits = np.ones(room, bool)
    for at, symbol in enumerate(_SYNC):
        fits &= found[at : at + room] == symbol
    places = np.flatnonzero(fits)
    digits = found[places[:, np.newaxis] + len(_SYNC) + np.arange(_DIGITS)]
    whole = (digits >= 0).all(axis=1)
    places, digits = places[whole], digits[whole]
    return places, (digits.astype(np.int64) << _SHIFTS).sum(axis=1)


def latencies(arrived_us: NDArray[np.float64], sent_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Milliseconds from sending to hearing, whatever wrapped between."""
    return ((arrived_us - sent_us) % WRAP_US) / 1000
