"""The servers in the flood benchmark: Hearthline with its defaults, and Asterisk 22 with calls answered in the
dialplan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol

from tests.support.asterisk import Asterisk, AsteriskPorts
from tests.support.engine import Engine
from tests.support.ports import PortPool
from tests.support.procs import Processes

OURS: Final = "hearthline"
"""How the engine is called in what is printed."""
_RTP: Final = 600
_DIALPLAN: Final = """
[context.from-trunk]
[[context.from-trunk.extension]]
number = "601"
echo = true
[context.agents]
"""
_TRUNK: Final = """
[flood-trunk]
type = endpoint
transport = hearthline-udp
context = flood
disallow = all
allow = ulaw
direct_media = no
aors = flood-trunk
[flood-trunk]
type = aor
contact = sip:{host}:{port}
[flood-trunk]
type = identify
endpoint = flood-trunk
match = {host}
"""
_AGENT: Final = """
[{name}]
type = endpoint
transport = hearthline-udp
context = flood
disallow = all
allow = ulaw
auth = {name}
aors = {name}
[{name}]
type = auth
auth_type = digest
username = {name}
password = {password}
[{name}]
type = aor
max_contacts = 1
"""
_EXTENSIONS: Final = """
[flood]
exten => 601,1,Answer()
same => n,Wait(3600)
"""


class FloodServer(Protocol):
    """Who is flooded."""

    name: str
    agents: Mapping[str, str]
    """Names and passwords, once it runs."""

    @property
    def address(self) -> tuple[str, int]: ...

    @property
    def pid(self) -> int: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


class _EngineServer:
    name = OURS

    def __init__(self, engine: Engine, agents: int, trunk: tuple[str, int]) -> None:
        self._engine = engine
        self._count = agents
        self._trunk = trunk
        self.agents: dict[str, str] = {}

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._engine.sip_port

    @property
    def pid(self) -> int:
        return self._engine.process.pid

    def start(self) -> None:
        self._engine.start()
        api = self._engine.api
        host, port = self._trunk
        api.put("/api/v1/trunks/line", {"host": host, "port": port, "ping_s": 0})
        for number in range(self._count):
            name = f"agent{number}"
            api.put(f"/api/v1/agents/{name}", {})
            self.agents[name] = api.post(f"/api/v1/agents/{name}/secret")["secret"]

    def stop(self) -> None:
        if self._engine.process.running:
            self._engine.stop()


def engine_server(
    processes: Processes, ports: PortPool, directory: Path, *, agents: int, trunk: tuple[str, int]
) -> FloodServer:
    """Hearthline. Nobody speaks in the calls, so that only signalling is measured."""
    directory.mkdir(parents=True, exist_ok=True)
    dialplan = directory / "dialplan.toml"
    dialplan.write_text(_DIALPLAN, encoding="utf-8")
    rtp = ports.block(_RTP, even=True)
    media = {"port_min": rtp.start, "port_max": rtp.stop - 2, "dead_s": 3600.0}
    settings: dict[str, dict[str, object]] = {"media": {**media}, "dialplan": {"file": str(dialplan)}}
    return _EngineServer(Engine(processes, ports, directory / "engine", settings=settings), agents, trunk)


class _AsteriskServer:
    name = "asterisk"

    def __init__(self, asterisk: Asterisk, agents: int, trunk: tuple[str, int]) -> None:
        self._asterisk = asterisk
        self._trunk = trunk
        self.agents = {f"agent{number}": f"secret{number}" for number in range(agents)}

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._asterisk.ports.sip

    @property
    def pid(self) -> int:
        return self._asterisk.process.pid

    def start(self) -> None:
        host, port = self._trunk
        phones = [_AGENT.format(name=name, password=password) for name, password in self.agents.items()]
        self._asterisk.configure(
            extra={
                "pjsip_extra.conf": "".join([_TRUNK.format(host=host, port=port), *phones]),
                "extensions_extra.conf": _EXTENSIONS,
            }
        )
        self._asterisk.start()

    def stop(self) -> None:
        self._asterisk.stop()


def asterisk_server(
    processes: Processes, ports: PortPool, directory: Path, *, agents: int, trunk: tuple[str, int]
) -> FloodServer:
    """Asterisk 22 with chan_pjsip."""
    del directory
    taken = AsteriskPorts(
        sip=ports.one(), manager=ports.one(), rtp=ports.block(_RTP, even=True), engine=ports.one(), tester=ports.one()
    )
    return _AsteriskServer(Asterisk(processes, taken, name="flooded"), agents, trunk)
