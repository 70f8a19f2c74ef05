"""Joins two audio clocks that do not quite agree: the sound card's and the SIP stack's.

One side writes blocks, the other reads blocks, both nominally of 20 ms. The fill level is the delay added and the
margin against jitter, so it is held near a target:

* reading starts only when the target is reached, and at that moment anything older is dropped (start-up trim);
* a read of more than there is gets zeros for the rest (an underrun), which itself restores the margin;
* a write past the hard limit drops the oldest samples (an overrun), so that delay never grows unseen;
* the safety margin is the low-water mark: the least that reads left over lately. While it is away from half the
  target, each read takes two samples more or fewer than it gives and bends them to fit by linear interpolation. At
  16 kHz that follows clocks up to 0.6 % apart without a gap. A mean fill would not do: cards that deliver three blocks
  at a time need a higher mean for the same margin, and would be squeezed into underruns.

Accounting, which the tests hold it to:  written = taken + dropped + fill  and  given = taken - squeezed + zeroed.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Mono linear PCM, shape [samples]."""

TARGET_MS: Final = 40
LIMIT_MS: Final = 120
BAND_MS: Final = 8
"""How far the low-water mark may wander from half the target before samples are bent."""
WINDOW: Final = 32
"""Reads for one low-water mark: 0.64 s at 20 ms a read, so that a slip by a whole block is made up before the next."""
PATIENCE: Final = 8
"""Windows (5 s) that must all have had margin to spare before delay is taken back: quick to give, slow to take."""
MAX_SQUEEZE: Final = 2
"""Samples per read; 2 in 320 is a pitch change of 0.6 %, heard by nobody in speech."""
SMALLEST_SQUEEZED: Final = 100
"""Two samples in a shorter read would be heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RingStats:
    """Totals since the ring was made, in samples unless said otherwise, and the present fill."""

    fill: int
    fill_ms: float
    written: int
    taken: int
    """Samples that left the buffer through reads."""
    given: int
    """Samples handed to the reader, zeros included."""
    dropped: int
    """Oldest samples thrown away at the limit, at the start-up trim or by `clear`."""
    zeroed: int
    """Zeros given because nothing was there, start-up included."""
    squeezed: int
    """Samples taken minus samples given where a read was resampled; negative when stretched more than squeezed."""
    underruns: int
    """Reads, after start-up, that found too little."""
    overruns: int
    """Writes that had to drop."""


class Ring:
    """A bounded FIFO of mono int16 samples between one writer thread and one reader thread."""

    def __init__(self, *, rate: int, target_ms: int = TARGET_MS, limit_ms: int = LIMIT_MS) -> None:
        if not 0 < target_ms <= limit_ms:
            raise ValueError(f"target {target_ms} ms must lie between 1 and the limit of {limit_ms} ms")
        self._rate = rate
        self._target = rate * target_ms // 1000
        self._limit = rate * limit_ms // 1000
        self._margin = self._target // 2
        self._band = min(rate * BAND_MS // 1000, self._margin)
        self._buffer: Samples = np.zeros(self._limit, dtype=np.int16)
        self._lock = threading.Lock()
        self._start = 0
        self._fill = 0
        self._primed = False
        self._low = self._limit
        self._reads = 0
        self._marks: deque[int] = deque(maxlen=PATIENCE)
        self._bend = 0
        self._last = np.int16(0)
        self._written = self._taken = self._given = 0
        self._dropped = self._zeroed = self._squeezed = 0
        self._underruns = self._overruns = 0

    def write(self, samples: Samples) -> None:
        """Append a block; past the hard limit the oldest samples go, down to half way to the target.

        Going just below the limit would drop a little again at each later jitter; going down to the target would leave
        nothing for a reader that has been late and now catches up.
        """
        with self._lock:
            self._written += len(samples)
            if self._fill + len(samples) > self._limit:
                self._overruns += 1
                samples = self._make_room(samples)
            self._put(samples)

    def read(self, count: int) -> Samples:
        """Give exactly `count` samples, zeros where there are none."""
        with self._lock:
            self._given += count
            if not self._primed and not self._prime():
                self._zeroed += count
                return np.zeros(count, dtype=np.int16)
            want = count + (self._bend if count >= SMALLEST_SQUEEZED else 0)
            if self._fill < want:
                return self._read_short(count)
            block = self._take(want)
            self._note_mark()
            if want != count:
                self._squeezed += want - count
                block = _stretch(self._last, block, count)
            if count:
                self._last = block[-1]
            return block

    def clear(self) -> None:
        """Forget what is buffered and fill up to the target again, as at the start of a call."""
        with self._lock:
            self._drop(self._fill)
            self._primed = False

    def stats(self) -> RingStats:
        """Return a consistent snapshot of the totals."""
        with self._lock:
            return RingStats(
                fill=self._fill,
                fill_ms=round(1000 * self._fill / self._rate, 1),
                written=self._written,
                taken=self._taken,
                given=self._given,
                dropped=self._dropped,
                zeroed=self._zeroed,
                squeezed=self._squeezed,
                underruns=self._underruns,
                overruns=self._overruns,
            )

    def _prime(self) -> bool:
        if self._fill < self._target:
            return False
        self._drop(self._fill - self._target)
        self._start_watching()
        self._last = np.int16(0)
        self._primed = True
        return True

    def _start_watching(self) -> None:
        self._low = self._limit
        self._reads = 0
        self._marks.clear()
        self._bend = 0

    def _note_mark(self) -> None:
        """Keep the low-water mark, and decide at the end of each window what to do about it."""
        self._low = min(self._low, self._fill)
        self._reads += 1
        if self._reads < WINDOW:
            return
        mark = self._low
        self._marks.append(mark)
        self._low = self._limit
        self._reads = 0
        if mark < self._margin - self._band:
            self._bend = -MAX_SQUEEZE
        elif len(self._marks) == PATIENCE and min(self._marks) > self._margin + self._band:
            self._bend = MAX_SQUEEZE
        elif (mark - self._margin) * self._bend <= 0:
            self._bend = 0

    def _make_room(self, samples: Samples) -> Samples:
        """Drop so much that fill and `samples` together come half way between target and limit; return what fits."""
        keep = (self._target + self._limit) // 2
        self._drop(min(self._fill, self._fill + len(samples) - keep))
        skipped = max(0, len(samples) - keep)
        self._dropped += skipped
        return samples[skipped:]

    def _read_short(self, count: int) -> Samples:
        """Give what there is, unstretched, then zeros."""
        block = np.zeros(count, dtype=np.int16)
        have = min(self._fill, count)
        block[:have] = self._take(have)
        if have < count:
            self._underruns += 1
            self._zeroed += count - have
        self._last = block[-1]
        return block

    def _put(self, samples: Samples) -> None:
        end = (self._start + self._fill) % self._limit
        head = min(len(samples), self._limit - end)
        self._buffer[end : end + head] = samples[:head]
        self._buffer[: len(samples) - head] = samples[head:]
        self._fill += len(samples)

    def _take(self, count: int) -> Samples:
        index = (self._start + np.arange(count)) % self._limit
        block = self._buffer[index]
        self._start = (self._start + count) % self._limit
        self._fill -= count
        self._taken += count
        return block

    def _drop(self, count: int) -> None:
        self._start = (self._start + count) % self._limit
        self._fill -= count
        self._dropped += count


def _stretch(before: np.int16, block: Samples, count: int) -> Samples:
    """Resample `block` to `count` samples by linear interpolation, continuous with the sample given `before` it."""
    points = np.concatenate(([before], block)).astype(np.float64)
    where = np.arange(1, count + 1) * (len(block) / count)
    resampled: Samples = np.rint(np.interp(where, np.arange(len(points)), points)).astype(np.int16)
    return resampled
