"""From 8 to 16 kHz and back, for all rows that need it at once.

One low-pass at 16 kHz serves both ways: flat within 0.01 dB to 3.4 kHz, 63 dB down from 4 kHz on (a sinc cut at 3.7 kHz
under a Kaiser window). In polyphase form (Crochiere & Rabiner, 1983) each output is the product of a few dozen inputs
with the taps of its phase; all outputs of a frame together are one matrix, and all rows of a tick one matrix product,
whose zeros cost less than leaving them out would.

`DELAY` samples at 16 kHz (3.25 ms) pass between a row's sound and the same at the other rate.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME, WIDE_FRAME, WIDE_RATE

DELAY: Final = 52
"""Samples at 16 kHz, 26 at 8 kHz: half the length of the low-pass."""

_CUTOFF_HZ: Final = 3700
_BETA: Final = 6.0


def _low_pass() -> NDArray[np.float64]:
    times = np.arange(-DELAY, DELAY + 1)
    share = 2 * _CUTOFF_HZ / WIDE_RATE
    taps = share * np.sinc(share * times) * np.kaiser(2 * DELAY + 1, _BETA)
    return np.asarray(taps / taps.sum())


def _matrix(frame: int, to: int) -> NDArray[np.float32]:
    """[inputs, outputs] of one frame; the inputs begin with those of earlier frames that the low-pass still reaches."""
    taps = _low_pass() * max(1, to // frame)
    up, down = max(1, to // frame), max(1, frame // to)
    past = 2 * DELAY // up
    delays = np.arange(to) * down - (np.arange(past + frame)[:, np.newaxis] - past) * up
    inside = (delays >= 0) & (delays < len(taps))
    return np.where(inside, taps[np.clip(delays, 0, len(taps) - 1)], 0.0).astype(np.float32)


_MATRICES: Final = {FRAME: _matrix(FRAME, WIDE_FRAME), WIDE_FRAME: _matrix(WIDE_FRAME, FRAME)}
"""By the samples of a frame that goes in."""


class Resampler:
    """Some rows of one rate on their way to the other; what the low-pass still needs of each is kept between ticks."""

    def __init__(self, frame: int, keys: Sequence[Hashable], before: Resampler | None = None) -> None:
        """`frame`: samples that go in, 160 or 320. `keys` name the rows: those that were in `before` go on."""
        self._matrix = _MATRICES[frame]
        self._past = len(self._matrix) - frame
        self._frame = frame
        self._sound: NDArray[np.float32] = np.zeros((len(keys), len(self._matrix)), np.float32)
        """Of each row: what came before, then this frame."""
        self._made: NDArray[np.float32] = np.zeros((len(keys), self._matrix.shape[1]), np.float32)
        self._places = {key: at for at, key in enumerate(keys)}
        if before is not None and before._frame == frame:
            for key, at in self._places.items():
                was = before._places.get(key)
                if was is not None:
                    self._sound[at] = before._sound[was]

    def run(self, pcm: NDArray[np.int16], out: NDArray[np.int16]) -> None:
        """`pcm`: int16 [rows, 160 or 320] -> `out`: the same at the other rate [rows, 320 or 160]."""
        sound, made = self._sound, self._made
        sound[:, : self._past] = sound[:, self._frame :]
        sound[:, self._past :] = pcm
        np.matmul(sound, self._matrix, out=made)
        _whole(made, out)


def doubled(samples: NDArray[np.int16], begin: int) -> NDArray[np.int16]:
    """The frame of `samples` (8 kHz) that begins at sample `begin`, at 16 kHz and without any delay: [320]. What lies
    beyond the ends is silence."""
    first, last = begin - DELAY // 2, begin + FRAME + DELAY // 2
    window = np.zeros(FRAME + DELAY, np.float32)
    there = samples[max(0, first) : max(0, last)]
    window[max(0, -first) : max(0, -first) + len(there)] = there
    out = np.zeros(WIDE_FRAME, np.int16)
    _whole(window @ _MATRICES[FRAME], out)
    return out


def _whole(values: NDArray[np.float32], out: NDArray[np.int16]) -> None:
    np.rint(values, out=values)
    np.clip(values, -32768, 32767, out=values)
    out[...] = values
