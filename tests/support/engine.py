"""The whole engine for integration tests: `hearthline run` with a configuration of its own on loopback ports."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from engine.api.client import ApiClient
from engine.errors import EngineError
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes, wait_until

REPOSITORY = Path(__file__).parents[2]


class Engine:
    """One `hearthline run`; agents, queues and trunks are made with the command line, as an operator makes them."""

    def __init__(
        self, procs: Processes, ports: PortPool, directory: Path, *, settings: Mapping[str, Mapping[str, object]]
    ) -> None:
        self._procs = procs
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.sip_port = ports.one()
        self.api_port = ports.one()
        rtp = ports.block(64, even=True)
        self.rtp_ports = rtp
        self.config = directory / "engine.toml"
        self.state = directory / "state"
        sections: dict[str, dict[str, object]] = {
            "service": {"state_dir": "state"},
            "sip": {"host": "127.0.0.1", "port": self.sip_port},
            "media": {"host": "127.0.0.1", "port_min": rtp.start, "port_max": rtp.stop - 2},
            "api": {"port": self.api_port},
        }
        for section, keys in settings.items():
            sections.setdefault(section, {}).update(keys)
        self.config.write_text(
            "".join(
                f"[{section}]\n" + "".join(f"{key} = {_toml(value)}\n" for key, value in keys.items())
                for section, keys in sections.items()
            )
        )
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process is not None, "the engine is not running"
        return self._process

    @property
    def server(self) -> str:
        """Where phones register and call."""
        return f"sip:127.0.0.1:{self.sip_port}"

    @property
    def api(self) -> ApiClient:
        """The API with the token of the state directory."""
        token = (self.state / "secrets" / "api-token").read_text().strip()
        return ApiClient(f"http://127.0.0.1:{self.api_port}", token)

    def start(self, *, timeout: float = 30.0) -> None:
        """Start it and return once it takes calls."""
        self._process = self._procs.start(
            "engine", [sys.executable, "-m", "engine", "run", "--config", str(self.config)]
        )

        def ready() -> bool:
            assert self.process.running, f"the engine ended with {self.process.returncode}:\n{self.process.tail()}"
            with contextlib.suppress(EngineError, OSError):
                return bool(self.api.get("/readyz")["ready"])
            return False

        wait_until(ready, timeout=timeout, what="a ready engine")

    def stop(self, *, timeout: float = 10.0) -> int:
        """End it at once, as Ctrl-C does; its exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=timeout)

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `hearthline` command with this engine's configuration."""
        done = subprocess.run(
            [sys.executable, "-m", "engine", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, f"hearthline {' '.join(words)}: {done.stderr}"
        return done

    def add_agent(self, name: str, *queues: str) -> Path:
        """Add an agent with the command line; the file that holds the SIP secret."""
        options = [word for queue in queues for word in ("--queue", queue)]
        answer = json.loads(self.command("agent", "add", name, *options, "--json").stdout)
        secret_file = self._directory / f"{name}.secret"
        secret_file.write_text(answer["secret"])
        return secret_file

    def agent(self, name: str) -> dict[str, Any]:
        """How the engine sees an agent."""
        found: dict[str, Any] = self.api.get(f"/api/v1/agents/{name}")
        return found

    def wait_for_state(self, agent: str, state: str, *, timeout: float = 20.0) -> None:
        """Return once the agent is in this state."""
        wait_until(lambda: self.agent(agent)["state"] == state, timeout=timeout, what=f"{agent} to be {state}")

    def wait_for_binding(self, agent: str, *, timeout: float = 10.0) -> None:
        """Return once the registration of the agent's phone is in the store, which is up to a second after it: then it
        is there after a crash too."""

        def kept() -> bool:
            with closing(sqlite3.connect(self.state / "hearthline.db")) as store:
                return bool(store.execute("select count(*) from bindings where agent = ?", (agent,)).fetchone()[0])

        wait_until(kept, timeout=timeout, what=f"the registration of {agent} to be kept")

    def records(self, type_: str | None = None, *, call: str | None = None) -> list[dict[str, Any]]:
        """Everything in the log so far, or its records of one type or call."""
        found: list[dict[str, Any]] = []
        after = 0
        while True:
            query: dict[str, Any] = {"after": after, "limit": 500, "type": type_, "call": call}
            page = self.api.get("/api/v1/events", **query)
            found += page["items"]
            if page["next"] is None:
                return found
            after = int(page["next"])

    def wait_for_cdrs(self, count: int, *, timeout: float = 20.0) -> Sequence[dict[str, Any]]:
        """CDRs, last first, once there are as many."""
        wait_until(lambda: len(self.api.get("/api/v1/cdrs")["items"]) >= count, timeout=timeout, what=f"{count} CDRs")
        found: Sequence[dict[str, Any]] = self.api.get("/api/v1/cdrs")["items"]
        return found


def _toml(value: object) -> str:
    """A value as TOML writes it; what JSON writes otherwise are tables."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)
