"""Where the writer's batches go: one transaction a batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any, Final, Protocol

from sqlalchemy import Engine, Table, exc
from sqlalchemy.dialects import postgresql, sqlite

from engine.calls.cdr import Cdr
from engine.calls.journal import Record
from engine.calls.media_records import LegClosed
from engine.store.codec import body_json, event_values
from engine.store.tables import cdrs, events, meta

ALIVE_AT: Final = "alive_at"
"""Key of `meta`: when live calls were seen last, seconds since the epoch."""


class Sink(Protocol):
    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None:
        """Store all of these or none, durably, before returning. What is stored already is left as it is; `alive_at`,
        when calls were seen alive (seconds since the epoch), takes the place of the last one. Raises whatever the
        database or the disk raises."""
        ...

    def close(self) -> None:
        """Let go of the connection; nothing is written afterwards."""
        ...


Work = list[tuple["_Statement", Sequence[tuple[Any, ...]]]]
"""Statements, each with its rows."""


class SqlSink:
    """Writes to the `events`, `cdrs` and `meta` tables over one connection of its own, kept open for the writer
    thread. Errors leave as SQLAlchemy's."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connect = _Postgresql if engine.dialect.name == "postgresql" else _Sqlite
        self._connection: _Postgresql | _Sqlite | None = None
        self._insert_event = _insert_new(engine, events, "seq")
        self._insert_cdr = _insert_new(engine, cdrs, "call")
        insert = _dialect_insert(engine)(meta)
        put = insert.on_conflict_do_update(index_elements=[meta.c.key], set_={"value": insert.excluded.value})
        self._put_meta = _Statement(engine, put)

    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None:
        work: Work = []
        if records:
            work.append((self._insert_event, [event_values(record) for record in records]))
        if finished:
            work.append((self._insert_cdr, [cdr_values(cdr) for cdr in finished]))
        if alive_at is not None:
            work.append((self._put_meta, [(ALIVE_AT, repr(alive_at))]))
        try:
            if self._connection is None:
                self._connection = self._connect(self._engine)
            self._connection.transact(work)
        except Exception:
            # After an I/O error nobody knows what state the connection is in: the next try opens another.
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


class _Statement:
    """A statement compiled once, with the names of its parameters in the order of a row's values."""

    def __init__(self, engine: Engine, statement: Any) -> None:
        compiled = statement.compile(engine)
        self.sql = str(compiled)
        self.names: Sequence[str] = tuple(compiled.params)


def _insert_new(engine: Engine, table: Table, key: str) -> _Statement:
    """INSERT that passes over rows whose key is there, so that a batch whose commit got lost half-way can be sent
    again."""
    return _Statement(engine, _dialect_insert(engine)(table).on_conflict_do_nothing(index_elements=[key]))


def _dialect_insert(engine: Engine) -> Callable[[Table], Any]:
    """INSERT with ON CONFLICT, which each database's dialect has for itself."""
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


class _Sqlite:
    """SQLite by its own driver: what SQLAlchemy does for a transaction takes as long as the transaction."""

    def __init__(self, engine: Engine) -> None:
        with _as_sqlalchemy():
            self._connection = engine.raw_connection()
        self._cursor = self._connection.cursor()

    def transact(self, work: Work) -> None:
        with _as_sqlalchemy():
            self._cursor.execute("BEGIN IMMEDIATE")
            for statement, rows in work:
                self._cursor.executemany(statement.sql, rows)
            self._cursor.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file and its locks now; what is not committed is taken back. A cursor that is still known, to
        the traceback of an error that is being told, would keep the connection open."""
        self._cursor.close()
        self._connection.invalidate()


class _Postgresql:
    """PostgreSQL by SQLAlchemy, with the driver's own parameters, which are named."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()

    def transact(self, work: Work) -> None:
        with self._connection.begin():
            for statement, rows in work:
                named = [dict(zip(statement.names, row, strict=True)) for row in rows]
                self._connection.exec_driver_sql(statement.sql, named)

    def close(self) -> None:
        self._connection.invalidate()
        self._connection.close()


@contextmanager
def _as_sqlalchemy() -> Iterator[None]:
    """Let errors of SQLite's driver leave as SQLAlchemy wraps them, by the same names."""
    try:
        yield
    except sqlite3.Error as error:
        wrapped: type[exc.DBAPIError] = getattr(exc, type(error).__name__, exc.DatabaseError)
        raise wrapped(None, None, error) from error


_SPREAD: Final = {"outcome": "cause.outcome", "reason": "cause.reason", "sip_code": "cause.sip_code"}
"""Columns that a `Cdr` holds together in its `cause`."""

_cdr_values: Final[Callable[[Cdr], tuple[Any, ...]]] = attrgetter(*[_SPREAD.get(c.name, c.name) for c in cdrs.columns])


def cdr_values(cdr: Cdr) -> tuple[Any, ...]:
    """The columns of `cdrs` for one call, in the order of the table."""
    return tuple([v if v is None or type(v) is float else _to_column(v) for v in _cdr_values(cdr)])


def _to_column(value: object) -> object:
    if isinstance(value, str):
        text = str(value)
        return text if text.isascii() and "\0" not in text else _storable(text)
    return body_json(value) if isinstance(value, LegClosed) else value


def _storable(text: str) -> str:
    """SIP carries bytes that are no text, and PostgreSQL takes no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
