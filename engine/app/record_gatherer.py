"""Gathers records for a moment on their way out of the core.

What a call gives rise to comes in bursts, and most of what a record costs its readers (a transaction, a wake-up of a
thread, a write to a file, code that other work has driven out of the processor's caches) they spend once a batch. So
the first record of a burst waits for the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from engine.calls.journal import Record

GATHER_S: Final = 0.25
"""Together with the writer, which commits at once what it is handed, this is what `kill -9` may cost: the quarter of a
second, a commit that is under way and the next one, each a few milliseconds on a disk that works. A second is allowed.
"""

GATHER_ROWS: Final = 500
"""So many are handed on at once: a transaction of the writer's holds no more."""


class RecordGatherer:
    """Hands on what it is given within `GATHER_S`, in order and in one piece."""

    def __init__(
        self, keep: Callable[[Sequence[Record]], None], *, later: Callable[[float, Callable[[], None]], object]
    ) -> None:
        """`keep` takes the batches; `later` calls a function after so many seconds."""
        self._keep = keep
        self._later = later
        self._beside: list[Callable[[], None]] = []
        self._gathered: list[Record] = []
        self._due = False
        """Whether the timer runs. It is left to ring when its records went another way: then others go early."""

    def beside(self, call: Callable[[], None]) -> None:
        """Call this too with every batch: for what waits for an occasion and would cost a timer of its own."""
        self._beside.append(call)

    def gather(self, records: Sequence[Record]) -> None:
        """Take records from the core."""
        self._gathered += records
        if len(self._gathered) >= GATHER_ROWS:
            self.flush()
        elif not self._due:
            self._due = True
            self._later(GATHER_S, self._ring)

    def flush(self) -> None:
        """Hand on what has been gathered, now."""
        records, self._gathered = self._gathered, []
        if records:
            self._keep(records)
            for call in self._beside:
                call()

    def _ring(self) -> None:
        self._due = False
        self.flush()
