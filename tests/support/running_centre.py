"""The API's view of the whole core on the wire in memory, with a store on the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

from sqlalchemy import Engine

from engine.app.centre import RunningCentre
from engine.app.queue_log_file import QueueLogFile
from engine.calls.directory import Directory
from engine.metrics.metrics import MetricSet
from engine.net.listen import Listen
from engine.sip.flow import Transport
from engine.store.directory_store import DirectoryStore
from engine.store.reader import HistoryReader
from engine.store.writer import WriterHealth, WriterState
from tests.support.at_once import AtOnce
from tests.support.centre_rig import REALM, CentreRig

T = TypeVar("T")
HEALTHY = WriterState(health=WriterHealth.OK, pending=0, oldest_s=0.0, last_error="", rejected=0)


class _Driver:
    """Runs commands as the driver does, at the wire's time; the wire moves everything else."""

    def __init__(self, rig: CentreRig) -> None:
        self._rig = rig

    def command(self, carry_out: Callable[[float], T]) -> T:
        return carry_out(self._rig.wire.now)


class _Writer:
    def __init__(self) -> None:
        self.is_in = HEALTHY

    def state(self) -> WriterState:
        return self.is_in


class _WireClock:
    def __init__(self, rig: CentreRig) -> None:
        self._rig = rig

    def monotonic(self) -> float:
        return self._rig.wire.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self._rig.wire.now


class CentreBench:
    """`rig` is the engine's world, `centre` what the API asks; the store holds what the rig's directory holds."""

    def __init__(self, database: Engine, folder: Path) -> None:
        self.rig = CentreRig()
        self.store = DirectoryStore(database)
        self.history = HistoryReader(database)
        self.writer = _Writer()
        self.queue_log = QueueLogFile(folder / "queue_log", self.rig.core.directory)
        directory = self.rig.core.directory
        for entities in (directory.agents, directory.queues, directory.members, directory.trunks):
            for entity in entities.values():
                self.store.put(entity)
        stand_ins: dict[str, Any] = {
            "driver": _Driver(self.rig),
            "clock": _WireClock(self.rig),
            "writer": self.writer,
            "listeners": (Listen(transport=Transport.UDP, address="192.0.2.1", port=5060),),
            "certificates": SimpleNamespace(reload=lambda: {"a.pem": 1.0}),
        }
        self.centre = RunningCentre(
            core=self.rig.core,
            realm=REALM,
            metrics=MetricSet(version="1"),
            history=self.history,
            directory_store=self.store,
            store_thread=AtOnce(),
            queue_log_file=self.queue_log,
            last_seq=lambda: self.rig.core.journal.last_seq,
            started=1_700_000_000.0,
            **stand_ins,
        )

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """What the API would await; the wire then has its turn."""
        done = asyncio.run(coroutine)
        self.rig.wire.run(0.0)
        return done

    def stored(self) -> Directory:
        return self.store.load()
