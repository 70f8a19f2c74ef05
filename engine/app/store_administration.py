"""The store without an engine: for commands that find none running, and for those that need none.

A file of its own because SQLAlchemy takes longer to import than most commands take to run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from sqlalchemy import Engine

from engine.app.config import Config
from engine.app.state import StateDir
from engine.app.trunk_warnings import trunk_warnings
from engine.calls.directory import AgentStatus, Entity, Trunk
from engine.net.listen import Listen
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore, WriteMode
from engine.store.entities import Kind
from engine.store.schema import prepare


@contextmanager
def opened_store(config: Config) -> Iterator[Engine]:
    """The store of this configuration, made if need be. Raises EngineError: another version, a file that is none."""
    StateDir(config.state_dir).prepare()
    prepare(config.store_url)
    database = open_database(config.store_url)
    try:
        yield database
    finally:
        database.dispose()


class OverStore:
    """`administration.Administration` where no engine runs: what is written is read at its next start."""

    def __init__(self, database: Engine, realm: str, listeners: Sequence[Listen]) -> None:
        self._store = DirectoryStore(database)
        self._realm = realm
        self._listeners = listeners

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        directory = self._store.load()
        entities: dict[Kind, Iterable[Entity]] = {
            "agent": directory.agents.values(),
            "queue": directory.queues.values(),
            "member": directory.members.values(),
            "trunk": directory.trunks.values(),
            "group": directory.groups.values(),
        }
        return [_shown(asdict(entity)) for entity in entities[kind]]

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> Sequence[str]:
        written = self._store.write(kind, name, values, mode).entity
        return trunk_warnings(written, self._listeners) if isinstance(written, Trunk) else ()

    def drop(self, kind: Kind, name: str) -> None:
        self._store.drop(kind, name)

    def rotate_secret(self, agent: str) -> str:
        return self._store.rotate_secret(agent, self._realm).secret

    def set_status(self, agent: str, status: AgentStatus, reason: str) -> None:
        self._store.set_status(agent, status, reason, time.time())


def _shown(values: dict[str, Any]) -> dict[str, Any]:
    """Without secrets; of a trunk, as the API does, whether it has one."""
    shown = {key: value for key, value in values.items() if key != "secret" and not key.startswith("ha1")}
    return shown if "secret" not in values else {**shown, "has_secret": bool(values["secret"])}
