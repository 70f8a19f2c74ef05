"""What can go wrong with the store, and how errors of the database become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from engine.errors import EngineError, Unavailable


class SchemaMismatch(EngineError):
    """The tables are of another version than this program; the message names the command that helps."""

    code = "schema_mismatch"


class UnreadableRecord(EngineError):
    """A row of the log that this version cannot turn into a record."""

    code = "unreadable_record"


def is_passing(error: BaseException) -> bool:
    """Whether the same write may succeed later: disk full, locked, I/O error, connection lost. Everything else is the
    fault of what was to be written."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, OperationalError | PoolTimeout | OSError)


def brief(error: BaseException) -> str:
    """One line that says what the database or the disk said, without the statement and its values."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    return " ".join(str(origin).split()) or type(origin).__name__


@contextmanager
def translated() -> Iterator[None]:
    """Let database trouble that may pass leave as Unavailable, so that nobody above needs to know the database."""
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        if is_passing(error):
            raise Unavailable(f"the store cannot be used now: {brief(error)}") from error
        raise
