"""The engine in the signalling benchmark: `hearthline run` with its defaults, as an operator starts it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import event

from engine.calls.directory import Agent, Member, Queue, StrategyName, Trunk
from engine.ids import AgentName, QueueName, TrunkName
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.schema import prepare
from tests.bench.signalling_load import CALLERS
from tests.bench.signalling_registrar import register_all
from tests.bench.signalling_server import QUEUE, RETRY_S, RING_TIMEOUT_S, RTP_PORTS, agent_names
from tests.support.engine import Engine
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes

_REALM: Final = "hearthline"
_DIALPLAN: Final = f"""
[context.from-trunk]
[[context.from-trunk.extension]]
number = "600"
queue = "{QUEUE}"
[context.agents]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A store with a queue, its agents and the callers' trunk, and the agents' secrets."""

    database: Path
    secrets: Mapping[str, str]


def hire(database: Path, agents: int) -> Staff:
    """Make such a store; every run starts from a copy of it."""
    url = f"sqlite:///{database}"
    prepare(url)
    opened = open_database(url)
    # Thousands of commits, none of which has to survive a power cut.
    event.listen(opened, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    store = DirectoryStore(opened)
    try:
        store.put(
            Queue(
                name=QueueName(QUEUE),
                strategy=StrategyName.LONGEST_IDLE,
                ring_timeout_s=RING_TIMEOUT_S,
                retry_s=RETRY_S,
                wrap_up_s=0.0,
            )
        )
        # No OPTIONS to the callers, who would not expect it; Asterisk sends none either.
        store.put(Trunk(name=TrunkName("callers"), host=CALLERS, ping_s=0.0))
        secrets = {}
        for name in map(AgentName, agent_names(agents)):
            store.put(Agent(name=name))
            secrets[str(name)] = store.rotate_secret(name, _REALM).secret
            store.put(Member(queue=QueueName(QUEUE), agent=name))
    finally:
        opened.dispose()
    return Staff(database=database, secrets=secrets)


class EngineServer:
    """See the module."""

    name = "hearthline"

    def __init__(
        self, procs: Processes, ports: PortPool, directory: Path, *, staff: Staff, agents: tuple[str, int]
    ) -> None:
        directory.mkdir(parents=True)
        dialplan = directory / "dialplan.toml"
        dialplan.write_text(_DIALPLAN, encoding="utf-8")
        rtp = {"port_min": RTP_PORTS.start, "port_max": RTP_PORTS.stop - 2}
        settings = {"media": rtp, "dialplan": {"file": str(dialplan)}, "sip": {"realm": _REALM}}
        self._engine = Engine(procs, ports, directory, settings=settings)
        self._staff = staff
        self._agents = agents
        self._database = self._engine.state / staff.database.name

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._engine.sip_port

    def start(self) -> None:
        self._engine.state.mkdir(mode=0o700)
        shutil.copy(self._staff.database, self._database)
        self._engine.start()
        register_all(self._staff.secrets, local=self._agents, server=self.address)

    @property
    def process(self) -> Process:
        return self._engine.process

    def cdrs(self) -> int:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as connection:
            (count,) = connection.execute("SELECT count(*) FROM cdrs").fetchone()
        return int(count)

    def stop(self) -> None:
        self._engine.stop()
