"""The struct of arrays: one row for each leg that the mixer listens to, and nothing for all others.

A packet is laid into the ring (ring.py) at the place that the row's play-out clock gives it (jitter.py). Each tick the
next slot of all rows that a plan names is decoded; what is missing is filled in (conceal.py); and the few rows that are
on the way to another depth are read through a delay (stretch.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.clocks import Clocks
from engine.media.codecs import CODECS, FORMS, FRAME, WIDE_FRAME
from engine.media.conceal import PAST, Concealer
from engine.media.decoders import Decoders
from engine.media.jitter import MAX_BEHIND, MAX_PAYLOAD, Playout
from engine.media.ring import SLOTS, WHOLE, Ring
from engine.media.slides import Slides
from engine.media.stretch import slid
from engine.media.waits import BINS, LATE_BINS, REVIEW, Waits

_FIRST_ROWS: Final = 16

QUIET_PEAK: Final = 100
"""Samples of a frame that nobody misses (-50 dBFS), and nobody hears twice."""

_NEAR: Final = 9
"""Frames ahead; a packet that is further ahead is looked at closely."""

_EARLIEST: Final = 2 * FRAME
"""Samples before the next tick at which a packet can have come that was read only now (`sweep.py`)."""

_FORMS: Final = tuple(FORMS[codec] for codec in CODECS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Rows of one codec that a plan reads."""

    codec: int
    rows: NDArray[np.intp]
    out: NDArray[np.int16]
    """Where their sound goes [rows, 160 or 320]: a part of the plan's PCM."""


class Table:
    """Rows of coded sound, read one 20 ms slot at a time for all rows that a plan names."""

    def __init__(self) -> None:
        self.tick = 0
        """The next tick to be read."""
        self.epoch = 0
        """When tick 0 was due, in samples (`reception.samples_at`)."""
        self._ring = Ring(_FIRST_ROWS, FRAME)
        self._waits = Waits(_FIRST_ROWS)
        self._narrow = Concealer(_FIRST_ROWS, FRAME)
        self._wide: Concealer | None = None
        """Of the rows at 16 kHz; None before the first."""
        self._decoders = Decoders()
        self._slides = Slides()
        self._playouts = self._clocks(0, _FIRST_ROWS)
        self._codecs = [0] * _FIRST_ROWS
        self._free = list(reversed(range(_FIRST_ROWS)))

    @property
    def rows(self) -> int:
        """Rows in use."""
        return len(self._codecs) - len(self._free)

    def add(self, codec: int) -> int:
        """A row for a source of this codec (index into CODECS), silent."""
        if not self._free:
            self._grow()
        form = _FORMS[codec]
        self._ring.widen(form.octets)
        row = self._free.pop()
        self._codecs[row] = codec
        self._playouts[row] = Playout(row, self._waits, self._ring, frame=form.units, octets=form.octets)
        self._decoders.begin(row, codec)
        self._concealer(codec).begin(row)
        return row

    def remove(self, row: int) -> None:
        """Give a row back."""
        self._decoders.end(row)
        self._slides.drop(row)
        self._waits.clear(row)
        self._free.append(row)

    def codec(self, row: int) -> int:
        return self._codecs[row]

    # --- what became of a row's packets ---

    def late(self, row: int) -> int:
        """Packets that came after the tick that they were meant for."""
        return self._playouts[row].late

    def discarded(self, row: int) -> int:
        """Packets of which nothing could be played, too late or too long."""
        return self._playouts[row].discarded

    def duplicates(self, row: int) -> int:
        """Packets that brought what was there already."""
        return self._playouts[row].duplicates

    def concealed(self, row: int) -> int:
        """Milliseconds of sound that were made up; 80 at most of every silence."""
        form = _FORMS[self._codecs[row]]
        return int(self._concealer(self._codecs[row]).made[row]) * 20 // form.samples

    def depth_ms(self, row: int) -> float:
        """How long this row's packets wait for their tick on average; 0 before the first."""
        return round(self._waits.mean_ms(row), 1)

    # --- in ---

    def write(self, row: int, stamp: int, ssrc: int, payload: memoryview, marker: bool, arrival: int) -> None:
        """Lay one packet's codes where the play-out clock will find them.

        `arrival`: when it came, in samples (`reception.samples_at`). What comes too late is dropped.
        """
        clocks = self._ring.clocks
        early = self.tick * FRAME + self.epoch - arrival
        if (
            marker
            or ssrc != clocks.ssrc_of[row]
            or len(payload) != clocks.octets_of[row]
            or not -MAX_BEHIND <= early <= _EARLIEST
            or not self._write_one(row, clocks, stamp, payload, early)
        ):
            self._write_any(row, stamp, ssrc, payload, marker, arrival)

    def _write_one(self, row: int, clocks: Clocks, stamp: int, payload: memoryview, early: int) -> bool:
        """The usual packet: it is one slot, and comes in time. False when it is another. `early`: samples before the
        next tick, or after it when that is late."""
        playout, ring = self._playouts[row], self._ring
        frame, ends = playout.frame, clocks.ends_of[row]
        due = self.tick + playout.shift
        ahead, rest = divmod(stamp + clocks.origin_of[row] - due * frame & 0xFFFFFFFF, frame)
        slot = (due + ahead) % SLOTS
        if rest or ahead > _NEAR or ends < due * frame or ring.blocks[row * SLOTS + slot]:
            return False
        ring.blocks[row * SLOTS + slot] = WHOLE
        octets = len(payload)
        begin = row * ring.stride + slot * octets
        ring.octets[begin : begin + octets] = payload
        end = (due + ahead + 1) * frame
        if end > ends:
            clocks.ends_of[row] = end
        clocks.late_run_of[row] = 0
        self._waits.flat[row * BINS + (ahead * FRAME + (early if early > 0 else 0) >> 3) + LATE_BINS] += 1.0
        return True

    def write_many(
        self,
        rows: NDArray[np.intp],
        stamps: NDArray[np.int64],
        ssrcs: NDArray[np.int64],
        payloads: NDArray[np.uint8],
        arrivals: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Lay a packet of 160 octets [rows, 160] for each of these different rows, as `write` does: which of them are
        the usual packet of a codec with one octet a sample. The others are to be written one by one."""
        ring, clocks = self._ring, self._ring.clocks
        early = self.tick * FRAME + self.epoch - arrivals
        due = self.tick + ring.shift[rows]
        ahead, rest = np.divmod(stamps + clocks.origin[rows] - due * FRAME & 0xFFFFFFFF, FRAME)
        slots = (due + ahead) % SLOTS
        usual: NDArray[np.bool_] = (rest == 0) & (ahead <= _NEAR) & (clocks.ends[rows] >= due * FRAME)
        usual &= (clocks.octets[rows] == FRAME) & (clocks.ssrc[rows] == ssrcs) & (ring.cover[rows, slots] == 0)
        usual &= (early >= -MAX_BEHIND) & (early <= _EARLIEST)
        if not usual.all():
            rows, slots, due, ahead = rows[usual], slots[usual], due[usual], ahead[usual]
            early, payloads = early[usual], payloads[usual]
        ring.cover[rows, slots] = WHOLE
        ring.codes.reshape(len(ring.codes), -1, FRAME)[rows, slots] = payloads
        clocks.ends[rows] = np.maximum(clocks.ends[rows], (due + ahead + 1) * FRAME)
        clocks.late_run[rows] = 0
        self._waits.counts[rows, (ahead * FRAME + np.maximum(early, 0) >> 3) + LATE_BINS] += 1.0
        return usual

    def _write_any(self, row: int, stamp: int, ssrc: int, payload: memoryview, marker: bool, arrival: int) -> None:
        """Any packet, with all that can be said of it."""
        form = _FORMS[self._codecs[row]]
        playout = self._playouts[row]
        size, frame = len(payload), form.units
        width = form.octets // frame
        if size > MAX_PAYLOAD * form.octets or size % width:
            playout.discarded += 1
            return
        tick, at = self._when(arrival)
        if ssrc != playout.ssrc:
            self._decoders.begin(row, self._codecs[row])
        shift, late = playout.shift, playout.late
        start = playout.place(stamp, ssrc, tick, at, size // width, marker=marker)
        if playout.shift != shift:
            self._slides.turn(row)
        if start < 0:
            return
        early = (tick + playout.shift) * frame - start
        if early > 0:
            start, payload = start + early, payload[early * width :]
        if not self._ring.lay(row, start, payload, frame, width):
            playout.duplicates += 1
        elif playout.late == late:
            playout.note(start, at)

    def silence(self, row: int, stamp: int, ssrc: int, level: int, arrival: int) -> None:
        """The sender will be silent: play noise from the time of this stamp on, so many decibels below overload."""
        playout, codec = self._playouts[row], self._codecs[row]
        tick, at = self._when(arrival)
        place = playout.announced(stamp, ssrc, tick, at)
        samples, units = _FORMS[codec].samples, _FORMS[codec].units
        self._concealer(codec).comfort.told(row, level, place * samples // units)

    def _when(self, arrival: int) -> tuple[int, int]:
        """The next tick that will be played, and when a packet came, at most when that is due.

        A tick may run late, and what comes before it does is in time. A table whose ticks have not run for long is to
        be left behind by the next one.
        """
        tick = self.tick
        due = tick * FRAME
        at = arrival - self.epoch
        if at > due + MAX_BEHIND:
            return -(-at // FRAME), at
        return tick, min(at, due)

    # --- out ---

    def read(self, readings: list[Reading]) -> None:
        """Decode this tick's slot of some rows into their places, make up for what is missing, and empty the slot. What
        comes from now on is for the next tick."""
        for reading in readings:
            self._read(reading.codec, reading.rows, reading.out)
        if self.tick % REVIEW == 0:
            self._slides.review(*self._waits.review())
        self.tick += 1

    def _read(self, codec: int, rows: NDArray[np.intp], out: NDArray[np.int16]) -> None:
        form, tick = _FORMS[codec], self.tick
        concealer = self._concealer(codec)
        held = None
        if self._slides:
            self._begin_sooner(codec, rows, concealer)
            held = self._hold(rows, concealer)
        codes, cover = self._ring.take(rows, tick, form.octets)
        self._decoders.decode(codec, rows, codes, cover, out)
        if held is not None and len(held):
            out[held] = concealer.past[rows[held], tick % PAST]
            cover[held] = WHOLE
        concealer.mend(rows, out, cover, tick, (self._ring.shift[rows] + tick + 1) * form.samples)
        if self._slides:
            at, place, direction = self._slides.sliding(rows)
            if len(at):
                out[at] = slid(concealer.recent(rows[at], tick + 1), place, direction)

    def _hold(self, rows: NDArray[np.intp], concealer: Concealer) -> NDArray[np.intp]:
        """Rows whose delay has come to a whole frame play the frame that they have read last, and from now on that is
        what is due: where they stand in `rows`. So do rows on the way to that whose last frame was quiet."""
        growing = self._slides.growing(rows)
        quiet = np.abs(concealer.past[rows[growing], (self.tick - 1) % PAST]).max(axis=1, initial=0) <= QUIET_PEAK
        held: NDArray[np.intp] = np.union1d(self._slides.full(rows), growing[quiet])
        held = held[concealer.gone[rows[held]] == 0]
        for row in rows[held].tolist():
            self._slides.drop(row)
            self._playouts[row].move(-1)
            concealer.set_back(row, self.tick)
        return held

    def _begin_sooner(self, codec: int, rows: NDArray[np.intp], concealer: Concealer) -> None:
        """Rows that are to be played a frame sooner read one more, which goes into their delay; or is left out, when it
        is as quiet as the one before. Both frames must be there, or else they wait."""
        octets, tick = _FORMS[codec].octets, self.tick
        for row in rows[self._slides.waiting(rows)].tolist():
            if concealer.gone[row] == 0 and self._ring.ready(row, tick, 2):
                one = np.array([row])
                codes, cover = self._ring.take(one, tick, octets)
                out = np.zeros((1, concealer.samples), np.int16)
                self._decoders.decode(codec, one, codes, cover, out)
                quiet = max(np.abs(out).max(), np.abs(concealer.past[row, (tick - 1) % PAST]).max()) <= QUIET_PEAK
                concealer.put_in(row, out[0], tick)
                self._playouts[row].move(1)
                self._slides.begin(row)
                if quiet:
                    self._slides.drop(row)

    def hush(self, ticks: range) -> None:
        """Empty the slots of ticks that are never played, so that their sound does not come round again."""
        self._ring.hush(range(max(ticks.start, ticks.stop - SLOTS), ticks.stop))
        self._slides.clear()
        self._narrow.skip()
        if self._wide is not None:
            self._wide.skip()

    # --- rows ---

    def _concealer(self, codec: int) -> Concealer:
        """What fills in for rows of this codec's sample rate."""
        if _FORMS[codec].samples == FRAME:
            return self._narrow
        if self._wide is None:
            self._wide = Concealer(len(self._codecs), WIDE_FRAME)
        return self._wide

    def _clocks(self, begin: int, end: int) -> list[Playout]:
        return [Playout(row, self._waits, self._ring) for row in range(begin, end)]

    def _grow(self) -> None:
        old = len(self._codecs)
        self._ring.grow()
        self._waits.grow()
        self._narrow.grow()
        if self._wide is not None:
            self._wide.grow()
        self._playouts += self._clocks(old, 2 * old)
        self._codecs += [0] * old
        self._free += reversed(range(old, 2 * old))
