"""How the command line changes agents, queues and trunks: through the running engine when there is one, so that it
takes effect at once; else straight in the store. The commands do not see the difference."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any, Protocol

from engine.api.client import ApiClient
from engine.app.config import Config
from engine.app.state import StateDir
from engine.calls.directory import AgentStatus, Entity
from engine.errors import Unavailable
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
    if state.in_use():
        yield OverApi(api_client(config))
        return
    state.prepare()
    prepare(config.store_url)
    database = open_database(config.store_url)
    try:
        yield OverStore(DirectoryStore(database), config.sip.realm)
    finally:
        database.dispose()


def api_client(config: Config) -> ApiClient:
    """Speaks to the engine of this configuration, with the token of its state directory. Raises Unavailable where
    there is no such directory."""
    token_file = StateDir(config.state_dir).api_token_file
    try:
        token = token_file.read_text(encoding="ascii").strip()
    except OSError as error:
        raise Unavailable(
            f"{token_file}: {error.strerror}; no engine has run here, or it belongs to another user"
        ) from error
    host = "127.0.0.1" if ip_address(config.api.host).is_unspecified else config.api.host
    return ApiClient(f"http://{f'[{host}]' if ':' in host else host}:{config.api.port}", token)


class OverApi:
    """An engine runs: it writes, and acts at once."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self._client.get(f"/api/v1/{kind}s")["items"]
        return items

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> None:
        if mode == "create":
            key = dict(zip(("queue", "agent"), name.split("/"), strict=True)) if kind == "member" else {"name": name}
            self._client.post(f"/api/v1/{kind}s", {**key, **values})
        elif mode == "update":
            self._client.patch(f"/api/v1/{kind}s/{name}", values)
        else:
            self._client.put(f"/api/v1/{kind}s/{name}", values)

    def drop(self, kind: Kind, name: str) -> None:
        self._client.delete(f"/api/v1/{kind}s/{name}")

    def rotate_secret(self, agent: str) -> str:
        return str(self._client.post(f"/api/v1/agents/{agent}/secret")["secret"])

    def set_status(self, agent: str, *, available: bool, reason: str) -> None:
        status = "available" if available else "break"
        self._client.put(f"/api/v1/agents/{agent}/status", {"status": status, "reason": reason})


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
