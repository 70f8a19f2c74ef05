"""The pen: sockets that more comes to than anybody speaks are not looked at for a while.

Whoever reads a socket reads `MOST` packets of it at one look at most. If there may be more, it is put away here: the
poller is told to forget it, so that a flood (100,000 packets a second on one port) costs the other legs `MOST` packets
in 20 ms and no wake-up, and what is too much is dropped by the kernel, whose queue is short. A socket that comes here
again and again stays longer each time, so that little more of its flood is passed on than a telephone sends. A burst
after a stall of the network is read to its end all the same, a little later.
"""

from __future__ import annotations

from typing import Final

from engine.media.io_poll import READ, Poller

MOST: Final = 32
"""Packets read from one socket at one look: six tenths of a second of speech."""

FIRST_S: Final = 0.02
LONGEST_S: Final = 0.32
FORGIVEN_S: Final = 1.0
"""After so long without coming here a socket begins with the shortest time again."""


class _Kept:
    __slots__ = ("edge", "inside", "stays_s", "until")

    def __init__(self) -> None:
        self.edge = False
        """How the poller watched it."""
        self.inside = False
        self.until = -FORGIVEN_S
        self.stays_s = 0.0


class Pen:
    """Descriptors that are kept away from the poller, and those that were lately."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._kept: dict[int, _Kept] = {}
        self._inside = 0
        self._next = 0.0

    def put(self, descriptor: int, now: float, *, edge: bool = False) -> None:
        """Keep this descriptor, which the poller watches (for changes only: `edge`), away for a while."""
        kept = self._kept.setdefault(descriptor, _Kept())
        if kept.inside:
            return
        again = now - kept.until < FORGIVEN_S and kept.stays_s > 0
        kept.stays_s = min(2 * kept.stays_s, LONGEST_S) if again else FIRST_S
        kept.until, kept.edge, kept.inside = now + kept.stays_s, edge, True
        self._poller.unregister(descriptor)
        self._next = min(self._next, kept.until) if self._inside else kept.until
        self._inside += 1

    def has(self, descriptor: int) -> bool:
        """Whether it is kept away now."""
        kept = self._kept.get(descriptor)
        return kept is not None and kept.inside

    def let_out(self, now: float) -> None:
        """Have the poller watch those again whose time is over; it tells at once of what waits there."""
        if not self._inside or now < self._next:
            return
        for descriptor, kept in list(self._kept.items()):
            if kept.inside and now >= kept.until:
                kept.inside = False
                self._inside -= 1
                self._poller.register(descriptor, READ)
                if kept.edge:
                    self._poller.edge(descriptor)
            elif not kept.inside and now - kept.until >= FORGIVEN_S:
                del self._kept[descriptor]
        self._next = min((kept.until for kept in self._kept.values() if kept.inside), default=0.0)

    def forget(self, descriptor: int) -> bool:
        """The descriptor is about to be closed. Whether the poller does not watch it."""
        kept = self._kept.pop(descriptor, None)
        if kept is None or not kept.inside:
            return False
        self._inside -= 1
        return True
