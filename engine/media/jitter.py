"""Where a packet belongs on the play-out clock: RTP timestamps of one source laid onto the ticks of this process.

All rows share one play-out clock: tick `k` plays the frame (20 ms) `k` of a row, or `k + shift` where the row is played
sooner or later than it was first laid. Places are counted in units of the source's RTP clock: frame `f` begins at place
`f * 160` (`f * 320` for L16 at 16 kHz). A timestamp becomes a place by adding a constant, chosen when the first packet
comes: such that its sound begins with a frame, that of the very next tick which it is sure to reach. So packets of
20 ms wait for one tick and no longer, and a packet that comes 2 ms before a tick is played by it.

From then on the constant stays and `shift` moves, by whole frames: at once when packets come too late (`Waits` says how
late), slowly back when they come early (`stretch.py`), unheard while the source is silent.
"""

from __future__ import annotations

from typing import Final

from engine.media.codecs import FRAME
from engine.media.ring import Ring
from engine.media.waits import BINS, FRAME_BINS, LATE_BINS, Waits

MAX_AHEAD: Final = 12
"""Frames. A packet that would be played later than this (240 ms) has jumped: the clock is laid anew."""

MAX_PAYLOAD: Final = 6
"""Frames of the longest packet (120 ms); it fits in wherever it begins."""

MAX_LATE: Final = 5
"""So many late packets on end, over as many ticks, are no accident of the network: the clock is laid anew."""

SAFETY_MS: Final = 2
"""The first packet of a stream is to come so long before its tick; by so much may others come later, unheard."""

MAX_BEHIND: Final = 6 * FRAME
"""A table whose tick is so much older than a packet was not looked at for a while, and the next tick will not be the
one that it waits for (`io.CATCH_UP`)."""

MAX_WAITED: Final = 3
"""Frames by which a talkspurt may begin late and still be played whole."""

QUIET: Final = 5
"""Frames of silence in which the clock can be laid anew unheard, without the marker of a talkspurt."""


SAMPLES_PER_BIN: Final = FRAME // FRAME_BINS


class Playout:
    """The play-out clock of one row, and what came of its packets."""

    __slots__ = (
        "_late_since",
        "_ring",
        "_row",
        "_waits",
        "discarded",
        "duplicates",
        "frame",
        "late",
        "relaid",
        "shift",
    )

    def __init__(self, row: int, waits: Waits, ring: Ring, *, frame: int = FRAME, octets: int = FRAME) -> None:
        """`frame`: units of the RTP clock in a tick; `octets`: of payload."""
        self.frame = frame
        self._row = row
        self._waits = waits
        self._ring = ring
        waits.clear(row)
        ring.empty(row)
        ring.shift[row] = 0
        ring.clocks.octets_of[row] = octets
        self.ssrc = -1
        self.origin = self.ends = self.late_run = 0
        self.shift = 0
        """Frame that tick 0 would have played."""
        self._late_since = 0
        self.late = 0
        """Packets that came after their tick, played later or not."""
        self.discarded = 0
        """Packets that were not played: too late, too long."""
        self.duplicates = 0
        self.relaid = 0
        """Times the clock was laid anew within one stream."""

    @property
    def ssrc(self) -> int:
        """Of the stream that the clock was laid for; -1 before the first packet."""
        return self._ring.clocks.ssrc_of[self._row]

    @ssrc.setter
    def ssrc(self, ssrc: int) -> None:
        self._ring.clocks.ssrc_of[self._row] = ssrc

    @property
    def origin(self) -> int:
        """What makes a place of a timestamp, by addition."""
        return self._ring.clocks.origin_of[self._row]

    @origin.setter
    def origin(self, origin: int) -> None:
        self._ring.clocks.origin_of[self._row] = origin

    @property
    def ends(self) -> int:
        """Place behind the last sound that waits."""
        return self._ring.clocks.ends_of[self._row]

    @ends.setter
    def ends(self, ends: int) -> None:
        self._ring.clocks.ends_of[self._row] = ends

    @property
    def late_run(self) -> int:
        """Packets on end that came too late."""
        return self._ring.clocks.late_run_of[self._row]

    @late_run.setter
    def late_run(self, late_run: int) -> None:
        self._ring.clocks.late_run_of[self._row] = late_run

    def place(self, stamp: int, ssrc: int, tick: int, at: int, units: int, *, marker: bool) -> int:
        """The place where this packet begins, or -1 when all of it comes too late. It may lie before the next tick's
        frame when only a part comes too late.

        `tick` is the next tick to be played; `at`: when the packet came, in samples of 8 kHz on the play-out clock
        (tick 0 is at 0), not after that tick. `units`: how long the packet is.
        """
        frame = self.frame
        if ssrc != self.ssrc:
            return self._lay(stamp, ssrc, tick, at, units)
        soonest = (tick + self.shift) * frame
        if self.ends < soonest and (marker or self.ends + QUIET * frame <= soonest):
            self._spurt(stamp, tick, marker=marker)
            soonest = (tick + self.shift) * frame
        ahead = (stamp + self.origin - soonest) & 0xFFFFFFFF
        if ahead <= MAX_AHEAD * frame:
            self.late_run = 0
        elif ahead >= 0x80000000 and not (marker and self.ends < soonest):
            return self._too_late(stamp, ssrc, tick, at, units, ahead - 0x100000000)
        else:
            self.relaid += 1
            return self._lay(stamp, ssrc, tick, at, units)
        start = soonest + ahead
        self._keep(start + units)
        return start

    def announced(self, stamp: int, ssrc: int, tick: int, at: int) -> int:
        """The place of the silence that a comfort noise packet announces; one that cannot be placed begins now."""
        if ssrc != self.ssrc:
            return self._lay(stamp, ssrc, tick, at, 0)
        soonest = (tick + self.shift) * self.frame
        ahead = (stamp + self.origin - soonest + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        return soonest + ahead if abs(ahead) <= MAX_AHEAD * self.frame else soonest

    def _keep(self, end: int) -> None:
        if end > self.ends:  # noqa: PLR1730 - at every packet
            self.ends = end

    def note(self, start: int, at: int) -> None:
        """Keep how long this packet waits for its tick."""
        slot = (((start // self.frame - self.shift) * FRAME - at) >> 3) + LATE_BINS
        slot = 0 if slot < 0 else slot if slot < BINS else BINS - 1
        self._waits.flat[self._row * BINS + slot] += 1.0

    def _spurt(self, stamp: int, tick: int, *, marker: bool) -> None:
        """A talkspurt begins and nothing waits: the moment to set the depth right unheard, either way. A beginning that
        comes a little late is waited for."""
        slack = self._waits.slack(self._row)
        if slack < 0 or slack >= FRAME_BINS:
            self.move(slack // FRAME_BINS)
        behind = ((tick + self.shift) * self.frame - stamp - self.origin) & 0xFFFFFFFF
        if behind <= MAX_WAITED * self.frame:
            self.move(-behind // self.frame)

    def _too_late(self, stamp: int, ssrc: int, tick: int, at: int, units: int, behind: int) -> int:
        """A packet that begins before the next tick's frame (`behind` is negative): is it the network, or has the
        sender's clock jumped?"""
        start = (tick + self.shift) * self.frame + behind
        if self._ring.was_played(self._row, start, self.frame):
            self.duplicates += 1
            return -1
        if not self.late_run:
            self._late_since = tick
        self.late_run += 1
        self.late += 1
        if self.late_run > MAX_LATE and tick - self._late_since >= MAX_LATE:
            self.relaid += 1
            self._waits.clear(self._row)
            return self._lay(stamp, ssrc, tick, at, units)
        self.note(start, at)
        slack = self._waits.slack(self._row)
        if slack < 0:
            self.move(slack // FRAME_BINS)
        if start + units <= (tick + self.shift) * self.frame:
            self.discarded += 1
            return -1
        self._keep(start + units)
        return start

    def move(self, frames: int) -> None:
        """Play so many frames sooner, or later when negative."""
        if frames:
            self.shift += frames
            self._ring.shift[self._row] = self.shift
            self._waits.moved(self._row, frames)

    def _lay(self, stamp: int, ssrc: int, tick: int, at: int, units: int) -> int:
        """Begin anew: this packet is played by the next tick that it reaches safely, later by the jitter known of; what
        waited is not played."""
        waits, row = self._waits, self._row
        first = -(-(at + (SAFETY_MS + waits.spread(row)) * SAMPLES_PER_BIN) // FRAME)
        waits.clear(row)
        self._ring.empty(row)
        self.late_run = 0
        self.ssrc = ssrc
        start = (max(first, tick) + self.shift) * self.frame
        self.origin = start - stamp
        self.ends = start + units
        return start
