"""Pairs of ports (RFC 3550 11: RTP even, RTCP the odd one above), handed out in a circle so that a pair rests before
it is used again: late packets of an old call then fall on a closed port and not into a new call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

REST_S: Final = 30.0
"""A peer that missed the end of a call may go on sending for as long as SIP asks him to stop (RFC 3261: 32 s)."""


class Ports:
    """Which pairs of the range are ours, free, resting, or held by another program."""

    def __init__(self, first: int, last: int) -> None:
        """RTP ports from `first` to `last`, both included; RTCP of the last may lie one above. Raises ValueError."""
        self._pairs = range(first + first % 2, last + 1, 2)
        if not self._pairs or not 1024 <= first <= last <= 65535:
            raise ValueError(f"port range {first}-{last} holds no even port within 1024-65535")
        self._used: set[int] = set()
        self._released: dict[int, float] = {}
        """When each was given back, the longest ago first."""
        self._next = 0
        self.taken: set[int] = set()
        """Even ports of pairs that another program was seen to hold."""

    @property
    def count(self) -> int:
        """Pairs in the range, whoever holds them."""
        return len(self._pairs)

    def candidates(self, now: float) -> Iterator[int]:
        """Every pair that is not ours, those that rest behind all others, from the one that has rested longest; take
        one by `use`."""
        for _ in range(len(self._pairs)):
            port = self._pairs[self._next]
            self._next = (self._next + 1) % len(self._pairs)
            if port not in self._used and now - self._released.get(port, -REST_S) >= REST_S:
                yield port
        yield from [port for port, since in self._released.items() if now - since < REST_S]

    def use(self, port: int) -> None:
        """The pair was bound."""
        self._used.add(port)
        self._released.pop(port, None)
        self.taken.discard(port)

    def release(self, port: int, now: float) -> None:
        """The pair was closed."""
        self._used.discard(port)
        self._released[port] = now
