"""Time, injected. Only `engine.net` and `engine.app` own a real one; everything else is handed `now`."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The two times that an event carries."""

    def monotonic(self) -> float:
        """Seconds that never jump; deadlines are measured in these."""
        ...

    def wall(self) -> float:
        """Seconds since the Unix epoch, UTC; for people and reports, never for deadlines."""
        ...
