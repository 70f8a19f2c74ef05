"""How long packets wait for the tick that plays them: a histogram for each row, and the depth that follows from it.

The depth of a jitter buffer is a bet on how late packets will be. Here each row keeps the waits of its packets (those
below zero came after their tick) in bins of a millisecond, for some seconds; the wait that all but `LATE_SHARE` reach
says how much sooner or later the row may be played. A packet costs one addition; the quantiles of all rows are one
cumulative sum, taken once in `REVIEW` ticks.

A wait is measured against the tick and not between packets, so that whatever makes packets late counts alike: the
network, a sender of uneven hand, a clock that drifts, packets of 30 ms that begin within a tick of 20.
"""

from __future__ import annotations

from math import isnan
from typing import Final

import numpy as np
from numpy.typing import NDArray

BINS: Final = 256
"""Of 1 ms each."""

LATE_BINS: Final = 32
"""The bin of packets that come just in time; what is later than 32 ms is put into the first one."""

FRAME_BINS: Final = 20
"""Of one tick."""

LATE_SHARE: Final = 0.003
"""Packets that may come too late. The goal is one in 200 of those lost; a bin's width and what changes meanwhile are
kept in hand."""

REVIEW: Final = 64
"""Ticks between two looks at all rows."""

TURN: Final = 8
"""Reviews after which packets are forgotten that are older than so many: a row remembers 10 to 20 seconds."""

MARGIN: Final = 2
"""Bins that the latest packets are to be early: at 200 ppm ten seconds, in which the row can be moved unheard."""

HYSTERESIS: Final = 2
"""Bins above one whole frame that packets must be early before the row is played a frame sooner."""

ENOUGH: Final = 450.0
"""Packets that must be known of before a row is played sooner: nine seconds."""

DEEPEST: Final = 160
"""Bins that the bulk of the packets may wait for the sake of the latest ones: later ones are given up."""


_CENTRES: Final = (np.arange(BINS) - LATE_BINS + 0.5).astype(np.float32)
"""Milliseconds that the packets of each bin have waited."""


class Waits:
    """Histograms of waits, [rows, BINS]."""

    def __init__(self, rows: int) -> None:
        self.counts: NDArray[np.float32] = np.zeros((rows, BINS), np.float32)
        self._before = np.zeros_like(self.counts)
        """Those of the last turn."""
        self._means: NDArray[np.float32] = np.full(rows, np.nan, np.float32)
        """What the last review found; NaN where it knows no more."""
        self._reviews = 0
        self.flat = _flat(self.counts)
        """For who notes packets: one addition in bin `row * BINS + LATE_BINS + wait in ms`, within 0..BINS - 1."""

    def grow(self) -> None:
        """Twice as many rows."""
        self.counts = np.concatenate((self.counts, np.zeros_like(self.counts)))
        self._before = np.concatenate((self._before, np.zeros_like(self._before)))
        self._means = np.concatenate((self._means, np.full_like(self._means, np.nan)))
        self.flat = _flat(self.counts)

    def clear(self, row: int) -> None:
        """Another stream, or one whose clock was laid anew: what was known is of no use."""
        self.counts[row] = 0
        self._before[row] = 0
        self._means[row] = np.nan

    def moved(self, row: int, frames: int) -> None:
        """The row is played so many frames sooner (later when negative): its packets wait that much less."""
        self._means[row] = np.nan
        step = min(abs(frames) * FRAME_BINS, BINS - 1)
        for counts in (self.counts[row], self._before[row]):
            if frames > 0:
                lost = counts[:step].sum()
                counts[:-step] = counts[step:].copy()
                counts[-step:] = 0
                counts[0] += lost
            elif frames < 0:
                lost = counts[-step:].sum()
                counts[step:] = counts[:-step].copy()
                counts[:step] = 0
                counts[-1] += lost

    def slack(self, row: int) -> int:
        """Bins by which the row could be played sooner; negative when it should be played later."""
        low, _, total = _quantiles(self._known(row))
        return int(low[0]) - LATE_BINS - MARGIN if total[0] else 0

    def spread(self, row: int) -> int:
        """Bins between packets that wait long and those that wait least: the jitter that must be reckoned with."""
        low, high, total = _quantiles(self._known(row))
        return max(0, int(high[0] - low[0])) if total[0] else 0

    def mean_ms(self, row: int) -> float:
        """How long a packet of this row waits on average, as of the last review; 0 when none is known of."""
        mean = float(self._means[row])
        if not isnan(mean):
            return mean
        counts = self._known(row)[0]
        total = float(counts.sum())
        return float(counts @ _CENTRES) / total if total else 0.0

    def review(self) -> tuple[list[int], list[int]]:
        """Rows that should be played later, the neediest first, and rows that can be played a frame sooner. Then old
        packets are forgotten."""
        known = self.counts + self._before
        low, _, total = _quantiles(known)
        self._means = np.where(total > 0, known @ _CENTRES / np.maximum(total, 1), np.nan)
        slack = low - (LATE_BINS + MARGIN)
        later = np.flatnonzero((slack < 0) & (total >= 1))
        later = later[np.argsort(slack[later], kind="stable")]
        sooner = np.flatnonzero((slack >= FRAME_BINS + HYSTERESIS) & (total >= ENOUGH))
        self._reviews += 1
        if self._reviews % TURN == 0:
            self._before, self.counts = self.counts, self._before
            self.counts[:] = 0
            self.flat = _flat(self.counts)
        return later.tolist(), sooner.tolist()

    def _known(self, row: int) -> NDArray[np.float32]:
        """The histogram of one row [1, BINS]."""
        return self.counts[row : row + 1] + self._before[row : row + 1]


def _flat(counts: NDArray[np.float32]) -> memoryview[float]:
    return counts.reshape(-1).data.cast("B").cast("f")


def _quantiles(counts: NDArray[np.float32]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Of each row: the bin that all but LATE_SHARE of the packets reach, but none further than DEEPEST below the bin
    that a twentieth of them reach; that bin; and the weight of all packets."""
    sums = counts.cumsum(axis=1)
    total = sums[:, -1]
    low = np.count_nonzero(sums <= LATE_SHARE * total[:, np.newaxis], axis=1)
    high = np.count_nonzero(sums < 0.95 * total[:, np.newaxis], axis=1)
    return np.maximum(low, high - DEEPEST), high, total
