"""Deadlines of the calls layer in one heap: the driver arms a single timer for the nearest."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Timers(Generic[K]):
    """At most one deadline per key. Setting and cancelling cost O(log n) and O(1); a cancelled entry stays in the heap
    until it surfaces or until such entries are the majority, so that memory follows the number of live deadlines."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._live: dict[K, int] = {}
        self._counter = 0

    def __len__(self) -> int:
        return len(self._live)

    def set(self, key: K, at: float) -> None:
        """Let `key` come due at `at` (monotonic seconds), instead of when it would have."""
        self._counter += 1
        self._live[key] = self._counter
        heapq.heappush(self._heap, (at, self._counter, key))
        if len(self._heap) > 2 * len(self._live) + 64:
            self._heap = [entry for entry in self._heap if self._live.get(entry[2]) == entry[1]]
            heapq.heapify(self._heap)

    def cancel(self, key: K) -> None:
        """Forget the key's deadline; nothing happens when it has none."""
        self._live.pop(key, None)

    def next_deadline(self) -> float | None:
        """When the nearest live deadline comes due, or None."""
        while self._heap and self._live.get(self._heap[0][2]) != self._heap[0][1]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> K | None:
        """Take away one key whose time has come, nearest first; None when there is none. One at a time, because what
        is done about the first may cancel the second."""
        at = self.next_deadline()
        if at is None or at > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._live[key]
        return key
