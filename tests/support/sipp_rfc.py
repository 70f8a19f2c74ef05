"""Runs the scenarios of tests/integration/sipp/rfc/ against one engine, several at a time.

Each file begins with `<?run ...?>`, which says who SIPp is and what it does there:

    as      trunk     it calls in from a trunk's address (the default)
            trusted   the same, by a trunk whose word about callers is believed (RFC 3325)
            agent     it is a telephone with an agent's secret
            stranger  it is nobody
            called    it is a telephone on a trunk, and a second SIPp, a caller by another trunk, calls it
            line      the same, on a trunk that is trusted
            phone     the same, but an agent's, registered: by UDP, wherever its Contact or Path then points
    dial    the number that it calls (default 601, the echo)
    caller  beside "called", "line", "phone": the scenario of that caller (default caller_talks)
    also    beside them: the scenario of a third, on a trunk with the number @also@, for calls that are sent there
    register    beside "phone": header fields of its REGISTER, one after the other with " | " between (default Contact)
    over    the transports that it is about (default "udp tcp tls"; TLS by a relay, since Debian's SIPp has none)
    options what SIPp is told beside it, such as "-nr": repeat nothing by itself, and take nothing for repeated
"""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, get_args

from tests.support.live_centre import STRANGER_HOST, TRUNK_HOST, LiveCentre
from tests.support.plain_message import authorization
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.sipp import SippResult, SippRun, Sipps, built_in
from tests.support.sipp_asking import Asking
from tests.support.sipp_fragments import Piece, expand
from tests.support.tls_relay import TlsRelay

SCENARIOS: Final = Path(__file__).resolve().parents[1] / "integration/sipp/rfc"
TRUSTED_HOST: Final = "127.0.0.9"
AT_ONCE: Final = 16
"""SIPp processes that run beside each other; most of their time is spent waiting."""
FIRST_TRUNK: Final = 8000
FIRST_ALSO: Final = 8500
FIRST_PHONE: Final = 7000
RUNS_MAX: Final = 450
"""Numbers from the first ones on lead to trunks and agents of the same name, one for each run that is called."""
CALLED: Final = ("called", "line", "phone")

_RUN: Final = re.compile(r"<\?run\s*(.*?)\?>\s*", re.DOTALL)
_LIMITS: Final = ("-timeout", "25", "-timeout_error", "-recv_timeout", "12000", "-timer_resol", "10")

_STALL: Final = "watchdog timer"

Transport = Literal["udp", "tcp", "tls"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One file."""

    path: Path
    role: str
    dial: str
    caller: str
    over: Sequence[str]
    options: Sequence[str]
    text: str
    """Empty for one of SIPp's own."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """What is replaced in one of SIPp's own."""
    also: str = ""
    register: str = "Contact: <sip:@dial@@@local@>"

    @property
    def name(self) -> str:
        return self.path.stem


def load(path: Path) -> Scenario:
    """Read a file. Raises ValueError where it has no `<?run ...?>` or one that is not understood."""
    text = path.read_text(encoding="utf-8")
    found = _RUN.search(text)
    if found is None:
        raise ValueError(f"{path.name} has no <?run ...?>")
    said = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
    if unknown := set(said) - {"as", "dial", "caller", "over", "options", "also", "register"}:
        raise ValueError(f"{path.name}: <?run ...?> does not know {', '.join(sorted(unknown))}")
    return Scenario(
        path=path,
        role=said.get("as", "trunk"),
        dial=said.get("dial", "601"),
        caller=said.get("caller", "caller_talks"),
        over=said.get("over", "udp tcp tls").split(),
        options=said.get("options", "").split(),
        text=_RUN.sub("", text),
        also=said.get("also", ""),
        register=said.get("register", "Contact: <sip:@dial@@@local@>"),
    )


def every_scenario() -> list[Scenario]:
    """All of them, SIPp's own first. What the others do around a called telephone is no scenario of its own."""
    ours = [load(path) for path in sorted(SCENARIOS.glob("*.xml")) if not path.stem.startswith(("caller_", "also_"))]
    return [*BUILT_IN, *ours]


def every_run() -> list[tuple[Scenario, Transport]]:
    """Each with the transports that it is tried over. A relay brings TLS in; whom it calls speaks UDP or TCP."""
    return [
        (scenario, transport)
        for scenario in every_scenario()
        for transport in get_args(Transport)
        if transport in scenario.over and not (transport == "tls" and scenario.role in CALLED)
    ]


def of_sipp(name: str, role: str = "trunk", changes: Mapping[str, str] | None = None) -> Scenario:
    """One of those that SIPp brings with it (`sipp -sd NAME` prints it)."""
    return Scenario(
        path=Path(f"sipp_{name}.xml"),
        role=role,
        dial="601",
        caller="caller_talks",
        over=("udp", "tcp", "tls"),
        options=(),
        text="",
        changes=changes or {},
    )


BUILT_IN: Final = (
    of_sipp("uac"),
    of_sipp("uas", "called"),
    # The name in o= may be a dash (RFC 8866 5.2), which that expression does not know.
    of_sipp("regexp", changes={"o=([[:alnum:]]*)": "o=([^ ]*)"}),
)
"""The others of SIPp are in tests/integration/test_sipp_built_in.py."""


class Laboratory:
    """One engine and those who try it."""

    def __init__(
        self, centre: LiveCentre, procs: Processes, ports: PortPool, directory: Path, *, tls_port: int
    ) -> None:
        self._centre = centre
        self._tls = centre.sip[0], tls_port
        self._relays: list[TlsRelay] = []
        self._sipps = Sipps(procs, ports, directory)
        self._ports = ports
        self._directory = directory
        self._lock = threading.Lock()
        """Ports, processes and the engine's API are asked by one at a time."""
        self._numbers = itertools.count()
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="sipp")
        self._runs: dict[tuple[str, str], Future[list[SippResult]]] = {}

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for relay in self._relays:
            relay.close()

    def submit(self, wanted: Iterable[tuple[Scenario, Transport]]) -> None:
        """Have these run as soon as there is room."""
        for scenario, transport in wanted:
            key = scenario.name, transport
            if key not in self._runs:
                self._runs[key] = self._pool.submit(self._run, scenario, transport)

    def results(self, scenario: Scenario, transport: Transport) -> list[SippResult]:
        """What came of it: of SIPp in the scenario's own part, then of the caller, if it had one."""
        self.submit([(scenario, transport)])
        return self._runs[scenario.name, transport].result(timeout=120)

    def _run(self, scenario: Scenario, transport: Transport) -> list[SippResult]:
        results = self._try(scenario, transport)
        for _ in range(2):
            # SIPp tells of half a second in which it did not run: a 200 comes twice then, which it takes for too much.
            if all(each.status == 0 for each in results) or not any(_STALL in each.errors for each in results):
                break
            results = self._try(scenario, transport)
        return results

    def _try(self, scenario: Scenario, transport: Transport) -> list[SippResult]:
        number = next(self._numbers)
        if scenario.role in CALLED:
            runs = self._call(scenario, transport, number)
        else:
            runs = [self._start(scenario, transport, number, scenario.role, scenario.dial)]
        return [run.wait(timeout=40) for run in runs]

    def _call(self, scenario: Scenario, transport: Transport, number: int) -> list[SippRun]:
        dial = str((FIRST_PHONE if scenario.role == "phone" else FIRST_TRUNK) + number)
        place = self._place(number)
        if scenario.role == "phone":
            self._register(scenario, transport, dial, place)
        else:
            self._line(dial, place, transport, trusted=scenario.role == "line")
        runs = []
        if scenario.also:
            also, elsewhere = str(FIRST_ALSO + number), self._place(number)
            self._line(also, elsewhere, transport, trusted=False)
            third = load(SCENARIOS / f"{scenario.also}.xml")
            runs.append(self._start(third, transport, number, "called", also, at=elsewhere))
        called = self._start(scenario, transport, number, scenario.role, dial, at=place)
        caller = load(SCENARIOS / f"{scenario.caller}.xml")
        return [called, self._start(caller, transport, number, caller.role, dial), *runs]

    def _place(self, number: int) -> tuple[str, int]:
        with self._lock:
            return f"127.0.8.{number % 250 + 1}", self._ports.one()

    def _line(self, name: str, place: tuple[str, int], transport: Transport, *, trusted: bool) -> None:
        with self._lock:
            self._centre.trunk(name, place[0], port=place[1], transport=transport, match_port=True, trusted=trusted)

    def _register(self, scenario: Scenario, transport: Transport, user: str, place: tuple[str, int]) -> None:
        said = scenario.register.replace("@dial@", user).replace("@local@", f"{place[0]}:{place[1]}")
        said = said.replace("@transport@", transport)
        fields = [tuple(each.split(": ", 1)) for each in said.split(" | ")]
        with self._lock:
            self._centre.add_agent(user)
        with Asking(place, self._centre.sip) as asking:
            asking.register(user, self._centre.secret_of(user), [(name, value) for name, value in fields])

    def _start(
        self,
        scenario: Scenario,
        transport: Transport,
        number: int,
        role: str,
        dial: str,
        *,
        at: tuple[str, int] | None = None,
    ) -> SippRun:
        values: dict[str, str | Piece] = {
            "server": f"{self._centre.sip[0]}:{self._centre.sip[1]}",
            "dial": dial,
            "domain": self._centre.sip[0],
            "TRANSPORT": transport.upper(),
            "transport": transport,
            "user": "5551000",
            "also": str(FIRST_ALSO + number),
            "contact": f"<sip:@user@@[local_ip]:[local_port];transport={transport}>",
        }
        host = {"trunk": TRUNK_HOST, "trusted": TRUSTED_HOST}.get(role, STRANGER_HOST)
        with self._lock:
            local = at or (host, self._ports.one())
            values["local"] = f"{local[0]}:{local[1]}"
            if role == "agent":
                values["user"] = user = f"agent{number}"
                self._centre.add_agent(user)
                challenge, secret = self._challenge(host), self._centre.secret_of(user)
                values["proof"] = partial(proof, challenge, user, secret, self._centre.sip)
                foreign = re.sub(r'nonce="[^"]+"', 'nonce="00000000ffffffffffffffffffffffff"', challenge)
                values["foreignproof"] = partial(proof, foreign, user, secret, self._centre.sip)
                values["disproof"] = partial(proof, challenge, user, "not-it", self._centre.sip)
            elif role == "stranger":
                values["user"] = "mallory"
            path = self._directory / f"{number}-{scenario.name}.xml"
            text = scenario.text or built_in(scenario.name.removeprefix("sipp_"), scenario.changes)
            text = expand(text, values).replace("[transport]", transport.upper())
            path.write_text(text, encoding="utf-8")
            return self._sipps.start(
                str(path),
                local=local,
                target=None if role in CALLED else self._way_in(transport, host),
                service=dial,
                transport="u1" if transport == "udp" else "t1",
                pause_ms=200,
                options=(*_LIMITS, *scenario.options),
            )

    def _way_in(self, transport: Transport, host: str) -> tuple[str, int]:
        """Where a SIPp at `host` sends to."""
        if transport != "tls":
            return self._centre.sip
        relay = TlsRelay(host, self._tls)
        self._relays.append(relay)
        return relay.address

    def _challenge(self, host: str) -> str:
        """A fresh one."""
        with Asking((host, 0), self._centre.sip) as asking:
            return asking.challenge()


def proof(challenge: str, user: str, password: str, server: tuple[str, int], method: str, *words: str) -> str:
    """The Authorization field for a request: `words` are the number that it is for, unless it is for the registrar, and
    how often the nonce was used, which must rise (RFC 7616 3.4.5)."""
    *number, count = words
    uri = f"sip:{number[0]}@{server[0]}:{server[1]}" if number else f"sip:{server[0]}"
    name, value = authorization(challenge, user=user, password=password, method=method, uri=uri, count=int(count))
    return f"{name}: {value}"


def explain(results: Sequence[SippResult]) -> str:
    """What was said, for a test that failed."""
    parts: list[str] = []
    for result in results:
        parts.append(f"--- status {result.status}, {result.successful} good, {result.failed} failed")
        parts.append(result.errors[:4000])
        parts += [f"{'>>>' if each.sent else '<<<'} {each.time}\n{each.text}\n" for each in result.messages[:60]]
    return "\n".join(parts)
