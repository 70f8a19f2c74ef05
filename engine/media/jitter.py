"""Where a packet belongs on the play-out clock: RTP timestamps of one source laid onto the ticks of this process.

All rows share one play-out clock: tick `k` plays samples `k * 160` up to `(k + 1) * 160`. A source's timestamp becomes
a place on that clock by adding a constant, chosen when its first packet comes so that it is played `depth` ticks
later: 40 to 60 ms with a depth of 2, since a packet falls somewhere between two ticks.
"""

from __future__ import annotations

from typing import Final

from engine.media.codecs import FRAME

SLOTS: Final = 16
"""Frames of the ring; 320 ms."""
RING: Final = SLOTS * FRAME

MAX_AHEAD: Final = 10 * FRAME
"""A packet that would be played later than this (200 ms) has jumped: the clock is laid anew."""

MAX_PAYLOAD: Final = RING - MAX_AHEAD
"""Longest packet (120 ms) that fits in wherever it begins."""

MAX_LATE: Final = 5
"""So many late packets on end are no accident of the network: the clock is laid anew."""

DEPTH: Final = 2


class Placement:
    """The play-out clock of one source."""

    __slots__ = ("_late", "_origin", "_ssrc", "late", "relaid")

    def __init__(self) -> None:
        self._ssrc = -1
        self._origin = 0
        self._late = 0
        self.late = 0
        """Packets that came after their time and were dropped."""
        self.relaid = 0
        """Times the clock was laid anew within one stream."""

    def place(self, stamp: int, ssrc: int, tick: int, *, empty: bool) -> int:
        """The sample of the play-out clock where this packet begins, or -1 when it is too late.

        `tick` is the next tick to be played. `empty`: a talkspurt begins and nothing of this source is waiting, the
        moment when a clock that has drifted can be laid anew unheard.
        """
        soonest = tick * FRAME
        if ssrc != self._ssrc or empty:
            return self._lay(stamp, ssrc, soonest)
        ahead = (stamp + self._origin - soonest) & 0xFFFFFFFF
        if ahead <= MAX_AHEAD:
            self._late = 0
            return soonest + ahead
        if ahead >= 0x80000000 and self._late < MAX_LATE:
            self._late += 1
            self.late += 1
            return -1
        self.relaid += 1
        return self._lay(stamp, ssrc, soonest)

    def _lay(self, stamp: int, ssrc: int, soonest: int) -> int:
        self._ssrc = ssrc
        self._late = 0
        start = soonest + DEPTH * FRAME
        self._origin = start - stamp
        return start
