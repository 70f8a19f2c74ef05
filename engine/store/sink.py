"""Where the writer's batches go: one transaction a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.dialects import postgresql, sqlite

from engine.calls.cdr import Cdr
from engine.calls.log import LegClosed, Record
from engine.store.codec import body_json, encode
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


class SqlSink:
    """Writes to the `events`, `cdrs` and `meta` tables over one connection of its own, kept open for the writer
    thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._insert_event = _InsertNew(engine, events, "seq")
        self._insert_cdr = _InsertNew(engine, cdrs, "call")
        insert = _dialect_insert(engine)(meta)
        self._put_alive_at = insert.on_conflict_do_update(
            index_elements=[meta.c.key], set_={"value": insert.excluded.value}
        )

    def write(self, records: Sequence[Record], finished: Sequence[Cdr], alive_at: float | None = None) -> None:
        rows = [encode(record) for record in records]
        cdr_rows = [cdr_row(cdr) for cdr in finished]
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            with self._connection.begin():
                self._insert_event.run(self._connection, rows)
                self._insert_cdr.run(self._connection, cdr_rows)
                if alive_at is not None:
                    self._connection.execute(self._put_alive_at, {"key": ALIVE_AT, "value": repr(alive_at)})
        except Exception:
            # After an I/O error nobody knows what state the connection is in: the next try opens another.
            self.close()
            raise

    def close(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.invalidate()
            connection.close()


def _dialect_insert(engine: Engine) -> Callable[[Table], Any]:
    """INSERT with ON CONFLICT, which each database's dialect has for itself."""
    return postgresql.insert if engine.dialect.name == "postgresql" else sqlite.insert


class _InsertNew:
    """INSERT that passes over rows whose key is there, so that a batch whose commit got lost half-way can be sent
    again. Compiled once, and run with the driver's own parameters: SQLAlchemy's handling of a list of dicts takes as
    long as the insert itself."""

    def __init__(self, engine: Engine, table: Table, key: str) -> None:
        compiled = _dialect_insert(engine)(table).on_conflict_do_nothing(index_elements=[key]).compile(engine)
        self._sql = str(compiled)
        self._positions: Sequence[str] | None = getattr(compiled, "positiontup", None)

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        if self._positions is None:
            connection.exec_driver_sql(self._sql, list(rows))
        else:
            values = itemgetter(*self._positions)
            connection.exec_driver_sql(self._sql, [values(row) for row in rows])


_SPREAD: Final = ("outcome", "reason", "sip_code")
"""Columns that a `Cdr` holds together in its `cause`."""

_PLAIN: Final = tuple(column.name for column in cdrs.columns if column.name not in _SPREAD)
_plain_values: Final[Callable[[Cdr], tuple[Any, ...]]] = attrgetter(*_PLAIN)


def cdr_row(cdr: Cdr) -> dict[str, Any]:
    """The columns of `cdrs` for one call."""
    row = dict(zip(_PLAIN, map(_to_column, _plain_values(cdr)), strict=True))
    cause = cdr.cause
    row["outcome"], row["reason"], row["sip_code"] = str(cause.outcome), str(cause.reason), cause.sip_code
    return row


def _to_column(value: object) -> object:
    if isinstance(value, str):
        text = str(value)
        return text if text.isascii() and "\0" not in text else _storable(text)
    return body_json(value) if isinstance(value, LegClosed) else value


def _storable(text: str) -> str:
    """SIP carries bytes that are no text, and PostgreSQL takes no NUL."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
