"""One run of the signalling benchmark: a server is started, called, watched until the last CDR is on the disk."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, Literal

from tests.bench.pinned import beside, keep_on_its_core
from tests.bench.signalling_app_queue import AppQueueServer
from tests.bench.signalling_engine import EngineServer, Staff
from tests.bench.signalling_load import TALK_MS, Load, LoadResult
from tests.bench.signalling_server import Server
from tests.support.load_figures import stolen_s
from tests.support.ports import PortPool
from tests.support.procs import POLL_S, Processes

Side = Literal["hearthline", "app_queue"]
SIDES: Final[tuple[Side, Side]] = ("hearthline", "app_queue")

_WARM_UP_CALLS: Final = 20
"""Before anything is measured, on both sides: the first call of a process brings in what it needs."""
_CDRS_S: Final = 15.0
"""How long CDRs may take after the last call. With failed calls some never come."""
_BATCH_S: Final = 0.5
"""Longer than anybody waits with writing: after it no late CDR of the warm-up falls into the measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found."""

    side: Side
    agents: int
    rate: float
    calls: int
    failed: int
    cdrs: int
    cpu_s: float
    """From before the first INVITE until the last CDR was on the disk."""
    seconds: float
    """The same span by the clock."""
    pinned: bool
    """The server had one core, its callers and agents the other."""
    setup_p50_ms: float
    setup_p99_ms: float
    retransmissions: int
    load_average: float
    """Of the whole machine over the last minute, at the end."""
    stolen: float
    """Share of the machine's time that its host gave to others: figures of a run with much of it are too high."""

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds a call."""
        return self.cpu_s * 1000 / self.calls


class Hall:
    """Where the runs take place: starts either server with its load, in a directory of the run's own."""

    def __init__(self, directory: Path, hired: Callable[[int], Staff]) -> None:
        self._directory = directory
        self._hired = hired
        self._numbers = count(1)

    @contextmanager
    def open(self, side: Side, agents: int, *, pinned: bool = False) -> Iterator[Visit]:
        """A started and warmed server, ended and gone afterwards."""
        here = self._directory / f"{next(self._numbers)}-{side}"
        # The ports of one run are free again for the next.
        ports = PortPool()
        with ExitStack() as held:
            held.enter_context(beside(pinned=pinned))
            procs = held.enter_context(Processes(here / "procs"))
            load = Load(procs, ports, here)
            server: Server
            if side == "hearthline":
                staff = self._hired(agents)
                server = EngineServer(procs, ports, here / "engine", staff=staff, agents=load.agents)
            else:
                server = AppQueueServer(procs, ports, agents=load.agents, count=agents)
            held.callback(server.stop)
            server.start()
            if pinned:
                keep_on_its_core(server.process)
            visit = Visit(side, agents, server, load, pinned=pinned)
            visit.warm_up()
            yield visit


class Visit:
    """One server while it runs."""

    def __init__(self, side: Side, agents: int, server: Server, load: Load, *, pinned: bool) -> None:
        self._side = side
        self._agents = agents
        self._server = server
        self._load = load
        self._pinned = pinned

    def warm_up(self) -> None:
        """A few calls that nobody counts."""
        rate = min(_WARM_UP_CALLS, self._agents / (TALK_MS / 1000) / 2)
        self._load.run(self._server.address, calls=_WARM_UP_CALLS, rate=rate)
        time.sleep(_BATCH_S)

    def idle_percent(self, seconds: float) -> float:
        """Share of one core that it takes without any call."""
        before = self._server.process.cpu_seconds()
        time.sleep(seconds)
        return (self._server.process.cpu_seconds() - before) / seconds * 100

    def measure(self, *, calls: int, rate: float) -> Outcome:
        """Call it, and say what it took."""
        server = self._server
        cdrs_before = server.cdrs()
        span: list[tuple[float, float, float]] = []

        def read() -> None:
            span.append((server.process.cpu_seconds(), time.monotonic(), stolen_s()))

        def finish() -> None:
            deadline = time.monotonic() + _CDRS_S
            while server.cdrs() < cdrs_before + calls and time.monotonic() < deadline:
                time.sleep(POLL_S)
            read()

        result: LoadResult = self._load.run(server.address, calls=calls, rate=rate, begins=read, ended=finish)
        (cpu_before, began, stolen_before), (cpu_after, ended, stolen_after) = span
        return Outcome(
            side=self._side,
            agents=self._agents,
            rate=rate,
            calls=calls,
            failed=result.failed,
            cdrs=server.cdrs() - cdrs_before,
            cpu_s=cpu_after - cpu_before,
            seconds=ended - began,
            pinned=self._pinned,
            setup_p50_ms=result.setup_ms(50),
            setup_p99_ms=result.setup_ms(99),
            retransmissions=result.retransmissions,
            load_average=os.getloadavg()[0],
            stolen=(stolen_after - stolen_before) / (ended - began) / (os.cpu_count() or 1),
        )
