"""How the command line changes agents, queues and trunks: through the running engine when there is one, so that it
takes effect at once; else straight in the store (`store_administration`). The commands do not see the difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Protocol

from engine.api.client import ApiClient
from engine.app.config import Config
from engine.app.state import StateDir
from engine.calls.directory import AgentStatus
from engine.errors import Unavailable

if TYPE_CHECKING:
    from engine.store.directory_store import WriteMode
    from engine.store.entities import Kind


class Administration(Protocol):
    """Both ways. Every method may raise InvalidRequest, NotFound, AlreadyExists or Unavailable."""

    def all(self, kind: Kind) -> list[dict[str, Any]]:
        """All of a kind as JSON objects, without secrets."""
        ...

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> Sequence[str]:
        """Write it; what is hardly meant of it is given back, for whoever wrote it."""
        ...

    def drop(self, kind: Kind, name: str) -> None: ...

    def rotate_secret(self, agent: str) -> str:
        """Make a new SIP secret; what comes back is shown once and kept nowhere."""
        ...

    def set_status(self, agent: str, status: AgentStatus, reason: str) -> None: ...


@contextmanager
def administration(config: Config) -> Iterator[Administration]:
    """The way that works now."""
    state = StateDir(config.state_dir)
    if state.in_use():
        yield OverApi(api_client(config))
        return
    from engine.app.store_administration import OverStore, opened_store  # noqa: PLC0415 - brings SQLAlchemy

    with opened_store(config) as database:
        yield OverStore(database, config.sip.realm, config.sip.listeners)


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

    def write(self, kind: Kind, name: str, values: Mapping[str, object], mode: WriteMode) -> Sequence[str]:
        if mode == "create":
            key = dict(zip(("queue", "agent"), name.split("/"), strict=True)) if kind == "member" else {"name": name}
            shown = self._client.post(f"/api/v1/{kind}s", {**key, **values})
        elif mode == "update":
            shown = self._client.patch(f"/api/v1/{kind}s/{name}", values)
        else:
            shown = self._client.put(f"/api/v1/{kind}s/{name}", values)
        return tuple(shown.get("warnings", ()))

    def drop(self, kind: Kind, name: str) -> None:
        self._client.delete(f"/api/v1/{kind}s/{name}")

    def rotate_secret(self, agent: str) -> str:
        return str(self._client.post(f"/api/v1/agents/{agent}/secret")["secret"])

    def set_status(self, agent: str, status: AgentStatus, reason: str) -> None:
        self._client.put(f"/api/v1/agents/{agent}/status", {"status": status.value, "reason": reason})
