"""The store as the running engine holds it: the directory, the log's next number, the writer."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Engine

from engine.app.config import Config
from engine.app.logs import note
from engine.app.version import VERSION
from engine.calls.directory import Directory
from engine.calls.journal import Journal
from engine.calls.log import EngineStarted
from engine.clock import Clock
from engine.store import schema
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.reader import next_seq
from engine.store.recovery import Recovered, recover
from engine.store.sink import SqlSink
from engine.store.writer import EventWriter

_CLOSE_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """Open until `close`."""

    database: Engine
    directory_store: DirectoryStore
    directory: Directory
    journal: Journal
    writer: EventWriter
    recovered: Recovered
    """The calls that a crash cut off; their ends wait in the journal with the record of this start."""

    def close(self) -> None:
        """Bring everything to the disk and let go of it; what could not be stored is told."""
        lost = self.writer.close(_CLOSE_S)
        if lost:
            note("records_not_stored", level=logging.ERROR, records=lost, reason=self.writer.state().last_error)
        self.database.dispose()


def open_storage(config: Config, clock: Clock) -> Storage:
    """Open the store, and note in the journal how calls ended that a crash cut off, and that the engine has started.

    Raises EngineError: a store of another version, one that cannot be opened.
    """
    schema.prepare(config.store_url)
    database = open_database(config.store_url)
    directory_store = DirectoryStore(database)
    directory = directory_store.load()
    journal = Journal(clock, next_seq=next_seq(database))
    now = clock.monotonic()
    recovered = recover(database, journal, now=now)
    if recovered.cdrs:
        calls = len(recovered.cdrs)
        note("calls_cut_off", level=logging.WARNING, calls=calls, reason="the engine was not stopped cleanly")
    journal.append(EngineStarted(version=VERSION), now=now)
    return Storage(
        database=database,
        directory_store=directory_store,
        directory=directory,
        journal=journal,
        writer=EventWriter(SqlSink(database)),
        recovered=recovered,
    )
