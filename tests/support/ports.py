"""Free UDP and TCP ports on the loopback address, none given twice in a run before all have been.

The range lies below Linux's ephemeral ports and clear of what Hearthline (5080, 8080, 20002-29998) and Asterisk
(5060) use by default, so that tests can run beside either. Runs in parallel start at different places of it.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator

FIRST_PORT = 10_200
LAST_PORT = 19_900


class NoFreePort(Exception):
    """The whole range is taken: something leaks ports."""


def is_free(port: int) -> bool:
    """Whether nothing on this machine holds `port`, in UDP or in TCP, on any address."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                # Closed connections in TIME_WAIT do not hinder a server; a listener still does.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError as error:
                if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                    return False
                raise
    return True


class PortPool:
    """Hands out ports; remembers them, so that a test can check that they are free again."""

    def __init__(self, *, first: int = FIRST_PORT, last: int = LAST_PORT, start: int | None = None) -> None:
        self._first = first
        self._last = last
        self._next = first + os.getpid() * 97 % (last - first + 1) if start is None else start
        self._parent: PortPool | None = None
        self._given: set[int] = set()

    def share(self) -> PortPool:
        """A pool for one test: it gives no port that this one or another share of it gave."""
        child = PortPool(first=self._first, last=self._last)
        child._parent = self
        return child

    @property
    def given(self) -> frozenset[int]:
        """Every port handed out by this pool since it last began anew; those of its shares are included."""
        return frozenset(self._given)

    def one(self) -> int:
        """A port that is free in both UDP and TCP."""
        return self.block(1)[0]

    def block(self, count: int, *, even: bool = False) -> range:
        """`count` neighbouring free ports; with `even` the first is even, as RTP wants it (RFC 3550 section 11).

        Raises `NoFreePort` when the range has no such block left.
        """
        block = self._parent.block(count, even=even) if self._parent else self._find(count, even=even)
        self._given.update(block)
        return block

    def _find(self, count: int, *, even: bool) -> range:
        for _ in range(2):
            for start in self._candidates(count, even=even):
                block = range(start, start + count)
                if self._given.isdisjoint(block) and all(is_free(port) for port in block):
                    self._next = block.stop
                    return block
            self._given.clear()  # a long run has been through all of them: those of its first tests are free again
        raise NoFreePort(f"no {count} neighbouring free ports in {self._first}-{self._last}")

    def _candidates(self, count: int, *, even: bool) -> Iterator[int]:
        span = self._last - self._first + 1
        for offset in range(span):
            start = self._first + (self._next - self._first + offset) % span
            if start + count - 1 <= self._last and not (even and start % 2):
                yield start
