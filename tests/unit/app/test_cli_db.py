from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Engine, text

from engine.app.config import Config
from engine.store import schema
from engine.store.schema import SchemaState, check
from tests.support.command_line import CommandLine


def test_upgrade_makes_a_store_and_leaves_a_current_one(hearthline: CommandLine, config: Config) -> None:
    (config.state_dir / "hearthline.db").unlink()
    assert hearthline("db", "upgrade") == f"store {config.store_url} is up to date\n"
    assert check(config.store_url) is SchemaState.OK
    hearthline("db", "upgrade")


def test_backup_copies_what_is_in_it(hearthline: CommandLine, config: Config, tmp_path: Path) -> None:
    hearthline("queue", "add", "sales")
    copy = tmp_path / "copy.db"
    assert hearthline("db", "backup", str(copy)) == f"store {config.store_url} is copied to {copy}\n"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT name FROM queues").fetchall() == [("sales",)]
    connection.close()
    assert hearthline.fails("db", "backup", str(copy)) == f"already_exists: {copy} is there already"


def test_check_tells_that_all_is_well(hearthline: CommandLine, config: Config) -> None:
    assert hearthline("db", "check") == f"store {config.store_url}: schema is current, no fault found\n"


def test_check_tells_of_a_store_that_is_not_there(hearthline: CommandLine, config: Config) -> None:
    (config.state_dir / "hearthline.db").unlink()
    assert hearthline.fails("db", "check") == f"unavailable: store {config.store_url}: schema is empty"
    assert not (config.state_dir / "hearthline.db").exists(), "a check changes nothing"


def test_check_tells_of_a_newer_store(hearthline: CommandLine, database: Engine) -> None:
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert hearthline.fails("db", "check").endswith("schema is newer")


def test_check_names_the_command_for_an_older_store(hearthline: CommandLine, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("engine.store.schema.REVISIONS", (*schema.REVISIONS, "9998"))
    assert hearthline.fails("db", "check").endswith("schema is older; run 'hearthline db upgrade'")


def test_check_tells_every_fault(hearthline: CommandLine, config: Config) -> None:
    with sqlite3.connect(config.state_dir / "hearthline.db") as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("INSERT INTO members (queue, agent, penalty, position) VALUES ('q', 'a', 0, 1)")
    connection.close()
    done = hearthline.run("db", "check")
    assert done.status == 1
    first, *faults = done.err.splitlines()
    assert first == f"hearthline: unavailable: store {config.store_url}: schema is ok"
    assert len(faults) == 2
    assert all("members" in fault for fault in faults)
