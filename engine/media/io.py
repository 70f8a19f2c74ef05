"""The loop: read what came, pass it on, run the tick on time.

Every packet of the process comes through `Loop._take`; nothing there makes an object. Under load the loop lets
packets gather for up to `coalesce_s` between two looks at the sockets: waking up costs more than a packet, and a
millisecond or two of transit is little beside the 20 ms that a packet lasts. The garbage collector never runs by
itself; the loop calls it when there is nothing to hear.

Ticks are for legs that hear a player, a mix or digits. While all packets are passed on when they come, or nobody speaks
at all, only every fifth tick runs, for the rounds; to wake up for the others would be most of what such calls cost.
A tick of many mixed legs takes longer than a packet that is passed on may wait: it is done in slices, and packets are
dealt with between them.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from engine.media.io_legs import LegSockets
from engine.media.io_pen import MOST
from engine.media.io_poll import BATCH, Poller
from engine.media.lateness import Lateness
from engine.media.reception import Reception, samples_at
from engine.media.relay import Forwarder
from engine.media.tick_work import TickWork

TICK_S: Final = 0.02
CATCH_UP: Final = 5
"""Ticks. A loop that is further behind (the machine was stopped) leaves ticks out."""

BUSY_RATE: Final = 1000
"""Packets a second from which on packets are gathered."""

BACKLOG: Final = BATCH // 2
"""So many sockets ready at one look: the process was kept from running, and what has queued up is taken in without
rest."""

SLICE_S: Final = 0.0004
"""Of a tick, after which packets are looked for; a piece of its work comes on top."""

LAG_S: Final = 0.01
"""After so long without a look several packets may wait in any socket."""

MUCH_GARBAGE: Final = 500_000
"""Objects since the last collection that mean a leak; then a pause is better than to grow for ever."""

SELDOM: Final = 5
"""Ticks between two while none is due."""

IDLE_S: Final = 0.25
"""Longest sleep without legs; `SECOND_S` is a whole number of them."""

SECOND_S: Final = 1.0
"""Between two calls of `each_second`."""


_NOTHING: Final[Mapping[int, Callable[[float], None]]] = {}


class Loop:
    """Drives sockets and ticks until `end` is called."""

    def __init__(
        self,
        *,
        poller: Poller,
        sockets: LegSockets,
        forwarder: Forwarder,
        tick: Callable[[int, float], Iterable[None]],
        after: Callable[[float], None],
        each_second: Callable[[float], None],
        legs: Callable[[], int],
        due: Callable[[], bool],
        coalesce_s: Callable[[], float],
    ) -> None:
        """`tick(number, now)` runs every 20 ms while there are legs and `due()`, else seldom; it does a piece of its
        work, a fraction of `SLICE_S`, each time that it is asked for the next. `after(now)` runs after every look at
        the sockets, `each_second(now)` in every second of the loop's, however late the one before was. `coalesce_s()`
        is how long packets may wait for each other now."""
        self.lateness = Lateness()
        self.work = TickWork()
        self.collections = 0
        """Runs of the garbage collector while there were legs."""
        self._poller = poller
        self._sockets = sockets
        self._forwarder = forwarder
        self._tick = tick
        self._after = after
        self._each_second = each_second
        self._legs = legs
        self._due = due
        self._seldom = False
        """Ticks are left out now."""
        self._coalesce_s = coalesce_s
        self._gather_s = 0.0
        self._rate = 0.0
        """Packets a second."""
        self._ended = False
        self._start = time.monotonic()
        self._number = 0
        self._ran = 0
        """Number of the last tick that ran."""
        self._events = 0
        self._counted, self._counted_at = 0, self._start
        """`_events` when `_rate` was found, and when."""
        self._second_at = self._start
        """When the next second of the loop's begins."""
        self._behind = False
        self._looked_at = 0.0

    @property
    def began_at(self) -> float:
        """When tick 0 was due: monotonic seconds."""
        return self._start

    def end(self) -> None:
        """Return from `run` after this round."""
        self._ended = True

    def run(self) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        gc.callbacks.append(self._collecting)
        while not self._ended:
            if self._legs():
                self._packets()
                now = time.monotonic()
                self._keep_time(now)
            else:
                self._rest()
                now = time.monotonic()
                self._number = self._next(now)
            self._after(now)
            if now >= self._second_at:
                self._second(now)
        gc.callbacks.remove(self._collecting)
        gc.enable()
        gc.unfreeze()

    def _second(self, now: float) -> None:
        """A second has begun: its end does not move by how late this is."""
        self._second_at = now + SECOND_S - (now - self._start) % SECOND_S
        self._rate = (self._events - self._counted) / max(now - self._counted_at, TICK_S)
        self._counted, self._counted_at = self._events, now
        if gc.get_count()[0] > MUCH_GARBAGE:
            gc.collect()
        self._each_second(now)

    def _collecting(self, phase: str, info: dict[str, int]) -> None:
        """The garbage collector begins, whoever called it."""
        if phase == "start" and self._legs():
            self.collections += 1

    def _rest(self) -> None:
        """No legs: wait for control, and use the time to collect what it left behind."""
        self.work.clear()
        if gc.get_count()[0] > 1000:
            gc.collect()
        for descriptor, _ in self._poller.poll(IDLE_S - (time.monotonic() - self._start) % IDLE_S):
            other = self._sockets.others.get(descriptor)
            if other is not None:
                other(time.monotonic())

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
        self._behind = len(ready) >= BACKLOG
        self._take(ready, now, self._sockets.others)

    def _take(self, ready: list[tuple[int, int]], now: float, others: Mapping[int, Callable[[float], None]]) -> None:
        """Deal with the packets that are there, and with what else is ready and among `others`."""
        arrival = samples_at(now)
        self._events += len(ready)
        thorough = now - self._looked_at > LAG_S
        self._looked_at = now
        latched = self._sockets.latched
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
                self._drain(descriptor, rx, now, arrival)
                continue
            if receive(rx, size, now, arrival) or thorough:
                self._drain(descriptor, rx, now, arrival)

    def _drain(self, descriptor: int, rx: Reception, now: float, arrival: int) -> None:
        """Read on. The poller tells of an arrival once; a second packet that came before this look would wait for the
        third. Two packets in one look means that one of them was out of time, or that we were. Many mean a flood."""
        receive, recv_into, buffer = self._forwarder.receive, rx.recv_into, self._forwarder.buffer
        for _ in range(MOST):
            try:
                receive(rx, recv_into(buffer), now, arrival)
            except BlockingIOError:
                return
            except OSError as error:
                rx.leg.tx.failed(error)
        self._sockets.pen.put(descriptor, now, edge=True)

    def _keep_time(self, now: float) -> None:
        """Run the tick if its time has come, and say which is the next."""
        due = self._due()
        self._gather_s = self._coalesce_s() if self._rate >= BUSY_RATE else 0.0
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
            self._in_slices(now)
            self._number = self._ran + SELDOM

    def _run_tick(self, now: float, deadline: float) -> None:
        self.lateness.note(now - deadline)
        behind = int((now - deadline) / TICK_S)
        if behind > CATCH_UP:
            self._number += behind
        self._ran = self._number
        self._in_slices(now)
        self._number += 1

    def _in_slices(self, now: float) -> None:
        """Do the tick that is `_ran`, and deal with packets whenever it has kept us for a slice. What is not a packet
        (commands, RTCP, strangers) waits for its end: nobody's route changes meanwhile."""
        clock, busy_clock = time.monotonic, time.thread_time
        spent, began, slice_ends = 0.0, busy_clock(), now + SLICE_S
        for _ in self._tick(self._ran, now):
            if clock() >= slice_ends:
                spent += busy_clock() - began
                ready = self._poller.poll(0)
                if ready:
                    self._take(ready, clock(), _NOTHING)
                slice_ends = clock() + SLICE_S
                began = busy_clock()
        self.work.note(spent + busy_clock() - began)
