from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, OperationalError

from engine.calls.log import EngineStarted
from engine.store.codec import decode
from engine.store.sink import SqlSink
from engine.store.tables import cdrs, events
from engine.store.writer import EventWriter, WriterHealth
from tests.support.records import cdrs_of, queue_call, record

WAIT_S = 10.0


@pytest.fixture
def sink(database: Engine) -> Iterator[SqlSink]:
    sink = SqlSink(database)
    yield sink
    sink.close()


def stored(database: Engine) -> list[int]:
    with database.connect() as connection:
        return list(connection.execute(select(events.c.seq).order_by(events.c.seq)).scalars())


def test_records_and_cdrs_are_there_after_a_write(database: Engine, sink: SqlSink) -> None:
    call = queue_call("c1")
    sink.write(call, cdrs_of(call))
    with database.connect() as connection:
        rows = connection.execute(select(events).order_by(events.c.seq)).mappings().all()
        cdr = connection.execute(select(cdrs)).mappings().one()
    assert [decode(dict(row)) for row in rows] == call
    assert {name: cdr[name] for name in ("call", "direction", "queue", "agent", "peer", "destination")} == {
        "call": "c1",
        "direction": "inbound",
        "queue": "sales",
        "agent": "anna",
        "peer": "agent:anna",
        "destination": "queue:sales",
    }
    assert (cdr["outcome"], cdr["reason"], cdr["sip_code"]) == ("success", "caller_hangup", 200)
    assert (cdr["started"], cdr["answered"], cdr["connected"], cdr["ended"]) == tuple(
        call[i].wall for i in (0, 2, 8, 9)
    )
    assert '"lost":3' in cdr["peer_quality"]


def test_the_same_batch_again_changes_nothing(database: Engine, sink: SqlSink) -> None:
    call = queue_call("c1")
    sink.write(call[:6], [])
    sink.write(call, cdrs_of(call))
    sink.write(call, cdrs_of(call))
    assert stored(database) == list(range(1, 13))


def test_a_batch_is_stored_whole_or_not_at_all(database: Engine, sink: SqlSink) -> None:
    """The CDRs come last; when they fail, the records must not be there either."""
    call = queue_call("c1")
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE cdrs RENAME TO gone")
    with pytest.raises(OperationalError):
        sink.write(call, cdrs_of(call))
    assert stored(database) == []
    with database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE gone RENAME TO cdrs")
    sink.write(call, cdrs_of(call))
    assert stored(database) == list(range(1, 13))


def test_a_write_that_failed_lets_go_of_the_file_although_its_error_is_still_told(sink: SqlSink, url: str) -> None:
    rude: Any = queue_call("c1")[1]._replace(wall=None)
    with pytest.raises(IntegrityError) as told:
        sink.write([*queue_call("c1")[:1], rude], [])
    assert told.value.orig is not None
    assert not Path(url.removeprefix("sqlite:///") + "-wal").exists(), "somebody has it open"
    with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=0) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("ROLLBACK")
    other.close()


def test_bytes_that_are_no_text_do_not_stop_a_cdr(database: Engine, sink: SqlSink) -> None:
    call = queue_call("c1")
    body = call[0].body
    rude = [record(1, type(body)(**{**_fields(body), "caller": "a\udcff\0b"}), call="c1"), *call[1:]]
    sink.write(rude, cdrs_of(rude))
    with database.connect() as connection:
        assert connection.execute(select(cdrs.c.caller)).scalar() == "a?\N{REPLACEMENT CHARACTER}b"


class Postgresql:
    """An engine for PostgreSQL without one: notes what its driver is given."""

    dialect = postgresql.dialect()

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def connect(self) -> Postgresql:
        return self

    @contextmanager
    def begin(self) -> Iterator[None]:
        self.told.append(("BEGIN", None))
        yield
        self.told.append(("COMMIT", None))

    def exec_driver_sql(self, sql: str, rows: list[dict[str, Any]]) -> None:
        self.told.append((sql.split(" (", maxsplit=1)[0], rows))

    def invalidate(self) -> None: ...

    def close(self) -> None: ...


def test_postgresql_gets_the_same_rows_by_the_names_of_its_columns(database: Engine, sink: SqlSink) -> None:
    call, other = queue_call("c1"), Postgresql()
    for each in (sink, SqlSink(other)):  # type: ignore[arg-type]
        each.write(call, cdrs_of(call), 7.5)
    begin, (into_events, event_rows), (into_cdrs, cdr_rows), (into_meta, meta_rows), commit = other.told
    assert (begin[0], commit[0]) == ("BEGIN", "COMMIT")
    assert [into_events, into_cdrs, into_meta] == ["INSERT INTO events", "INSERT INTO cdrs", "INSERT INTO meta"]
    assert meta_rows == [{"key": "alive_at", "value": "7.5"}]
    with database.connect() as connection:
        for table, rows in ((events, event_rows), (cdrs, cdr_rows)):
            assert [dict(row) for row in connection.execute(select(table)).mappings()] == rows


def _fields(body: object) -> dict[str, object]:
    return {name: getattr(body, name) for name in body.__slots__}  # type: ignore[attr-defined]


def test_a_full_database_keeps_records_in_memory_until_there_is_room(database: Engine) -> None:
    """Real SQLite, filled up to its page limit, then given room."""
    limit = 60

    @event.listens_for(database, "connect")
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={limit}").close()

    writer = EventWriter(SqlSink(database), retry_s=0.01)
    writer.start()
    ballast = "x" * 900
    try:
        seq = 0
        while writer.state().health is WriterHealth.OK:
            seq += 1
            assert seq < 5_000, "the database never got full"
            writer.append([record(seq, EngineStarted(version=ballast))]).wait(0.05)
        assert writer.state().last_error == "database or disk is full"
        on_disk = stored(database)
        assert on_disk == list(range(1, len(on_disk) + 1))
        last = writer.append([record(n, EngineStarted(version=ballast)) for n in range(seq + 1, seq + 50)])
        assert not last.wait(0.05)
        limit = 10_000
        assert last.wait(WAIT_S)
        assert writer.state().health is WriterHealth.OK
        assert stored(database) == list(range(1, seq + 50))
    finally:
        writer.close(WAIT_S)


def test_a_locked_database_is_trouble_that_passes(database: Engine, url: str) -> None:
    writer = EventWriter(SqlSink(database), retry_s=0.01)
    event.listen(database, "connect", lambda c, _: c.execute("PRAGMA busy_timeout=10").close())
    with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        writer.start()
        ticket = writer.append([record(1, EngineStarted(version="1"))])
        while writer.state().health is WriterHealth.OK:
            ticket.wait(0.01)
        assert writer.state().last_error == "database is locked"
        other.execute("ROLLBACK")
        assert ticket.wait(WAIT_S)
    other.close()
    assert writer.close(WAIT_S) == 0
    assert stored(database) == [1]
