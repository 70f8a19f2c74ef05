from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_mock_engine, text
from sqlalchemy.dialects import postgresql

from engine.calls.directory import Agent, Trunk
from engine.calls.log import EngineStarted
from engine.errors import AlreadyExists, ConfigError, InvalidRequest, Unavailable
from engine.ids import AgentName, TrunkName
from engine.store import schema
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.errors import SchemaMismatch
from engine.store.schema import REVISIONS, SchemaState, backup, check, integrity, prepare, upgrade
from engine.store.sink import SqlSink
from engine.store.tables import metadata
from tests.support.records import record

CDR_AFTER_CALL = (
    "'', 'inbound', '', '', '', '', '', '', NULL, NULL, '', 1, NULL, NULL, 2, 0, 0, 1, "
    "'success', 'completed', 200, 'caller', NULL, NULL"
)


def set_revision(url: str, revision: str) -> None:
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    engine.dispose()


def test_an_empty_store_is_made_ready(url: str, tmp_path: Path) -> None:
    assert check(url) is SchemaState.EMPTY
    assert not (tmp_path / "store.db").exists()
    prepare(url)
    assert check(url) is SchemaState.OK
    prepare(url)
    upgrade(url)
    assert integrity(url) == []


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(database: Engine) -> None:
    with database.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_every_revision_is_listed_in_order() -> None:
    scripts = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    assert tuple(script.revision for script in scripts.walk_revisions())[::-1] == REVISIONS


def test_postgresql_can_make_the_same_tables() -> None:
    said: list[str] = []
    engine = create_mock_engine(
        "postgresql+psycopg://", lambda sql, *_a, **_k: said.append(str(sql.compile(dialect=postgresql.dialect())))
    )
    metadata.create_all(engine, checkfirst=False)
    ddl = "\n".join(said)
    assert "seq BIGINT NOT NULL" in ddl
    assert "CREATE INDEX ix_events_call ON events (call, seq) WHERE call IS NOT NULL" in ddl


def test_a_newer_store_is_refused(url: str) -> None:
    prepare(url)
    set_revision(url, "9999")
    assert check(url) is SchemaState.NEWER
    with pytest.raises(SchemaMismatch, match=f"newer Hearthline than this one, which knows revision {REVISIONS[-1]}"):
        prepare(url)
    with pytest.raises(SchemaMismatch, match="newer"):
        upgrade(url)


def test_an_upgrade_from_the_first_tables_keeps_what_they_hold(url: str) -> None:
    engine = open_database(url, foreign_keys=False)
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        rows = (
            "INSERT INTO agents VALUES ('anna', 'Anna', 'agents', '', '', '', 'available', '', 0)",
            "INSERT INTO trunks VALUES ('pbx', '192.0.2.1', 5070, 'tcp', '[\"192.0.2.2\"]', 1, 'office', 0)",
            f"INSERT INTO cdrs VALUES ('c1', {CDR_AFTER_CALL})",
        )
        for row in rows:
            connection.execute(text(row))
    engine.dispose()
    upgrade(url)
    engine = open_database(url)
    directory = DirectoryStore(engine).load()
    with engine.connect() as connection:
        cdr = connection.execute(text("SELECT call, tried, cost FROM cdrs")).one()
    engine.dispose()
    assert tuple(cdr) == ("c1", "", 0)
    assert list(directory.agents.values()) == [Agent(name=AgentName("anna"), display="Anna")]
    assert list(directory.trunks.values()) == [
        Trunk(
            name=TrunkName("pbx"),
            host="192.0.2.1",
            port=5070,
            transport="tcp",
            addresses=("192.0.2.2",),
            match_port=True,
            context="office",
            ping_s=0,
        )
    ]


def test_an_older_store_is_refused_with_the_command_that_helps(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(url)
    monkeypatch.setattr(schema, "REVISIONS", (*REVISIONS, "9999"))
    assert check(url) is SchemaState.OLDER
    with pytest.raises(SchemaMismatch, match="'hearthline db upgrade'"):
        prepare(url)


def test_a_database_of_somebody_else_is_left_alone(url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as other:
        other.execute("CREATE TABLE recipes (id)")
    other.close()
    for use in (check, prepare, upgrade):
        with pytest.raises(ConfigError, match="recipes"):
            use(url)


def test_a_file_that_is_no_database_is_named(url: str, tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigError, match="not a database"):
        check(url)
    assert integrity(url) == ["file is not a database"]


def test_a_failed_upgrade_leaves_nothing_behind(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("alembic.runtime.migration.HeadMaintainer.update_to_step", broken)
    with pytest.raises(RuntimeError, match="power cut"):
        upgrade(url)
    monkeypatch.undo()
    assert check(url) is SchemaState.EMPTY
    prepare(url)
    engine = open_database(url)
    SqlSink(engine).write([record(1, EngineStarted(version="1"))], [])
    engine.dispose()


def test_a_backup_taken_while_the_engine_writes_is_whole(database: Engine, url: str, tmp_path: Path) -> None:
    sink = SqlSink(database)
    stop, busy = threading.Event(), threading.Event()
    written = 0

    def write() -> None:
        nonlocal written
        while not stop.is_set() and written < 20_000:
            sink.write([record(written + n, EngineStarted(version="x" * 200)) for n in range(1, 51)], [])
            written += 50
            if written >= 500:
                busy.set()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert busy.wait(10)
        for n in range(3):
            before = written
            backup(url, tmp_path / f"copy{n}.db")
            copy = f"sqlite:///{tmp_path / f'copy{n}.db'}"
            assert integrity(copy) == []
            assert check(copy) is SchemaState.OK
            engine = open_database(copy)
            with engine.connect() as connection:
                count, last = connection.execute(text("SELECT count(*), max(seq) FROM events")).one()
            engine.dispose()
            assert count == last
            assert count % 50 == 0, "a batch is in it whole or not at all"
            assert count >= before
    finally:
        stop.set()
        thread.join()
        sink.close()


def test_a_backup_is_one_private_file_that_overwrites_nothing(database: Engine, url: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    backup(url, target)
    assert target.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("copy.db?*"))
    # 18 and 19 in the head of the file: 2 would want a -wal beside it.
    assert target.read_bytes()[18:20] == b"\1\1"
    with pytest.raises(AlreadyExists, match=r"copy\.db is there already"):
        backup(url, target)
    with pytest.raises(Unavailable, match="could not be written"):
        backup(url, tmp_path / "no" / "such" / "copy.db")
    with pytest.raises(InvalidRequest, match="pg_dump"):
        backup("postgresql+psycopg://localhost/x", target)
    with pytest.raises(ConfigError, match="there is no store"):
        backup(f"sqlite:///{tmp_path / 'absent.db'}", tmp_path / "b.db")


def test_integrity_names_what_is_broken(database: Engine, url: str, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as raw:
        raw.execute("INSERT INTO members VALUES ('nowhere', 'nobody', 0, 1)")
    raw.close()
    assert integrity(url) == [
        "row 1 of members names a row of queues that is not there",
        "row 1 of members names a row of agents that is not there",
    ]
