"""The journal: what happens, numbered and in order."""

from __future__ import annotations

from typing import NamedTuple

from engine.calls.log import SCHEMA_VERSION, LogBody
from engine.clock import Clock
from engine.ids import CallId


class Record(NamedTuple):
    """One entry of the log. A tuple, for a dozen are made for every call and a frozen dataclass takes three times as
    long to make."""

    seq: int
    """Rises by one with every record, over restarts too."""
    schema: int
    call: CallId | None
    wall: float
    """Seconds since the epoch, UTC."""
    mono: float
    """The monotonic time of the input that caused it, seconds."""
    body: LogBody


class Journal:
    """Numbers and collects records; whoever drives the core takes them away."""

    def __init__(self, clock: Clock, *, next_seq: int = 1) -> None:
        self._clock = clock
        self._next_seq = next_seq
        self._pending: list[Record] = []

    @property
    def last_seq(self) -> int:
        """Number of the last record; 0 before the first of all."""
        return self._next_seq - 1

    def append(self, body: LogBody, *, now: float, call: CallId | None = None) -> Record:
        """Note that this happened, at the monotonic time `now`."""
        record = Record(self._next_seq, SCHEMA_VERSION, call, self._clock.wall(), now, body)
        self._next_seq += 1
        self._pending.append(record)
        return record

    def take(self) -> list[Record]:
        """All records since the last take, in order."""
        taken, self._pending = self._pending, []
        return taken
