"""Sound of any rate brought to another, block by block, so that an hour of it needs no more memory than a second.

Raised by L, low-passed, every Mth taken, without computing what is thrown away (polyphase form; Crochiere & Rabiner,
1983): output n is the dot product of the input around n * M / L with the taps of its phase. Some dozens of outputs
together are one matrix, whose zeros cost less than leaving them out would, and all periods of a block one product.

The low-pass is a sinc under a Kaiser window, cut at 0.93 of the lower Nyquist frequency: for 8 kHz flat to 3.4 kHz, and
80 dB down from 4.04 kHz on, so that what folds back is not heard. It delays nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

_TAPS: Final = 64
"""Length of the low-pass, in samples of the lower rate."""
_CUT: Final = 0.93
_BETA: Final = 7.86
"""Of the window: 80 dB (Kaiser's formula)."""
_GROUP: Final = 64
"""Outputs that are computed by one matrix."""
_MAX_UP: Final = 1000
"""L of a ratio that no sound card has is rounded to the next with this: it is wrong by a millionth, 4 ms in an hour."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Some outputs of each period."""

    begin: int
    """The first of them."""
    first: int
    """The first input that they need, counted from `reach` before the period's."""
    taps: Samples
    """[inputs, outputs]"""


class RateChange:
    """One sound on its way from one rate to another."""

    def __init__(self, rate: int, to: int) -> None:
        """Both in Hz."""
        ratio = Fraction(rate, to).limit_denominator(_MAX_UP)
        self._up, self._down = ratio.denominator, ratio.numerator
        periods = max(1, _GROUP // self._up)
        self._step = periods * self._down
        """Inputs of a period."""
        self._count = periods * self._up
        """Outputs of a period."""
        half = _TAPS * max(self._up, self._down) // 2
        self._reach = half // self._up + 1
        """Inputs before and behind a period's that it needs too."""
        self._groups = [] if self._up == self._down else self._matrices(half)
        self._sound: Samples = np.zeros(self._reach if self._groups else 0, np.float32)
        """What is needed yet."""
        self._taken = self._made = 0

    def _matrices(self, half: int) -> list[_Group]:
        share = _CUT / max(self._up, self._down)
        times = np.arange(-half, half + 1)
        low_pass = np.sinc(share * times) * np.kaiser(2 * half + 1, _BETA)
        low_pass *= self._up / low_pass.sum()
        groups = []
        for begin in range(0, self._count, _GROUP):
            at = np.arange(begin, min(begin + _GROUP, self._count)) * self._down
            first, last = -((half - at[0]) // self._up), (at[-1] + half) // self._up
            delays = at - np.arange(first, last + 1)[:, np.newaxis] * self._up + half
            inside = (delays >= 0) & (delays <= 2 * half)
            taps = np.where(inside, low_pass[np.clip(delays, 0, 2 * half)], 0.0)
            groups.append(_Group(begin, int(first) + self._reach, taps.astype(np.float32)))
        return groups

    def feed(self, samples: Samples) -> Samples:
        """What can be made with so much more."""
        self._taken += len(samples)
        if not self._groups:
            return samples
        self._sound = np.concatenate((self._sound, samples))
        made = self._run()
        self._made += len(made)
        return made

    def end(self) -> Samples:
        """The rest: nothing more follows."""
        if not self._groups:
            return np.zeros(0, np.float32)
        rest = -(-self._taken * self._up // self._down) - self._made
        self._sound = np.concatenate((self._sound, np.zeros(2 * self._reach + self._step, np.float32)))
        return self._run()[:rest]

    def _run(self) -> Samples:
        periods = max(0, (len(self._sound) - 2 * self._reach) // self._step)
        out = np.empty((periods, self._count), np.float32)
        for group in self._groups:
            inputs, outputs = group.taps.shape
            windows = np.lib.stride_tricks.as_strided(
                self._sound[group.first :], (periods, inputs), (4 * self._step, 4), writeable=False
            )
            out[:, group.begin : group.begin + outputs] = np.ascontiguousarray(windows) @ group.taps
        self._sound = self._sound[periods * self._step :]
        return out.reshape(-1)


def whole(samples: Samples) -> NDArray[np.int16]:
    """Samples between -1 and 1 as int16; what is louder is clipped."""
    rounded: NDArray[np.float32] = np.rint(samples * np.float32(32768))
    return rounded.clip(-32768, 32767).astype(np.int16)
