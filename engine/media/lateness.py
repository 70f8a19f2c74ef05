"""How punctual the ticks are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LATE_S: Final = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """In seconds."""

    p50: float
    p999: float
    worst: float


class Lateness:
    """Collects, for each tick, how long after its deadline it began."""

    def __init__(self) -> None:
        self.ticks = 0
        self.late = 0
        """Ticks that began more than LATE_S after their deadline."""
        self._recent: list[float] = []

    def note(self, lateness: float) -> None:
        self.ticks += 1
        if lateness > LATE_S:
            self.late += 1
        self._recent.append(lateness)

    def take(self) -> Percentiles:
        """Percentiles (nearest rank) since the last call; zeros when there was no tick."""
        recent = sorted(self._recent)
        self._recent.clear()
        if not recent:
            return Percentiles(p50=0.0, p999=0.0, worst=0.0)
        return Percentiles(
            p50=recent[(len(recent) - 1) // 2], p999=recent[-(-len(recent) * 999 // 1000) - 1], worst=recent[-1]
        )
