"""Who gives way where a table is full: the oldest entry that may go, found without a look at the whole table each time.

Entries stand in the order in which they came. One pass notes the keys of the oldest that may go, a sixteenth of the
table at most, and those go one by one; a pass that finds fewer is not made again before a sixteenth of the table's
size was asked for in vain. So an entry costs some sixteen looks, whatever the table's size, and nothing where the
table is not full. Nothing but keys is kept, so that no dead entry is held in memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Final, Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")

_PART: Final = 16


class Eldest(Generic[K, V]):
    """Finds the oldest entry of `table` that `may_go`."""

    __slots__ = ("_keys", "_may_go", "_passes_off", "_table")

    def __init__(self, table: Mapping[K, V], may_go: Callable[[V], bool]) -> None:
        self._table = table
        self._may_go = may_go
        self._keys: deque[K] = deque()
        self._passes_off = 0
        """How often the answer is None before the table is looked through again."""

    def next(self) -> V | None:
        """The entry, which the caller takes out of the table; None where none may go, or none was found lately."""
        found = self._next_noted()
        if found is not None:
            return found
        if self._passes_off > 0:
            self._passes_off -= 1
            return None
        table, may_go = self._table, self._may_go
        most = len(table) // _PART + 1
        self._keys.extend(islice((key for key, entry in table.items() if may_go(entry)), most))
        self._passes_off = most - 1 - min(most - 1, len(self._keys))
        return self._next_noted()

    def _next_noted(self) -> V | None:
        while self._keys:
            entry = self._table.get(self._keys.popleft())
            if entry is not None and self._may_go(entry):
                return entry
        return None
