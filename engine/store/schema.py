"""The version of the tables: bring them up to date, find out where they are, copy and examine a store.

Migrations are Alembic's, kept in this package and run from code; nobody needs an alembic.ini. Alembic itself is
imported only for an upgrade, so that a start does not pay for it.
"""

from __future__ import annotations

import os
import sqlite3
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, inspect, text
from sqlalchemy.exc import DBAPIError

from engine.errors import AlreadyExists, ConfigError, InvalidRequest, Unavailable
from engine.store.database import open_database, parse_url, sqlite_file
from engine.store.errors import SchemaMismatch, brief, translated

REVISIONS: Final = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011")
"""Every revision of `migrations/versions`, oldest first."""

UPGRADE_COMMAND: Final = "hearthline db upgrade"

_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class SchemaState(StrEnum):
    EMPTY = "empty"
    """No tables yet, or no file."""
    OK = "ok"
    OLDER = "older"
    NEWER = "newer"


def check(url: str) -> SchemaState:
    """Where the tables are, without changing anything. Raises ConfigError for a database that is not ours or cannot
    be opened, Unavailable when it cannot be read now."""
    file = sqlite_file(parse_url(url))
    if file is not None and not file.exists():
        return SchemaState.EMPTY
    engine = open_database(url, read_only=True)
    try:
        with translated():
            return _state_of(engine)
    finally:
        engine.dispose()


def _state_of(engine: Engine) -> SchemaState:
    with engine.connect() as connection:
        names = inspect(connection).get_table_names()
        if "alembic_version" not in names:
            if names:
                raise ConfigError(f"the database {engine.url.database} holds other tables: {', '.join(names[:5])}")
            return SchemaState.EMPTY
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None:
        return SchemaState.EMPTY
    if revision == REVISIONS[-1]:
        return SchemaState.OK
    return SchemaState.OLDER if revision in REVISIONS else SchemaState.NEWER


def prepare(url: str) -> None:
    """Make an empty store ready and let a current one be. Raises SchemaMismatch for an older one, naming the command
    that upgrades it, and for a newer one: an older program would not understand what it reads."""
    match check(url):
        case SchemaState.EMPTY:
            upgrade(url)
        case SchemaState.OLDER:
            raise SchemaMismatch(f"the store is of an older version; run '{UPGRADE_COMMAND}' (a backup first is wise)")
        case SchemaState.NEWER:
            raise SchemaMismatch(
                f"the store was made by a newer Hearthline than this one, which knows revision {REVISIONS[-1]}; "
                "start the newer version, or restore a backup that this one made"
            )
        case SchemaState.OK:
            pass


def upgrade(url: str) -> None:
    """Bring the tables to the newest revision, in one transaction; nothing happens when they are there already.
    Raises SchemaMismatch for a newer store and ConfigError for a foreign database."""
    if check(url) is SchemaState.NEWER:
        raise SchemaMismatch("the store was made by a newer Hearthline than this one; it cannot be taken back")
    from alembic import command  # noqa: PLC0415 - a quarter of a second that only an upgrade should pay for
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    # ConfigParser reads "%" as the beginning of a name.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = open_database(url, foreign_keys=False)
    try:
        with translated(), engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def backup(url: str, target: Path) -> None:
    """Copy a SQLite store to a new file while it is in use: one consistent state, writers are not held up.

    Raises AlreadyExists for a target that is there, InvalidRequest for PostgreSQL (pg_dump does it better),
    Unavailable when the disk has no room.
    """
    source = sqlite_file(parse_url(url))
    if source is None:
        raise InvalidRequest("a PostgreSQL store is backed up with pg_dump")
    if not source.exists():
        raise ConfigError(f"there is no store at {source}")
    if target.exists():
        raise AlreadyExists(f"{target} is there already")
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o600))
        _copy(source, part)
        part.rename(target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise Unavailable(f"the backup {target} could not be written: {error}") from error


def _copy(source: Path, part: Path) -> None:
    reader, writer = sqlite3.connect(source), sqlite3.connect(part)
    try:
        # All pages in one read transaction: with WAL nobody waits for it. In smaller steps every commit of the
        # engine would begin the copy again.
        reader.backup(writer, pages=-1)
        # One file that needs no -wal beside it.
        writer.execute("PRAGMA journal_mode=DELETE")
        writer.commit()
    finally:
        writer.close()
        reader.close()
    with part.open("rb") as copied:
        os.fsync(copied.fileno())


def integrity(url: str) -> list[str]:
    """What is broken in the file, in SQLite's words; empty when all is well. PostgreSQL looks after itself."""
    if sqlite_file(parse_url(url)) is None:
        return []
    engine = open_database(url, read_only=True)
    try:
        with engine.connect() as connection:
            found = [str(row[0]) for row in connection.exec_driver_sql("PRAGMA integrity_check(20)")]
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                found.append(f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there")
    except DBAPIError as error:
        # So badly broken that SQLite cannot even look.
        return [brief(error)]
    finally:
        engine.dispose()
    return [line for line in found if line != "ok"]
