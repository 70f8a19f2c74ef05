"""Packets of many streams that lie side by side, read at the same time: what the fast lane does with one, all at once.

A stream whose packets nobody has passed on may wait for the tick (see `sweep.py`). It has a place in a tray: a row that
its next packet is read into, and the promise that `Reception` makes about that packet, in arrays. Packets that keep it
are accounted for and laid into the table by a few operations on all of them; every other goes the way of any packet,
one by one. While a stream has a place the tray counts for it; `settle` brings its `Reception` up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME, RATE
from engine.media.reception import MAX_TRANSIT_STEP, UNTIMELY
from engine.media.rtp import HEADER_SIZE
from engine.media.table import Table

if TYPE_CHECKING:
    from engine.media.reception import Reception

PLACES: Final = 256
"""As many as are read by one system call."""

LONGEST: Final = 2048
"""Octets of a datagram that are read."""

UNEVEN: Final = 16.0
"""Jitter (2 ms) from which on a stream's packets come by two at times."""

KNOWN: Final = 50
"""Packets of which jitter is known."""

_SHUT: Final = -1


class Tray:
    """See the module. Columns of one number a place."""

    def __init__(self, table: Table) -> None:
        self.packets: NDArray[np.uint8] = np.zeros((PLACES, LONGEST), np.uint8)
        self.streams: list[Reception | None] = [None] * PLACES
        self._table = table
        self._free = list(reversed(range(PLACES)))
        self._taken: NDArray[np.intp] | None = None
        self._next = np.full(PLACES, _SHUT)
        """The sequence number that is promised; -1 where nothing is."""
        self._head = np.zeros(PLACES, np.uint16)
        self._ssrc = np.zeros(PLACES, np.int64)
        self._size = np.zeros(PLACES, np.int64)
        self._row = np.zeros(PLACES, np.intp)
        self._since = np.zeros(PLACES, np.int64)
        """`_next` at the last `settle`."""
        self._known_from = np.zeros(PLACES, np.int64)
        """The sequence number from which on the stream's jitter can be relied on."""
        self._transit = np.zeros(PLACES, np.int64)
        self._jitter = np.zeros(PLACES)
        self._heard_at = np.zeros(PLACES)

    # --- places ---

    @property
    def full(self) -> bool:
        return not self._free

    @property
    def taken(self) -> NDArray[np.intp]:
        """The places that streams have."""
        if self._taken is None:
            self._taken = np.array([at for at, rx in enumerate(self.streams) if rx is not None], np.intp)
        return self._taken

    def sit(self, rx: Reception) -> int:
        """The place of a stream that has none."""
        place = self._free.pop()
        self.streams[place] = rx
        self._next[place] = _SHUT
        self._heard_at[place] = 0.0
        self._taken = None
        return place

    def rise(self, place: int) -> None:
        """The place is free."""
        self.streams[place] = None
        self._free.append(place)
        self._taken = None

    # --- promises ---

    def promise(self, place: int, rx: Reception) -> None:
        """The next packet has `rx.head`, `rx.size` and so on, and goes to the leg's row of the table, if any."""
        self._head[place], self._size[place] = rx.head, rx.size
        self._ssrc[place], self._row[place] = rx.ssrc, rx.leg.row
        self._since[place] = self._next[place] = rx.highest + 1
        self._known_from[place] = rx.highest + max(0, KNOWN - rx.received)
        self._transit[place], self._jitter[place], self._heard_at[place] = rx.transit, rx.jitter, rx.heard_at

    def settle(self, place: int, rx: Reception) -> int:
        """Hand over what is known of the stream; how many packets have kept the promise since the last time."""
        expected = int(self._next[place])
        if expected == _SHUT:
            return 0
        count = expected - int(self._since[place])
        self._since[place] = expected
        rx.transit, rx.jitter = int(self._transit[place]), float(self._jitter[place])
        rx.heard_at = max(rx.heard_at, float(self._heard_at[place]))
        return count

    def heard_at(self, place: int) -> float:
        """When a packet last kept the promise; 0 where none has."""
        return float(self._heard_at[place])

    def shut(self, place: int) -> None:
        """Nothing is promised of the next packet. After `settle`."""
        self._next[place] = _SHUT

    # --- packets ---

    def sort(
        self, places: NDArray[np.intp], sizes: NDArray[np.int64], heard_at: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Deal with the packets at these places, so many octets each, that came at these monotonic seconds: which of
        them are as promised, and which of those are of an uneven stream, so that others may wait behind them."""
        heads = self.packets[places, :HEADER_SIZE]
        shorts, longs = heads.view(">u2"), heads.view(">u4")
        seq, stamp, ssrc = shorts[:, 1].astype(np.int64), longs[:, 1].astype(np.int64), longs[:, 2].astype(np.int64)
        kept = (seq == self._next[places]) & (ssrc == self._ssrc[places])
        kept &= (shorts[:, 0] == self._head[places]) & (sizes == self._size[places])
        arrival = (heard_at * RATE).astype(np.int64)
        transit = arrival - stamp
        delta = np.abs(transit - self._transit[places])
        kept &= delta < MAX_TRANSIT_STEP
        at = np.flatnonzero(kept)
        mine = places[at]
        jitter = self._jitter[mine]
        jitter += (delta[at] - jitter) * 0.0625
        self._jitter[mine] = jitter
        uneven = np.zeros(len(places), np.bool_)
        uneven[at] = (jitter > UNEVEN) | (delta[at] > UNTIMELY) | (seq[at] < self._known_from[mine])
        self._next[mine] = seq[at] + 1
        self._transit[mine] = transit[at]
        self._heard_at[mine] = heard_at[at]
        self._write(mine, stamp[at], ssrc[at], arrival[at])
        return kept, uneven

    def _write(
        self,
        places: NDArray[np.intp],
        stamps: NDArray[np.int64],
        ssrcs: NDArray[np.int64],
        arrivals: NDArray[np.int64],
    ) -> None:
        """Into the table, what it has rows for."""
        size = self._size[places]
        heard = self._row[places] >= 0
        whole = np.flatnonzero(heard & (size == HEADER_SIZE + FRAME))
        if len(whole):
            mine = places[whole]
            payloads = self.packets[mine, HEADER_SIZE : HEADER_SIZE + FRAME]
            parts = stamps[whole], ssrcs[whole], payloads, arrivals[whole]
            heard[whole] = ~self._table.write_many(self._row[mine], *parts)
        for at in np.flatnonzero(heard).tolist():
            place = int(places[at])
            payload = self.packets[place, HEADER_SIZE : int(size[at])].data
            stamp, arrival = int(stamps[at]), int(arrivals[at])
            self._table.write(int(self._row[place]), stamp, int(ssrcs[at]), payload, False, arrival)
