from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import Engine, text

from engine.app.config import Config
from engine.app.storage import Storage, open_storage
from engine.app.version import VERSION
from engine.calls.cdr import Cdr
from engine.calls.directory import Queue
from engine.calls.journal import Record
from engine.calls.log import EngineStopped
from engine.ids import QueueName
from engine.store.directory_store import DirectoryStore
from engine.store.errors import SchemaMismatch
from engine.store.reader import cdr, event_page, next_seq
from engine.store.sink import SqlSink
from tests.support.call_fakes import SetClock
from tests.support.records import queue_call


@pytest.fixture
def opened(config: Config) -> Iterator[list[Storage]]:
    """What the test opens; closed after it."""
    storages: list[Storage] = []
    yield storages
    for storage in storages:
        storage.close()


def begin(storage: Storage) -> None:
    """As the engine does: what the start itself noted goes first."""
    storage.writer.start()
    storage.writer.append(storage.journal.take(), storage.recovered.cdrs)


def types(database: Engine) -> list[str]:
    with database.connect() as connection:
        return list(connection.execute(text("SELECT type FROM events ORDER BY seq")).scalars())


def test_a_run_leaves_its_records_and_the_next_one_counts_on(config: Config, database: Engine) -> None:
    first = open_storage(config, SetClock())
    begin(first)
    first.journal.append(EngineStopped(clean=True), now=1.0)
    first.writer.append(first.journal.take())
    first.close()
    assert types(database) == ["EngineStarted", "EngineStopped"]
    assert VERSION in event_page(database, after=0, limit=1).items[0]

    second = open_storage(config, SetClock())
    assert second.journal.last_seq == next_seq(database) == 3
    begin(second)
    second.close()
    assert types(database) == ["EngineStarted", "EngineStopped", "EngineStarted"]


def test_the_directory_is_what_the_store_has(config: Config, database: Engine, opened: list[Storage]) -> None:
    DirectoryStore(database).put(Queue(name=QueueName("sales")))
    opened.append(open_storage(config, SetClock()))
    assert list(opened[0].directory.queues) == ["sales"]


def test_calls_that_a_crash_cut_off_are_finished_and_told(
    config: Config, database: Engine, opened: list[Storage], caplog: pytest.LogCaptureFixture
) -> None:
    sink = SqlSink(database)
    sink.write(queue_call("c1")[:5], [])
    sink.close()
    storage = open_storage(config, SetClock())
    opened.append(storage)
    (told,) = [entry for entry in caplog.records if entry.getMessage() == "calls_cut_off"]
    assert told.levelno == logging.WARNING
    assert told.pairs["calls"] == 1  # type: ignore[attr-defined]
    begin(storage)
    storage.close()
    assert types(database)[-2:] == ["CallEnded", "EngineStarted"]
    assert '"engine_restart"' in cdr(database, "c1")


def test_a_store_of_another_version_prevents_the_start(config: Config, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match="newer Hearthline"):
        open_storage(config, SetClock())


class FullDisk(SqlSink):
    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None:
        raise OSError(28, "No space left on device")


def test_records_that_could_not_be_stored_are_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("engine.app.storage._CLOSE_S", 0.3)
    monkeypatch.setattr("engine.app.storage.SqlSink", FullDisk)
    storage = open_storage(config, SetClock())
    begin(storage)
    storage.close()
    (told,) = [entry for entry in caplog.records if entry.getMessage() == "records_not_stored"]
    assert told.pairs == {"records": 1, "reason": "[Errno 28] No space left on device"}  # type: ignore[attr-defined]
