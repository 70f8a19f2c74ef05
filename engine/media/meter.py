"""MOS of what is heard on one leg: the E-model over the packets of the last seconds, its worst and its mean."""

from __future__ import annotations

from typing import Final

from engine.media.emodel import burst_ratio, mos, rating
from engine.media.reception import Reception

MEASURED_OVER: Final = 100
"""Packets that a figure is made of: with fewer, one lost would be a disaster."""

AT_LEAST: Final = 10
"""Of a call that was over before there were so many."""

PACKET_MS: Final = 20.0
"""What sending side and ours take to fill and play a packet."""


class Meter:
    """Of one leg. Looks at its reception once a second."""

    __slots__ = ("_discarded", "_expected", "_gaps", "_packets", "_received", "_sum", "mos", "worst")

    def __init__(self) -> None:
        self._expected = 0
        self._received = 0
        self._gaps = 0
        self._discarded = 0
        self._sum = 0.0
        self._packets = 0
        self.mos: float | None = None
        """Of late; None before enough came."""
        self.worst: float | None = None

    @property
    def mean(self) -> float | None:
        """Over all packets that were measured."""
        return self._sum / self._packets if self._packets else None

    def look(
        self, rx: Reception, *, discarded: int, round_trip_s: float | None, depth_ms: float, closing: bool = False
    ) -> None:
        """Measure what came since the last time, if that is enough. `discarded`: packets that came too late to be
        played, in all; `depth_ms`: how long what comes waits in the jitter buffer."""
        expected = rx.earlier_expected + rx.expected
        received = rx.earlier_received + rx.received
        fresh = expected - self._expected
        if fresh < (AT_LEAST if closing else MEASURED_OVER):
            return
        late = max(0, discarded - self._discarded)
        lost = max(0, fresh - (received - self._received)) + late
        gaps = rx.gaps - self._gaps + late
        self._expected, self._received, self._gaps, self._discarded = expected, received, rx.gaps, discarded
        delay_ms = (round_trip_s or 0.0) * 500.0 + depth_ms + PACKET_MS
        r = rating(loss=lost / fresh, burst_ratio=burst_ratio(lost, gaps, fresh), delay_ms=delay_ms)
        score = mos(r)
        self.mos = score
        self.worst = score if self.worst is None else min(self.worst, score)
        self._sum += score * fresh
        self._packets += fresh
