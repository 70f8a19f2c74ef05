"""What can go wrong with the store, and how errors of the database become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.errors import ConfigError, EngineError, Unavailable


class SchemaMismatch(EngineError):
    """The tables are of another version than this program; the message names the command that helps."""

    code = "schema_mismatch"


class UnreadableRecord(EngineError):
    """A row of the log that this version cannot turn into a record."""

    code = "unreadable_record"


_FAULTY_VALUES: Final = (DataError, IntegrityError, InterfaceError, NotSupportedError, ProgrammingError)
"""What a database says when it will never take these values."""


def is_passing(error: BaseException) -> bool:
    """Whether the same write may succeed later, perhaps after somebody has made room or repaired something: disk full,
    locked, I/O error, connection lost, file damaged. Everything else is the fault of what was to be written."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or not isinstance(error, _FAULTY_VALUES)
    return isinstance(error, PoolTimeout | OSError)


def brief(error: BaseException) -> str:
    """One line that says what the database or the disk said, without the statement and its values."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(origin).split()) or type(origin).__name__


@contextmanager
def translated() -> Iterator[None]:
    """Let trouble with the database leave as Unavailable (it may pass) or ConfigError (the file is damaged), so that
    nobody above needs to know the database."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        if type(error) is DatabaseError:
            # SQLite's class for a file that is damaged, or that is no database at all.
            raise ConfigError(f"the store cannot be read: {brief(error)}; 'hearthline db check' says more") from error
        if is_passing(error):
            raise Unavailable(f"the store cannot be used now: {brief(error)}") from error
        raise
