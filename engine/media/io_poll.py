"""Waiting for sockets: epoll as it is where there is one, what `selectors` offers elsewhere (kqueue on macOS)."""

from __future__ import annotations

import select
import selectors
from typing import Final, Protocol

READ: Final = selectors.EVENT_READ
WRITE: Final = selectors.EVENT_WRITE

BATCH: Final = 128
"""Events taken at one look, so that a tick is never more than a millisecond or so behind a flood."""


class Poller(Protocol):
    """Readiness of file descriptors, level-triggered unless `edge` says otherwise."""

    def register(self, fd: int, events: int) -> None:
        """Watch for READ, WRITE or both."""
        ...

    def modify(self, fd: int, events: int) -> None: ...

    def edge(self, fd: int) -> None:
        """From now on, where the system can, report only that something new has arrived, which spares the kernel a
        second look at every socket. Who asks for it reads on whenever more may be waiting."""
        ...

    def unregister(self, fd: int) -> None: ...

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        """Wait at most so many seconds; (descriptor, mask of this poller's own) of what is ready or in error."""
        ...

    def close(self) -> None: ...


class EpollPoller:
    """Linux. What `poll` reports is epoll's own mask."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._poll = self._epoll.poll

    def register(self, fd: int, events: int) -> None:
        self._epoll.register(fd, _epoll_mask(events))

    def modify(self, fd: int, events: int) -> None:
        self._epoll.modify(fd, _epoll_mask(events))

    def edge(self, fd: int) -> None:
        self._epoll.modify(fd, select.EPOLLIN | select.EPOLLET)

    def unregister(self, fd: int) -> None:
        self._epoll.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return self._poll(timeout, BATCH)

    def close(self) -> None:
        self._epoll.close()


def _epoll_mask(events: int) -> int:
    return (select.EPOLLIN if events & READ else 0) | (select.EPOLLOUT if events & WRITE else 0)


class SelectorPoller:
    """Everywhere else."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, fd: int, events: int) -> None:
        self._selector.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        self._selector.modify(fd, events)

    def edge(self, fd: int) -> None:
        """Not with `selectors`."""

    def unregister(self, fd: int) -> None:
        self._selector.unregister(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return [(key.fd, mask) for key, mask in self._selector.select(timeout)[:BATCH]]

    def close(self) -> None:
        self._selector.close()


def best_poller() -> Poller:
    """The poller for this system."""
    return EpollPoller() if hasattr(select, "epoll") else SelectorPoller()
