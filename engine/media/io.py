"""The loop: read what came, pass it on, run the tick on time.

Every packet of the process comes through `Loop._packets`; nothing there makes an object. Under load the loop lets
packets gather for up to `coalesce_s` between two looks at the sockets: waking up costs more than a packet, and a
millisecond or two of transit is little beside the 20 ms that a packet lasts. The garbage collector never runs by
itself; the loop calls it when there is nothing to hear.

Ticks are for legs that hear a player, a mix or digits. While all packets are passed on when they come, or nobody speaks
at all, only every fifth tick runs, for the rounds; to wake up for the others would be most of what such calls cost.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

from engine.media.io_legs import LegSockets
from engine.media.io_poll import BATCH, Poller
from engine.media.lateness import Lateness
from engine.media.reception import Reception, samples_at
from engine.media.relay import Forwarder

TICK_S: Final = 0.02
CATCH_UP: Final = 5
"""Ticks. A loop that is further behind (the machine was stopped) leaves ticks out."""

BUSY_RATE: Final = 1000
"""Packets a second from which on packets are gathered."""

GATHERED: Final = 20
"""Packets worth waking up for: the busier the process is, the shorter they are held up."""

BACKLOG: Final = BATCH // 2
"""So many sockets ready at one look: the process was kept from running, and what has queued up is taken in without
rest."""

LAG_S: Final = 0.01
"""After so long without a look several packets may wait in any socket."""

DRAIN: Final = 256
"""Packets read from one socket at one look: more than the kernel keeps for it."""

MUCH_GARBAGE: Final = 500_000
"""Objects since the last collection that mean a leak; then a pause is better than to grow for ever."""

SELDOM: Final = 5
"""Ticks between two while none is due."""

IDLE_S: Final = 0.25
"""Longest sleep without legs."""


class Loop:
    """Drives sockets and ticks until `end` is called."""

    def __init__(
        self,
        *,
        poller: Poller,
        sockets: LegSockets,
        forwarder: Forwarder,
        tick: Callable[[int, float], None],
        after: Callable[[float], None],
        legs: Callable[[], int],
        due: Callable[[], bool],
        coalesce_s: float,
    ) -> None:
        """`tick(number, now)` runs every 20 ms while there are legs and `due()`, else seldom; `after(now)` runs after
        every look at the sockets."""
        self.lateness = Lateness()
        self._poller = poller
        self._sockets = sockets
        self._forwarder = forwarder
        self._tick = tick
        self._after = after
        self._legs = legs
        self._due = due
        self._seldom = False
        """Ticks are left out now."""
        self._coalesce_s = coalesce_s
        self._gather_s = 0.0
        self._ended = False
        self._start = time.monotonic()
        self._number = 0
        self._ran = 0
        """Number of the last tick that ran."""
        self._events = 0
        self._behind = False
        self._looked_at = 0.0

    def end(self) -> None:
        """Return from `run` after this round."""
        self._ended = True

    def run(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        counted, counted_at = 0, time.monotonic()
        while not self._ended:
            if not self._legs():
                self._rest()
                continue
            self._packets()
            now = time.monotonic()
            self._keep_time(now)
            if now - counted_at >= 1.0:
                rate = (self._events - counted) / (now - counted_at)
                self._gather_s = min(self._coalesce_s, GATHERED / rate) if rate >= BUSY_RATE else 0.0
                counted, counted_at = self._events, now
                if gc.get_count()[0] > MUCH_GARBAGE:
                    gc.collect()
            self._after(now)
        gc.enable()
        gc.unfreeze()

    def _rest(self) -> None:
        """No legs: wait for control, and use the time to collect what it left behind."""
        if gc.get_count()[0] > 1000:
            gc.collect()
        for descriptor, _ in self._poller.poll(IDLE_S):
            other = self._sockets.others.get(descriptor)
            if other is not None:
                other(time.monotonic())
        now = time.monotonic()
        self._number = self._next(now)
        self._after(now)

    def _next(self, now: float) -> int:
        """The tick after now. Its number follows the clock, so that the play-out clock never runs backwards."""
        return int((now - self._start) / TICK_S) + 1

    def _packets(self) -> None:
        """Wait for packets until the next tick at most, and deal with those that are there."""
        poll, clock = self._poller.poll, time.monotonic
        wait = self._start + self._number * TICK_S - clock()
        if self._gather_s or wait < 0.001:
            # epoll counts in milliseconds; the last one before a tick, and the gathering, need a finer sleep.
            if wait > 0 and not self._behind:
                time.sleep(min(wait, self._gather_s) if self._gather_s else wait)
            ready = poll(0)
        else:
            ready = poll(int(wait * 1000) / 1000)
        now = clock()
        arrival = samples_at(now)
        self._events += len(ready)
        self._behind = len(ready) >= BACKLOG
        thorough = now - self._looked_at > LAG_S
        self._looked_at = now
        latched, others = self._sockets.latched, self._sockets.others
        receive, buffer = self._forwarder.receive, self._forwarder.buffer
        for descriptor, _ in ready:
            try:
                rx = latched[descriptor]
            except KeyError:
                other = others.get(descriptor)
                if other is not None:
                    other(now)
                continue
            recv_into = rx.recv_into
            try:
                size = recv_into(buffer)
            except BlockingIOError:
                continue
            except OSError as error:
                rx.leg.tx.failed(error)
                self._drain(rx, now, arrival)
                continue
            if receive(rx, size, now, arrival) or thorough:
                self._drain(rx, now, arrival)

    def _drain(self, rx: Reception, now: float, arrival: int) -> None:
        """Read on. The poller tells of an arrival once; a second packet that came before this look would wait for the
        third. Two packets in one look means that one of them was out of time, or that we were."""
        receive, recv_into, buffer = self._forwarder.receive, rx.recv_into, self._forwarder.buffer
        for _ in range(DRAIN):
            try:
                receive(rx, recv_into(buffer), now, arrival)
            except BlockingIOError:
                return
            except OSError as error:
                rx.leg.tx.failed(error)

    def _keep_time(self, now: float) -> None:
        """Run the tick if its time has come, and say which is the next."""
        due = self._due()
        if due and self._seldom:
            self._number = self._next(now)
        elif not due and not self._seldom:
            self._number = max(self._number, self._ran + SELDOM)
        self._seldom = not due
        deadline = self._start + self._number * TICK_S
        if now < deadline:
            return
        if due:
            self._run_tick(now, deadline)
        else:
            self._ran = self._next(now) - 1
            self._tick(self._ran, now)
            self._number = self._ran + SELDOM

    def _run_tick(self, now: float, deadline: float) -> None:
        self.lateness.note(now - deadline)
        behind = int((now - deadline) / TICK_S)
        if behind > CATCH_UP:
            self._number += behind
        self._ran = self._number
        self._tick(self._number, now)
        self._number += 1
