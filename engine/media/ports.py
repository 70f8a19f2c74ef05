"""Pairs of ports (RFC 3550 11: RTP even, RTCP the odd one above), handed out in a circle so that a pair rests before
it is used again: late packets of an old call then fall on a closed port and not into a new call."""

from __future__ import annotations

from collections.abc import Iterator


class Ports:
    """Which pairs of the range are ours, free, or held by another program."""

    def __init__(self, first: int, last: int) -> None:
        """RTP ports from `first` to `last`, both included; RTCP of the last may lie one above. Raises ValueError."""
        self._pairs = range(first + first % 2, last + 1, 2)
        if not self._pairs or not 1024 <= first <= last <= 65535:
            raise ValueError(f"port range {first}-{last} holds no even port within 1024-65535")
        self._used: set[int] = set()
        self._next = 0
        self.taken: set[int] = set()
        """Even ports of pairs that another program was seen to hold."""

    @property
    def count(self) -> int:
        """Pairs in the range, whoever holds them."""
        return len(self._pairs)

    def candidates(self) -> Iterator[int]:
        """Every pair that is not ours, from the one that has rested longest; take one by `use`."""
        for _ in range(len(self._pairs)):
            port = self._pairs[self._next]
            self._next = (self._next + 1) % len(self._pairs)
            if port not in self._used:
                yield port

    def use(self, port: int) -> None:
        """The pair was bound."""
        self._used.add(port)
        self.taken.discard(port)

    def release(self, port: int) -> None:
        self._used.discard(port)
