"""How much of its 20 ms a tick takes: what says, before anybody hears it, that a media process has enough to do."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

WINDOW: Final = 250
"""Ticks that count: those of five seconds. At the 99th percentile the two dearest of them do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFigures:
    """In seconds of processor time."""

    p50: float
    p99: float


class TickWork:
    """Collects what each tick took."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)

    def note(self, seconds: float) -> None:
        self._recent.append(seconds)

    def clear(self) -> None:
        """Nobody is served any more: what it took says nothing of the next legs."""
        self._recent.clear()

    def figures(self) -> WorkFigures:
        """Percentiles (nearest rank) of the last five seconds' ticks; zeros when there was none."""
        recent = sorted(self._recent)
        if not recent:
            return WorkFigures(p50=0.0, p99=0.0)
        return WorkFigures(p50=recent[(len(recent) - 1) // 2], p99=recent[-(-len(recent) * 99 // 100) - 1])
