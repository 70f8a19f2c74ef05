"""Packet-loss concealment: what is played where nothing came, for all rows that miss something in a tick at once.

As G.711 Appendix I does it: the last period of what was played (period.py) is repeated and fades to silence, and sound
that comes again is faded in over what would have been repeated. That needs no delay; the step with which a repetition
sets in is let down over a few samples instead of being blended.

A row that has been silent for longer than the fading takes costs nothing. One whose sender said that it would be silent
plays noise (comfort.py).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME
from engine.media.comfort import Comfort
from engine.media.period import LONGEST, Samples, cycles, periods
from engine.media.ring import WHOLE, heard

PAST: Final = 3
"""Frames of what was played that are kept."""

HOLD: Final = 80
"""Samples at 8 kHz that are repeated at full loudness (10 ms)."""

SILENT: Final = 640
"""Samples at 8 kHz after which nothing is left (80 ms)."""

BLEND: Final = 40
"""Samples at 8 kHz over which sound that comes again is faded in (5 ms)."""

STEP: Final = 16
"""Samples at 8 kHz over which the step at the beginning of a repetition is let down (2 ms)."""

SEARCHES: Final = 48
"""Rows of one tick whose period is looked for; when more begin to miss sound at once, the others repeat a frame."""

LONG_AGO: Final = 1 << 30

NEVER: Final = 1 << 31
"""The row has not been heard at all: its first sound is played as it is."""


class Concealer:
    """State of all rows of one sample rate, by row of the table."""

    def __init__(self, rows: int, samples: int) -> None:
        """`samples` in a frame: 160 or 320."""
        self.samples = samples
        self._times = samples // FRAME
        self.past: NDArray[np.int16] = np.zeros((rows, PAST, samples), np.int16)
        """The last frames that were played, by tick modulo PAST."""
        self.gone: NDArray[np.int64] = np.full(rows, NEVER, np.int64)
        """Samples since sound last came; 0 while it comes."""
        self.made: NDArray[np.int64] = np.zeros(rows, np.int64)
        """Samples that were made up, but for announced silence and what had faded to nothing."""
        self.comfort = Comfort(rows)
        self._cycle: Samples = np.zeros((rows, LONGEST * self._times), np.float32)
        self._lag: NDArray[np.intp] = np.full(rows, LONGEST * self._times, np.intp)
        self._phase: NDArray[np.intp] = np.zeros(rows, np.intp)

    def grow(self) -> None:
        """Twice as many rows."""
        fresh = Concealer(len(self.gone), self.samples)
        for name in ("past", "gone", "made", "_cycle", "_lag", "_phase"):
            setattr(self, name, np.concatenate((getattr(self, name), getattr(fresh, name))))
        self.comfort.grow()

    def begin(self, row: int) -> None:
        """A row has another owner."""
        self.past[row] = 0
        self.gone[row] = NEVER
        self.made[row] = 0
        self.comfort.begin(row)

    def recent(self, rows: NDArray[np.intp], tick: int) -> NDArray[np.int16]:
        """What these rows played before a tick, the newest last: [rows, PAST * samples]."""
        order = np.arange(tick, tick + PAST) % PAST
        past: NDArray[np.int16] = self.past[rows[:, np.newaxis], order].reshape(len(rows), -1)
        return past

    def put_in(self, row: int, frame: NDArray[np.int16], tick: int) -> None:
        """Count a frame more as played before this tick."""
        self.past[row, (tick - 2) % PAST] = self.past[row, (tick - 1) % PAST]
        self.past[row, (tick - 1) % PAST] = frame

    def set_back(self, row: int, tick: int) -> None:
        """The frame that was played last will be played at this tick."""
        self.past[row, tick % PAST] = self.past[row, (tick - 1) % PAST]
        self.past[row, (tick - 1) % PAST] = self.past[row, (tick - 2) % PAST]

    def skip(self) -> None:
        """Ticks were left out: there is nothing to go on from."""
        np.maximum(self.gone, LONG_AGO, out=self.gone)

    def mend(
        self,
        rows: NDArray[np.intp],
        pcm: NDArray[np.int16],
        cover: NDArray[np.uint16],
        tick: int,
        ends: NDArray[np.intp],
    ) -> None:
        """Fill what is missing in a frame of these rows, in place, and keep the frame as their past.

        `pcm`: [rows, samples], of any content where `cover` [rows] says that nothing came. `ends`: the place
        behind this frame of each row, in samples.
        """
        lame = np.flatnonzero((cover != WHOLE) | (self.gone[rows] > 0))
        if len(lame):
            self._mend(rows[lame], pcm, cover[lame], tick, ends[lame], lame)
        self.past[rows, tick % PAST] = pcm

    def _mend(
        self,
        rows: NDArray[np.intp],
        pcm: NDArray[np.int16],
        cover: NDArray[np.uint16],
        tick: int,
        ends: NDArray[np.intp],
        lame: NDArray[np.intp],
    ) -> None:
        """Rows with a gap now or until now; `lame` is where they are in `pcm`."""
        noisy = self.comfort.due(rows, ends)
        silent = (cover == 0) & (self.gone[rows] >= SILENT * self._times) & ~noisy
        if silent.any():
            pcm[lame[silent]] = 0
            rows, cover, ends, lame, noisy = (each[~silent] for each in (rows, cover, ends, lame, noisy))
            if not len(lame):
                return
        there = heard(cover, self.samples)
        again = self._close(rows, pcm, there, lame, tick, noisy)
        if again.any():
            # A gap has ended in this frame and another has begun: one after the other.
            rest = there | ~np.maximum.accumulate(there, axis=1)
            self.gone[rows[again]] = 0
            self._close(rows[again], pcm, rest[again], lame[again], tick, noisy[again])
        some = there.any(axis=1)
        self.comfort.heard(rows[some], ends[some] - self.gone[rows[some]])

    def _close(
        self,
        rows: NDArray[np.intp],
        pcm: NDArray[np.int16],
        came: NDArray[np.bool_],
        lame: NDArray[np.intp],
        tick: int,
        noisy: NDArray[np.bool_],
    ) -> NDArray[np.bool_]:
        """Fill the first gap of each row's frame. Gives the rows that have another one behind it."""
        real = pcm[lame]
        gone = self.gone[rows]
        open_ = gone > 0
        there = came | open_[:, np.newaxis] & np.maximum.accumulate(came, axis=1)
        first = np.where(open_, 0, np.argmin(there, axis=1))
        made = self._make(rows, real, first, gone, tick, noisy)
        pcm[lame] = _join(real, made, there, gone, BLEND * self._times)
        age = np.arange(self.samples) - first[:, np.newaxis] + gone[:, np.newaxis]
        counted = ~there & (age < SILENT * self._times) & ~noisy[:, np.newaxis]
        self.made[rows] += counted.sum(axis=1)
        self._phase[rows] += self.samples - first
        trail = np.argmax(there[:, ::-1], axis=1)
        self.gone[rows] = np.where(
            there.any(axis=1), trail, np.where(gone < LONG_AGO, gone + self.samples - first, gone)
        )
        return np.asarray((there & ~came).any(axis=1))

    def _make(
        self,
        rows: NDArray[np.intp],
        real: NDArray[np.int16],
        first: NDArray[np.intp],
        gone: NDArray[np.int64],
        tick: int,
        noisy: NDArray[np.bool_],
    ) -> Samples:
        """What is played instead, from sample `first` of each row on."""
        place = np.arange(self.samples) - first[:, np.newaxis]
        fresh = np.flatnonzero(gone == 0)
        if len(fresh):
            tails = self._tails(rows[fresh], real[fresh], first[fresh], tick)
            self._learn(rows[fresh], tails, ~noisy[fresh])
        lag = self._lag[rows][:, np.newaxis]
        turn = (self._phase[rows][:, np.newaxis] + place) % lag
        made = self._cycle[rows[:, np.newaxis], turn]
        fade = (SILENT * self._times - gone[:, np.newaxis] - place) / ((SILENT - HOLD) * self._times)
        made *= np.clip(fade, 0, 1).astype(np.float32)
        if noisy.any():
            made[noisy] = self.comfort.noise(rows[noisy], self.samples, tick)
        if len(fresh):
            closing = self._cycle[rows[fresh], self._lag[rows[fresh]] - 1]
            step = tails[:, -1] - np.where(noisy[fresh], 0, closing)
            decay = np.clip(1 - (place[fresh] + 1) / (STEP * self._times + 1), 0, 1)
            made[fresh] += (step[:, np.newaxis] * decay).astype(np.float32)
        return made

    def _learn(self, rows: NDArray[np.intp], tails: Samples, wanted: NDArray[np.bool_]) -> None:
        """Find what these rows can repeat, where that is wanted."""
        lags = np.full(len(rows), LONGEST * self._times, np.intp)
        searched = np.flatnonzero(wanted)[:SEARCHES]
        if len(searched):
            lags[searched] = periods(tails[searched])
        self._lag[rows] = lags
        self._cycle[rows] = cycles(tails, lags)
        self._phase[rows] = 0

    def _tails(self, rows: NDArray[np.intp], real: NDArray[np.int16], first: NDArray[np.intp], tick: int) -> Samples:
        """The last 40 ms before sample `first` of this frame."""
        past = self.recent(rows, tick)
        played = np.concatenate((past, real), axis=1)
        length = 2 * LONGEST * self._times
        begin = past.shape[1] - length + first[:, np.newaxis]
        return np.take_along_axis(played, begin + np.arange(length), axis=1).astype(np.float32)


def _join(
    real: NDArray[np.int16], made: Samples, there: NDArray[np.bool_], gone: NDArray[np.int64], blend: int
) -> NDArray[np.int16]:
    """What came where it came, faded in over what was made up wherever a gap ends."""
    place = np.arange(real.shape[1])
    before = np.where((gone > 0) & (gone < NEVER), -1, -blend - 2)[:, np.newaxis]
    gap = np.maximum.accumulate(np.where(there, before, place), axis=1)
    share = np.clip((place - gap) / (blend + 1), 0, 1).astype(np.float32)
    whole = np.where(there, made + (real - made) * share, made)
    return np.clip(np.rint(whole), -32768, 32767).astype(np.int16)
