"""DTMF in the sound itself: a bank of filters over all legs that are listened to at once (ITU-T Q.23, Q.24).

Every 5 ms a window of 20 ms is held against the eight frequencies and their second harmonics: what Goertzel's filter
gives for one frequency, a product of matrices gives for all frequencies, windows and legs. A window holds a key where

- the strongest of the low and the strongest of the high group are loud enough each (`MIN_DBM0`),
- the high one is at most 4 dB over and 8 dB under the low one (Q.24, twist),
- both lie within 2.1 % of their nominal frequencies, told by how the phase advances from window to window (Q.24: 1.5 %
  must be taken, 3.5 % must not),
- they are nearly all that is heard (`PURE`), and neither has a second harmonic: speech has more to it.

A key begins with five such windows on end (a tone of 30 ms has not so many, one of 40 ms has) and ends after eight
without (a pause of 40 ms has ten): a break of 10 ms (Q.24) or a lost packet does not make two of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import PEAK_0DBM0

LOW_HZ: Final = (697.0, 770.0, 852.0, 941.0)
HIGH_HZ: Final = (1209.0, 1336.0, 1477.0, 1633.0)
KEYS: Final = "123A456B789C*0#D"
"""By 4 * low + high."""

MIN_DBM0: Final = -28.0
"""Of each frequency; keys must be known at -25 dBm0 (Q.24)."""
TWIST_DB: Final = (-8.6, 4.6)
"""High group over low group: Q.24's -8 to +4, and what companding and a slanted line add."""
TOLERANCE: Final = 0.021
PURE: Final = 0.92
"""The two tones' part of all power."""
HARMONIC_DB: Final = -16.0
"""A second harmonic so strong, over its tone, is speech."""

BEGIN: Final = 5
"""Windows."""
END: Final = 8
HOP_MS: Final = 5
_WINDOWS: Final = 4
"""In 20 ms."""
_PARTLY_MS: Final = 15
"""By how much a tone is longer than the time between its first and its last window."""
_FIRST_SLOTS: Final = 8
_MIN_POWER: Final = 10.0 ** (MIN_DBM0 / 10.0)
_SEEN_AT_LEAST: Final = 0.53
"""What a filter sees of the power of a tone 2.1 % beside 1633 Hz, by the shape of a Hann window's spectrum."""
_MIN_APART_HZ: Final = 150.0
"""Nearer to a tone of the other group a harmonic cannot be told from it."""


@dataclass(frozen=True, slots=True)
class Toned:
    """A key began or ended in the sound of one slot."""

    slot: int
    key: str
    duration_ms: int | None
    """None while it is held."""


class InbandDetector:
    """Hears keys on any number of slots, each the sound of one leg at `rate` (8000 or 16000 Hz)."""

    def __init__(self, rate: int = 8000) -> None:
        self._rate = rate
        self._hop = rate * HOP_MS // 1000
        self._window = 4 * self._hop
        self._kept = self._window - self._hop
        """Samples of the past that the first window of a frame needs."""
        times = np.arange(self._window)
        shape = 0.5 - 0.5 * np.cos(2 * np.pi * (times + 0.5) / self._window)
        tones = np.array(LOW_HZ + HIGH_HZ)
        angles = 2 * np.pi * np.outer(times, np.concatenate((tones, 2 * tones))) / rate
        bank = shape[:, None] * np.exp(-1j * angles) / shape.sum()
        self._places = np.arange(_WINDOWS)[:, None] * self._hop + times
        """[windows, samples of a window]"""
        self._bank: NDArray[np.float32] = np.concatenate((bank.real, bank.imag), axis=1).astype(np.float32)
        self._weights: NDArray[np.float32] = (shape**2 / (shape**2).sum()).astype(np.float32)
        self._advance = np.exp(-2j * np.pi * tones * self._hop / rate).astype(np.complex64)
        self._hz_a_radian = rate / (2 * np.pi * self._hop)
        self._free = list(reversed(range(_FIRST_SLOTS)))
        self._past: NDArray[np.float32] = np.zeros((_FIRST_SLOTS, self._kept), np.float32)
        self._spectrum: NDArray[np.complex64] = np.zeros((_FIRST_SLOTS, 8), np.complex64)
        self._state: NDArray[np.int32] = np.zeros((_FIRST_SLOTS, len(_IDLE)), np.int32)

    def add(self) -> int:
        """A slot for one more leg."""
        if not self._free:
            self._free += reversed(range(len(self._state), 2 * len(self._state)))
            self._past = np.concatenate((self._past, np.zeros_like(self._past)))
            self._spectrum = np.concatenate((self._spectrum, np.zeros_like(self._spectrum)))
            self._state = np.concatenate((self._state, np.zeros_like(self._state)))
        slot = self._free.pop()
        self._past[slot] = 0
        self._spectrum[slot] = 0
        self._state[slot] = _IDLE
        return slot

    def remove(self, slot: int) -> None:
        """Give a slot back; a key that is held there is forgotten."""
        self._free.append(slot)

    def hear(self, slots: NDArray[np.intp], pcm: NDArray[np.int16]) -> list[Toned]:
        """20 ms of sound of each of these slots, int16 [slots, 20 ms]: what began and ended in it, in order."""
        sound = np.concatenate((self._past[slots], pcm * np.float32(1 / PEAK_0DBM0)), axis=1, dtype=np.float32)
        self._past[slots] = sound[:, -self._kept :]
        windows = sound[:, self._places].reshape(-1, self._window)
        filtered = windows @ self._bank
        power = filtered * filtered
        power = 4.0 * (power[:, :16] + power[:, 16:])
        everything = 2.0 * (windows * windows @ self._weights)
        # Off the middle of its filter a tone seems weaker, at most by `_SEEN_AT_LEAST`. Mostly no window is worth more.
        strongest = power[:, :4].max(axis=1) + power[:, 4:8].max(axis=1)
        likely = (strongest >= _SEEN_AT_LEAST * PURE * everything) & (strongest >= _SEEN_AT_LEAST * 2 * _MIN_POWER)
        shape = (len(slots), _WINDOWS)
        tones = (filtered[:, :8] + 1j * filtered[:, 16:24]).reshape(*shape, 8)
        keys = np.full(shape, -1, np.int32)
        rows = np.flatnonzero(likely.reshape(shape).any(axis=1))
        if len(rows):
            before = np.concatenate((self._spectrum[slots[rows]][:, None], tones[rows, :-1]), axis=1)
            keys[rows] = self._keys(
                tones[rows], before, power.reshape(*shape, 16)[rows], everything.reshape(shape)[rows]
            )
        self._spectrum[slots] = tones[:, -1]
        return self._follow(slots, keys)

    def _keys(
        self,
        tones: NDArray[np.complex64],
        before: NDArray[np.complex64],
        power: NDArray[np.floating],
        everything: NDArray[np.floating],
    ) -> NDArray[np.intp]:
        """The key in each window, -1 for none [rows, 4]. `tones` and `before`: [rows, 4, 8] of the window and of the
        one before it; `power`: [rows, 4, 16] with the second harmonics; `everything`: [rows, 4] of all sound."""
        off = np.angle(tones * before.conj() * self._advance) * self._hz_a_radian
        low = power[..., :4].argmax(axis=2)
        high = power[..., 4:8].argmax(axis=2) + 4
        both = np.stack((low, high), axis=2)
        away = np.take_along_axis(off, both, axis=2)
        x = np.clip(away * (self._window / self._rate), -0.95, 0.95)
        strength = np.take_along_axis(power[..., :8], both, axis=2) / (np.sinc(x) / (1.0 - x * x)) ** 2
        second = np.take_along_axis(power[..., 8:], both, axis=2)
        twist = strength[..., 1] / np.maximum(strength[..., 0], 1e-12)
        good = (
            (strength.min(axis=2) >= _MIN_POWER)
            & (twist >= 10.0 ** (TWIST_DB[0] / 10.0))
            & (twist <= 10.0 ** (TWIST_DB[1] / 10.0))
            & (np.abs(away) <= TOLERANCE * _TONES[both]).all(axis=2)
            & (strength.sum(axis=2) >= PURE * everything)
            & ((second < strength * 10.0 ** (HARMONIC_DB / 10.0)) | ~_APART[low, high - 4]).all(axis=2)
        )
        return np.where(good, 4 * low + high - 4, -1)

    def _follow(self, slots: NDArray[np.intp], keys: NDArray[np.int32]) -> list[Toned]:
        """Make keys of windows."""
        state = self._state[slots]
        if keys.max() < 0 and state[:, _KEY].max() < 0:
            self._state[slots] = _IDLE
            return []
        told: list[Toned] = []
        for at in range(_WINDOWS):
            self._next_window(slots, state, keys[:, at], told)
        self._state[slots] = state
        return told

    def _next_window(
        self, slots: NDArray[np.intp], state: NDArray[np.int32], key: NDArray[np.int32], told: list[Toned]
    ) -> None:
        state[:, _RUN] = np.where(key < 0, 0, np.where(key == state[:, _LAST], state[:, _RUN] + 1, 1))
        state[:, _LAST] = key
        held = state[:, _KEY] >= 0
        same = held & (key == state[:, _KEY])
        state[:, _LENGTH] += 1
        state[:, _HEARD] = np.where(same, state[:, _LENGTH], state[:, _HEARD])
        another = (state[:, _RUN] >= BEGIN) & ~same
        ended = held & (another | (state[:, _LENGTH] - state[:, _HEARD] >= END))
        for row in np.flatnonzero(ended):
            length = int(state[row, _HEARD]) * HOP_MS + _PARTLY_MS
            told.append(Toned(int(slots[row]), KEYS[state[row, _KEY]], length))
        state[ended, _KEY] = -1
        began = another & (~held | ended)
        state[began, _KEY] = key[began]
        state[began, _LENGTH] = state[began, _HEARD] = BEGIN - 1
        told += [Toned(int(slots[row]), KEYS[key[row]], None) for row in np.flatnonzero(began)]


_KEY, _LENGTH, _HEARD, _LAST, _RUN = range(5)
"""Columns of the state: the key that is held, windows since its first one, the same at its last one, the key of the
window before, and how many windows on end had it."""
_IDLE: Final = (-1, 0, 0, -1, 0)
_TONES: Final[NDArray[np.float64]] = np.array(LOW_HZ + HIGH_HZ)


def _apart() -> NDArray[np.bool_]:
    """[low, high, of which]: whether a second harmonic of the low, or of the high, is far from the key's other tone."""
    low, high = np.array(LOW_HZ)[:, None], np.array(HIGH_HZ)[None, :]
    return np.stack((np.abs(2 * low - high), 2 * high - low + 0 * high), axis=2) > _MIN_APART_HZ


_APART: Final = _apart()
