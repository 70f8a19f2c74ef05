"""Gathers records for a moment on their way out of the core.

What a call gives rise to comes in bursts, and most of what a record costs its readers (a transaction, a wake-up of a
thread, a write to a file) they spend once a batch. So the first record of a burst waits for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.calls.log import Record

GATHER_S: Final = 0.02
"""A tenth of what the writer waits before it commits, and no more than the feed waits for company."""


class RecordGatherer:
    """Hands on what it is given within `GATHER_S`, in order and in one piece."""

    def __init__(
        self, keep: Callable[[Sequence[Record]], None], *, later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """`keep` takes the batches; `later` calls a function after so many seconds."""
        self._keep = keep
        self._later = later
        self._gathered: list[Record] = []

    def gather(self, records: Sequence[Record]) -> None:
        """Take records from the core."""
        if not self._gathered:
            self._later(GATHER_S, self.flush)
        self._gathered += records

    def flush(self) -> None:
        """Hand on what has been gathered, now."""
        records, self._gathered = self._gathered, []
        if records:
            self._keep(records)
