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
from engine.calls.log import EngineStarted, Journal
from engine.clock import Clock
from engine.store import schema
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.reader import next_seq
from engine.store.recovery import recover
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

    def close(self) -> None:
        """Bring everything to the disk and let go of it; what could not be stored is told."""
        lost = self.writer.close(_CLOSE_S)
        if lost:
            note("records_not_stored", level=logging.ERROR, records=lost, reason=self.writer.state().last_error)
        self.database.dispose()


def open_storage(config: Config, clock: Clock) -> Storage:
    """Open the store, finish in its log the calls that a crash cut off, and note that the engine has started.

    Raises EngineError: a store of another version, one that cannot be opened.
    """
    schema.prepare(config.store_url)
    database = open_database(config.store_url)
    directory_store = DirectoryStore(database)
    directory = directory_store.load()
    journal = Journal(clock, next_seq=next_seq(database))
    now = clock.monotonic()
    cut_off = recover(database, journal, now=now)
    if cut_off:
        note("calls_cut_off", level=logging.WARNING, calls=len(cut_off), reason="the engine was not stopped cleanly")
    journal.append(EngineStarted(version=VERSION), now=now)
    writer = EventWriter(SqlSink(database))
    writer.append(journal.take(), cut_off)
    return Storage(
        database=database, directory_store=directory_store, directory=directory, journal=journal, writer=writer
    )
