from __future__ import annotations

import stat
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError

from engine.errors import ConfigError
from engine.store.database import open_database, reading
from engine.store.tables import meta


def pragma(engine: Engine, name: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(f"PRAGMA {name}")).scalar()


def test_a_file_is_made_for_its_owner_only_and_in_wal_mode(url: str, tmp_path: Path) -> None:
    engine = open_database(url)
    assert (pragma(engine, "journal_mode"), pragma(engine, "synchronous"), pragma(engine, "foreign_keys")) == (
        "wal",
        2,
        1,
    )
    engine.dispose()
    assert stat.S_IMODE((tmp_path / "store.db").stat().st_mode) == 0o600


def test_reading_waits_for_no_writer_and_writers_exclude_each_other(database: Engine) -> None:
    with database.begin() as writer:
        writer.execute(meta.insert().values(key="a", value="1"))
        with reading(database) as reader:
            assert reader.execute(select(meta.c.key)).all() == []
        with database.connect() as second:
            second.connection.execute("PRAGMA busy_timeout=1")
            with pytest.raises(OperationalError, match="locked"):
                second.execute(meta.insert().values(key="b", value="1"))


def test_a_read_only_engine_cannot_write(database: Engine, url: str) -> None:
    engine = open_database(url, read_only=True)
    with engine.connect() as connection, pytest.raises(OperationalError, match="readonly"):
        connection.execute(meta.insert().values(key="a", value="1"))
    engine.dispose()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://localhost/x", "not known; there are: sqlite, postgresql"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:////nowhere/at/all/store.db", "No such file or directory"),
        ("postgresql+nodriver://localhost/x", "nodriver"),
        ("postgresql+asyncpg://localhost/x", "asyncpg"),
    ],
)
def test_a_url_that_cannot_be_used_is_named(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_database(url)


def test_a_read_only_engine_makes_no_file(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no store"):
        open_database(url, read_only=True)
    assert not (tmp_path / "store.db").exists()
