"""Pairs of ports that are bound before anybody asks: control opens a leg on one without waiting for an answer.

The wait would cost each leg two wake-ups, one of each process, which is more than all else that opening it takes; so
control is told in advance what there is, takes from that, and only asks when nothing is left. Binding happens in
batches, too, when few are left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from engine.errors import Unavailable
from engine.media.events import MediaEvent, Spares

FULL: Final = 32
"""Pairs. Sixteen calls at once find a place without a question."""
SHARE: Final = 4
"""Of a small range no more than a fourth: the others take turns in resting."""


class Stock:
    """The spare pairs. Control takes each of them once; what an earlier control did not use is the next one's."""

    def __init__(self, pairs: int, bind: Callable[[], int], emit: Callable[[MediaEvent], None]) -> None:
        """`pairs` are in the range; `bind` binds a free one and gives its even port, or raises Unavailable."""
        self._full = min(FULL, pairs // SHARE)
        self._bind = bind
        self._emit = emit
        self._ports: dict[int, None] = {}
        self._exhausted = False
        """There was no free pair; not to be looked for at every turn."""

    def take(self, port: int) -> bool:
        """Whether this pair was spare; it no longer is."""
        return self._ports.pop(port, port) is None

    def give(self) -> int | None:
        """Any spare pair, for who asks for no certain one while there is no other; None when there is none."""
        port = next(iter(self._ports), None)
        if port is not None:
            del self._ports[port]
        return port

    def all(self) -> list[Spares]:
        """What a new control is told."""
        return [Spares(ports=tuple(self._ports))] if self._ports else []

    def top_up(self) -> None:
        """Bind what is missing, if much is, and tell of it."""
        if 2 * len(self._ports) >= self._full or self._exhausted:
            return
        bound: list[int] = []
        try:
            while len(self._ports) + len(bound) < self._full:
                bound.append(self._bind())
        except Unavailable:
            self._exhausted = True
        if bound:
            self._ports.update(dict.fromkeys(bound))
            self._emit(Spares(ports=tuple(bound)))

    def look_again(self) -> None:
        """Ports may have become free."""
        self._exhausted = False
