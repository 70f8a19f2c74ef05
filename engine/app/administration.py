"""How the command line changes agents, queues and trunks: through the running engine when there is one, so that it
takes effect at once; else straight in the store. The commands do not see the difference."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from engine.app.config import Config
from engine.app.state import StateDir
from engine.calls.directory import AgentStatus, Entity
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore, WriteMode
from engine.store.entities import Kind, to_row
from engine.store.schema import prepare


class Administration(Protocol):
    """Both ways. Every method may raise InvalidRequest, NotFound, AlreadyExists or Unavailable."""

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """All of a kind as JSON objects, without secrets."""
        ...

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> None: ...

    def drop(self, kind: Kind, name: str) -> None: ...

    def rotate_secret(self, agent: str) -> str:
        """Make a new SIP secret; what comes back is shown once and kept nowhere."""
        ...

    def set_status(self, agent: str, *, available: bool, reason: str) -> None: ...


@contextmanager
def administration(config: Config) -> Iterator[Administration]:
    """The way that works now."""
    state = StateDir(config.state_dir)
    state.prepare()
    prepare(config.store_url)
    database = open_database(config.store_url)
    try:
        yield OverStore(DirectoryStore(database), config.sip.realm)
    finally:
        database.dispose()


class OverStore:
    """No engine runs: what is written is read at its next start."""

    def __init__(self, store: DirectoryStore, realm: str) -> None:
        self._store = store
        self._realm = realm

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        directory = self._store.load()
        entities: dict[Kind, Iterable[Entity]] = {
            "agent": directory.agents.values(),
            "queue": directory.queues.values(),
            "member": directory.members.values(),
            "trunk": directory.trunks.values(),
        }
        return [
            {key: value for key, value in to_row(entity).items() if not key.startswith("ha1")}
            for entity in entities[kind]
        ]

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> None:
        self._store.write(kind, name, values, mode)

    def drop(self, kind: Kind, name: str) -> None:
        self._store.drop(kind, name)

    def rotate_secret(self, agent: str) -> str:
        return self._store.rotate_secret(agent, self._realm).secret

    def set_status(self, agent: str, *, available: bool, reason: str) -> None:
        status = AgentStatus.AVAILABLE if available else AgentStatus.BREAK
        self._store.set_status(agent, status, reason, time.time())
