"""Packets that may wait for the tick are read by it, of all legs at once.

To be woken up by a packet, read it and look at it costs several times what the packet's sound does. Where nothing is
passed on, a mix, a conference, a caller who hears music, it is in time when the tick begins: so such a leg is taken
from the poller and sits in a tray (`tray.py`), and the first thing that a tick does is to read what has come. When it
came the kernel says.

Legs join in the rounds, some time after the last change, and leave at once when one is to be passed on, encrypted,
moved or closed (`Reception.rise`). Whatever is not simply the next packet of its stream goes the way of any packet.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.media.leg import Leg
from engine.media.reception import Reception, Seat, samples_at
from engine.media.relay import Forwarder
from engine.media.table import Table
from engine.media.tray import Tray
from engine.media.wire import Wire

MOST: Final = 32
"""Packets of one leg that are read before a tick. What is more waits; what is too much the kernel drops."""

WAITED_S: Final = 0.022
"""A packet that has waited longer has its next one behind it, which may be due too. What comes less than 2 ms before a
tick (jitter.SAFETY_MS) is for the one after."""


class Scoop(Protocol):
    """Reads the sockets of one tray."""

    def seat(self, place: int, descriptor: int) -> None:
        """The place is this connected socket's from now on."""
        ...

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A packet of each place, if one is there, into its row: octets, or a negative errno (-EAGAIN where there is
        none), and when it came, monotonic seconds."""
        ...


class Sweep:
    """Every leg that has a place."""

    def __init__(
        self,
        table: Table,
        forwarder: Forwarder,
        wire: Wire,
        *,
        scoop: Callable[[NDArray[np.uint8]], Scoop] | None,
        clock: Callable[[], float],
    ) -> None:
        """`scoop` makes what reads into the packets of a tray; without it all packets are read on arrival. `clock`:
        monotonic seconds."""
        self._table = table
        self._forwarder = forwarder
        self._wire = wire
        self._scoop = scoop
        self._clock = clock
        self._trays: list[tuple[Tray, Scoop]] = []

    def visit(self, leg: Leg) -> None:
        """Let the leg's packets wait for the tick, if they can."""
        if (
            self._scoop is None
            or leg.rx.seat is not None
            or leg.latched is None
            or leg.relays
            or leg.shield is not None
        ):
            return
        descriptor = self._wire.lend(leg)
        if descriptor < 0:
            return
        rx = leg.rx
        rx.shut()
        tray, scoop = self._free(self._scoop)
        place = tray.sit(rx)
        scoop.seat(place, descriptor)
        rx.seat = Seat(tray=tray, place=place, left=self._left)

    def _free(self, make: Callable[[NDArray[np.uint8]], Scoop]) -> tuple[Tray, Scoop]:
        for tray, scoop in self._trays:
            if not tray.full:
                return tray, scoop
        tray = Tray(self._table)
        self._trays.append((tray, make(tray.packets)))
        return self._trays[-1]

    def _left(self, rx: Reception) -> None:
        seat, rx.seat = rx.seat, None
        if seat is not None:
            seat.tray.rise(seat.place)
            self._wire.reclaim(rx.leg)

    def pieces(self) -> Iterator[None]:
        """Read and deal with what has come, a tray at a time."""
        for tray, scoop in self._trays:
            places = tray.taken
            for _ in range(MOST):
                if not len(places):
                    break
                places = self._read(tray, scoop, places)
                yield

    def _read(self, tray: Tray, scoop: Scoop, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """One packet of each place; the places where another may be waiting."""
        sizes, heard_at = scoop.read(places)
        streams = tray.streams
        errors = (sizes < 0) & (sizes != -errno.EAGAIN)
        broken = places[errors].tolist()
        for place, result in zip(broken, sizes[errors].tolist(), strict=True):
            rx = streams[place]
            if rx is not None:
                rx.leg.tx.failed(OSError(-result, ""))
        came = np.flatnonzero(sizes >= 0)
        if not len(came) and not broken:
            return came
        mine, sizes, heard_at = places[came], sizes[came], heard_at[came]
        kept, uneven = tray.sort(mine, sizes, heard_at)
        odd = [(streams[mine[at]], int(mine[at]), at) for at in np.flatnonzero(~kept).tolist()]
        for rx, place, at in odd:
            if rx is not None:
                self._one(rx, tray.packets[place, : int(sizes[at])], float(heard_at[at]))
        again = mine[~kept | uneven | (heard_at < self._clock() - WAITED_S)].tolist()
        return np.array([place for place in again + broken if streams[place] is not None], np.intp)

    def _one(self, rx: Reception, packet: NDArray[np.uint8], now: float) -> None:
        """A packet that is to be looked at closely."""
        self._forwarder.buffer[: len(packet)] = packet.data
        self._forwarder.receive(rx, len(packet), now, samples_at(now))
