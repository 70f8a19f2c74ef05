"""An ordered set whose members come and go all the time: idle agents, waiting callers and deadlines are each one.

A binary heap with lazy removal. `put` and `discard` leave the old entry in the heap, where it is dropped when it comes
to the top; when stale entries outnumber the live ones, the heap is built anew, so that memory and time stay in
proportion to what is alive. `put`, `discard` and `first` cost O(log n) on average, whatever n is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final, Generic, TypeVar

Item = TypeVar("Item", bound=Hashable)
Key = TypeVar("Key", float, tuple[float, ...])

_SMALL: Final = 64
"""Heaps up to this length are never rebuilt: that would cost more than the entries it frees."""


class Ranking(Generic[Item, Key]):
    """Items ordered by key, lowest first; equal keys in the order in which they were put."""

    def __init__(self) -> None:
        self._order = count()
        self._heap: list[tuple[Key, int, Item]] = []
        self._entries: dict[Item, tuple[Key, int, Item]] = {}

    def put(self, item: Item, key: Key) -> None:
        """Add the item, or move it to where this key puts it."""
        entry = (key, next(self._order), item)
        self._entries[item] = entry
        heappush(self._heap, entry)
        self._shed()

    def discard(self, item: Item) -> None:
        """Remove the item if it is there."""
        if self._entries.pop(item, None) is not None:
            self._shed()

    def first(self) -> Item | None:
        """The item with the lowest key; None when empty."""
        entry = self._top()
        return None if entry is None else entry[2]

    def first_key(self) -> Key | None:
        """The lowest key; None when empty."""
        entry = self._top()
        return None if entry is None else entry[0]

    def __iter__(self) -> Iterator[Item]:
        """All items in order; O(n log n)."""
        return (item for _, _, item in sorted(self._entries.values(), key=lambda entry: entry[:2]))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, item: object) -> bool:
        return item in self._entries

    def _top(self) -> tuple[Key, int, Item] | None:
        heap = self._heap
        while heap:
            lowest = heap[0]
            if self._entries.get(lowest[2]) is lowest:
                return lowest
            heappop(heap)
        return None

    def _shed(self) -> None:
        if len(self._heap) > _SMALL and len(self._heap) > 2 * len(self._entries):
            self._heap = list(self._entries.values())
            heapify(self._heap)
