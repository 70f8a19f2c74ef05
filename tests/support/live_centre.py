"""A running engine with telephones by hand around it: agents that register, and a trunk that calls from 127.0.0.2."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.support.engine import Engine
from tests.support.leftovers import Leftovers
from tests.support.plain_phone import PlainPhone
from tests.support.plain_talk import Talk
from tests.support.ports import PortPool
from tests.support.procs import Processes, wait_until

TRUNK_HOST = "127.0.0.2"
STRANGER_HOST = "127.0.0.3"


class LiveCentre:
    """Sets up through the API, which is quick; the command line has tests of its own."""

    def __init__(self, engine: Engine, ports: PortPool) -> None:
        self.engine = engine
        self._ports = ports
        self._secrets: dict[str, str] = {}
        self._phones: list[PlainPhone] = []
        self._marks = iter(range(0x91, 0xF0))
        self._proof: Talk | None = None

    @property
    def sip(self) -> tuple[str, int]:
        return "127.0.0.1", self.engine.sip_port

    def port(self) -> int:
        """A free port."""
        return self._ports.one()

    def queue(self, name: str = "demo", **settings: object) -> None:
        """Make or change a queue; agents are free again at once unless `settings` say otherwise."""
        self.engine.api.put(f"/api/v1/queues/{name}", {"wrap_up_s": 0, **settings})

    def trunk(self, name: str = "pbx", host: str = TRUNK_HOST, **settings: object) -> None:
        """Whoever sends from `host` is this trunk."""
        self.engine.api.put(f"/api/v1/trunks/{name}", {"host": host, "port": 5060, "ping_s": 0, **settings})

    def add_agent(self, name: str, *queues: str) -> None:
        """An agent with a new secret, member of these queues."""
        api = self.engine.api
        api.put(f"/api/v1/agents/{name}", {})
        self._secrets[name] = api.post(f"/api/v1/agents/{name}/secret")["secret"]
        for queue in queues:
            api.put(f"/api/v1/members/{queue}/{name}", {})

    def secret_of(self, agent: str) -> str:
        return self._secrets[agent]

    def agent(self, name: str, *queues: str, register: bool = True, **phone: Any) -> PlainPhone:
        """An agent, member of these queues, and the phone, registered unless told otherwise."""
        self.add_agent(name, *queues)
        made = self.phone(name, password=self._secrets[name], **phone)
        if register:
            registered = made.register()
            assert registered.status == 200, registered.start
        return made

    def caller(self, user: str = "5551000", **phone: Any) -> PlainPhone:
        """Somebody who calls by the trunk."""
        return self.phone(user, host=TRUNK_HOST, **phone)

    def stranger(self, user: str = "mallory", **phone: Any) -> PlainPhone:
        """Somebody from an address that is nobody's."""
        return self.phone(user, host=STRANGER_HOST, **phone)

    def phone(
        self, user: str, *, server: tuple[str, int] | None = None, kind: type[PlainPhone] = PlainPhone, **settings: Any
    ) -> PlainPhone:
        """A phone that speaks to us, or to the `server` that stands before us."""
        made = kind(user, server or self.sip, self._ports, mark=next(self._marks), **settings)
        self._phones.append(made)
        return made

    def connect(self, caller: PlainPhone, agent: PlainPhone, number: str = "600") -> tuple[Talk, Talk]:
        """Call, have the agent's phone answer, wait until both hear each other."""
        before = set(agent.talks)
        talk = caller.call(number)
        talk.wait(200)
        wait_until(lambda: bool(set(agent.talks) - before), timeout=5, what=f"a call to {agent.user}")
        self.hear_each_other(caller, agent)
        return talk, agent.talks[(set(agent.talks) - before).pop()]

    def hear_each_other(self, one: PlainPhone, other: PlainPhone, *, timeout: float = 10.0) -> None:
        """Return once each hears five packets of the other from now on."""
        counted = [(end.voice, peer.voice.mark) for end, peer in ((one, other), (other, one))]
        before = [len(voice.heard[mark]) for voice, mark in counted]

        def both() -> bool:
            return all(
                len(voice.heard[mark]) >= start + 5 for (voice, mark), start in zip(counted, before, strict=True)
            )

        wait_until(both, timeout=timeout, what=f"{one.user} and {other.user} to hear each other")

    def prove_a_call(self) -> None:
        """The engine serves: a caller by the trunk hears himself in the echo test and hangs up."""
        with PlainPhone("5559999", self.sip, self._ports, host=TRUNK_HOST, mark=0xF1) as phone:
            talk = phone.call("601")
            talk.wait(200)
            wait_until(lambda: len(phone.voice.heard[0xF1]) > 5, timeout=5, what="an echo")
            assert talk.hang_up().status == 200
            self._proof = talk

    def no_legs(self, *, timeout: float = 10.0) -> None:
        """Return once the media process has no leg left."""
        self.until(lambda: self.engine.api.get("/api/v1/media")["legs"] == 0, "the end of all legs", timeout=timeout)

    def at_rest(self, *, timeout: float = 10.0) -> None:
        """Return once no leg is left and the log is on the disk, so that it can be counted."""
        self.no_legs(timeout=timeout)
        self.until(lambda: self.metric("hearthline_calls_active") == 0, "the end of all calls", timeout=timeout)
        if self._proof is not None:
            self.cdr(self._proof)  # records are gathered for a moment before anybody is told; this one is the last
        self.until(
            lambda: self.engine.api.get("/api/v1/status")["engine"]["store"]["pending"] == 0,
            "the log on the disk",
            timeout=timeout,
        )

    def not_ready(self) -> list[str]:
        """Why the engine should get no calls now; empty when it should."""
        connection = HTTPConnection("127.0.0.1", self.engine.api_port, timeout=5)
        with closing(connection):
            connection.request("GET", "/readyz")
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert (answer.status, said["ready"]) == ((503, False) if said["reasons"] else (200, True))
            return list(said["reasons"])

    def metric(self, name: str) -> float:
        """The value of a metric, the sum of all where it has labels, 0 where it has none yet."""
        page = self.engine.api.text("/metrics")
        found = [line.split()[-1] for line in page.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(map(float, found))

    def cdr(self, talk: Talk) -> dict[str, Any]:
        """The CDR of the call that a phone by hand made, once it is written."""
        found: list[dict[str, Any]] = []

        def written() -> bool:
            cdrs = self.engine.api.get("/api/v1/cdrs")["items"]
            found[:] = [cdr for cdr in cdrs if cdr["protocol_id"] == talk.call_id]
            return bool(found)

        wait_until(written, timeout=10, what=f"the CDR of {talk.call_id}")
        return found[0]

    def until(self, condition: Callable[[], bool], what: str, *, timeout: float = 10.0) -> None:
        wait_until(condition, timeout=timeout, what=what)

    def close(self) -> None:
        """All phones vanish, and the engine is stopped if it runs: at once, whatever calls a failed test left."""
        for phone in self._phones:
            phone.vanish()
        if self.engine.process.running:
            self.engine.stop()

    def complaints(self) -> list[str]:
        """What the engine said of defects of its own."""
        return [
            line
            for line in self.engine.process.lines()
            if "Traceback" in line or "level=error" in line or "level=critical" in line
        ]


@contextmanager
def running_centre(session_ports: PortPool, directory: Path, **settings: Mapping[str, object]) -> Iterator[LiveCentre]:
    """A centre that several tests share, with queue `demo` (600), echo (601) and the trunk `pbx`. In the end the engine
    must stop cleanly, have no complaint, and leave nothing behind."""
    leftovers, ports = Leftovers(), session_ports.share()
    leftovers.watch_pool(ports)
    with Processes(directory / "procs") as processes:
        leftovers.watch_processes(processes)
        engine = Engine(processes, ports, directory / "engine", settings=settings)
        engine.start()
        centre = LiveCentre(engine, ports)
        try:
            centre.queue()
            centre.trunk()
            yield centre
        finally:
            centre.close()
        assert engine.process.returncode == 0
        complaints = centre.complaints()
        assert not complaints, "the engine complained:\n" + "\n".join(complaints)
    leftovers.check()
