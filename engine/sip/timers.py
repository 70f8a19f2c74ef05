"""Time within the stack: the RFC's intervals, and one heap of deadlines for everything that waits.

Most deadlines are of two kinds. What somebody waits for (a repetition, a timeout that is told) rings at its time:
`start`. What only frees memory may ring late, since the RFC gives the least time that a finished transaction is to
stay: `start_late` puts it off to the next half second of the clock, so that one wake-up sees to all that is due.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil
from typing import Final, Protocol

_COMPACT_FROM: Final = 1024
"""Cancelled entries that are tolerated before their share matters."""
LATE_GRID_S: Final = 0.5
"""A timer that may ring late rings at a multiple of this, so that many ring together. A binary fraction, so that the
multiples are exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timers:
    """The base intervals of RFC 3261 17.1.1.1, in seconds, and what follows from them (table 4 of appendix A)."""

    t1: float = 0.5
    """Estimate of the round-trip time."""
    t2: float = 4.0
    """Longest interval between repetitions of a non-INVITE request or of a final response to INVITE."""
    t4: float = 5.0
    """Longest time that a message stays in the network."""

    @property
    def transaction(self) -> float:
        """64*T1: Timers B, F, H, J, L, M, and how long a 2xx waits for its ACK (13.3.1.4)."""
        return 64 * self.t1

    @property
    def completed(self) -> float:
        """Timer D: at least 32 s over an unreliable transport."""
        return max(32.0, 64 * self.t1)


class TimerOwner(Protocol):
    """Who is told that a timer rang."""

    def timer_rang(self, what: str, now: float) -> None: ...


class Timer:
    """One armed deadline; kept by its owner to cancel it."""

    __slots__ = ("deadline", "owner", "what")

    def __init__(self, deadline: float, owner: TimerOwner, what: str) -> None:
        self.deadline = deadline
        self.owner: TimerOwner | None = owner
        """None once it rang or was cancelled, so that a dead entry holds nobody in memory."""
        self.what = what


class TimerHeap:
    """Deadlines in order. Cancelling marks the entry; dead entries leave when they reach the top, or all at once when
    they outnumber the live ones, so that every operation costs O(log n) amortised."""

    __slots__ = ("_heap", "_live", "_sequence")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._sequence = 0
        self._live = 0

    def __len__(self) -> int:
        """Timers that are armed."""
        return self._live

    def start(self, deadline: float, owner: TimerOwner, what: str) -> Timer:
        """Arm a timer; at `deadline` `owner.timer_rang(what, now)` is called, in order of deadlines, then of arming."""
        timer = Timer(deadline, owner, what)
        self._sequence += 1
        self._live += 1
        heappush(self._heap, (deadline, self._sequence, timer))
        return timer

    def start_late(self, deadline: float, owner: TimerOwner, what: str) -> Timer:
        """Arm a timer that rings at the first multiple of LATE_GRID_S from `deadline` on: for what nobody waits for."""
        return self.start(ceil(deadline / LATE_GRID_S) * LATE_GRID_S, owner, what)

    def cancel(self, timer: Timer | None) -> None:
        """Disarm; None and one that rang already are fine."""
        if timer is None or timer.owner is None:
            return
        timer.owner = None
        self._live -= 1
        dead = len(self._heap) - self._live
        if dead > _COMPACT_FROM and dead > self._live:
            self._heap = [entry for entry in self._heap if entry[2].owner is not None]
            heapify(self._heap)

    def next_deadline(self) -> float | None:
        """When the next timer rings; None where none is armed."""
        heap = self._heap
        while heap:
            deadline, _, timer = heap[0]
            if timer.owner is not None:
                return deadline
            heappop(heap)
        return None

    def ring(self, now: float) -> None:
        """Tell every owner whose deadline has come, also those whose timer is armed for `now` or earlier meanwhile."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            timer = heappop(heap)[2]
            owner = timer.owner
            if owner is not None:
                timer.owner = None
                self._live -= 1
                owner.timer_rang(timer.what, now)
                heap = self._heap
