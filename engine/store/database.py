"""Opens a database by URL: SQLite in WAL mode as a file, or PostgreSQL.

SQLite's Python driver begins transactions by itself and at surprising moments; it is told not to, and SQLAlchemy's
"begin" says BEGIN IMMEDIATE instead, so that two writers wait for each other (`busy_timeout`) and never dead-lock
on the way from reading to writing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from engine.errors import ConfigError

BUSY_TIMEOUT_MS: Final = 5_000
"""How long one writer of a SQLite file waits for another."""


def parse_url(url: str) -> URL:
    """The URL, checked. Raises ConfigError for what is neither `sqlite:///FILE` nor `postgresql+DRIVER://...`."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError(f"store url {url!r} cannot be read; it looks like sqlite:///var/hearthline.db") from error
    if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
        raise ConfigError(f"store url: {parsed.drivername!r} is not known; there are: sqlite, postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigError("store url: a SQLite store needs a file, as in sqlite:///var/hearthline.db")
    return parsed


def sqlite_file(url: URL) -> Path | None:
    """The file of a SQLite store; None for PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def open_database(url: str, *, read_only: bool = False, foreign_keys: bool = True) -> Engine:
    """Open a database; the caller disposes of the engine.

    A SQLite file that is not there yet is made, readable for its owner only: it holds digest secrets. `read_only`
    refuses every write of this engine and makes no file. A migration switches `foreign_keys` off in SQLite, where it
    may have to replace a table that others point to. Raises ConfigError when the URL or the file cannot be used.
    """
    parsed = parse_url(url)
    file = sqlite_file(parsed)
    if file is not None:
        _make_file(file, create=not read_only)
    try:
        if file is None:
            engine = create_engine(parsed, pool_size=2, pool_pre_ping=True)
            _tune_postgresql(engine, read_only=read_only)
            return engine
        # A connection costs 50 us to open and several threads use the engine now and then: no pool keeps files open
        # that nobody needs. The writer holds its own connection.
        engine = create_engine(parsed, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    except NoSuchModuleError as error:
        raise ConfigError(f"store url: {error}") from error
    except ModuleNotFoundError as error:
        raise ConfigError(f"store url {parsed.drivername!r} needs the Python package {error.name!r}") from error
    _tune_sqlite(engine, read_only=read_only, foreign_keys=foreign_keys)
    return engine


def _make_file(file: Path, *, create: bool) -> None:
    try:
        if file.exists():
            return
        if not create:
            raise ConfigError(f"there is no store at {file}")
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise ConfigError(f"the store {file} cannot be opened: {error.strerror}") from error


def _tune_sqlite(engine: Engine, *, read_only: bool, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "query_only=ON" if read_only else "journal_mode=WAL",
            # FULL: a commit is on the disk, not only in the kernel. At five commits a second it costs nothing.
            "synchronous=FULL",
            f"foreign_keys={'ON' if foreign_keys else 'OFF'}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only or _is_reading(connection) else "BEGIN IMMEDIATE")


def _tune_postgresql(engine: Engine, *, read_only: bool) -> None:
    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if read_only or _is_reading(connection):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _is_reading(connection: Connection) -> bool:
    return bool(connection.get_execution_options().get("reading", False))


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection in a transaction that only reads: it waits for no writer, and none for it."""
    with engine.connect().execution_options(reading=True) as connection, connection.begin():
        yield connection
