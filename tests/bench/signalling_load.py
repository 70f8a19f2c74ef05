"""The load of the signalling benchmark: SIPp callers, SIPp agents, and how long a caller's call took to an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Final

from tests.support.ports import PortPool, is_free
from tests.support.procs import Processes, wait_until
from tests.support.sipp import SippRun, Sipps

SCENARIOS: Final = Path(__file__).parent / "sipp"

CALLERS: Final = "127.0.0.2"
"""A trunk by its address for the engine, an identify by its address for Asterisk."""
AGENTS: Final = "127.0.0.3"
"""All telephones stand on one port of this address."""

TALK_MS: Final = 2000
_PATIENCE_MS: Final = 10_000
"""For any message that SIPp waits for; then the call has failed."""
_AT_ONCE: Final = 10_000
"""SIPp's own limit on simultaneous calls, far away: a slow server must not be met with fewer calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What the callers and the agents saw."""

    calls: int
    failed: int
    """Calls that the caller could not go through with, or that no agent went through with."""
    retransmissions: int
    """By SIPp, on both sides."""
    setup_s: tuple[float, ...]
    """From the caller's INVITE to the agent's, each call that came there; sorted."""

    def setup_ms(self, percent: int) -> float:
        """A percentile in milliseconds; nan when hardly any call came through."""
        if len(self.setup_s) < 2:
            return float("nan")
        return quantiles(self.setup_s, n=100, method="inclusive")[percent - 1] * 1000


class Load:
    """Callers and agents of one server."""

    def __init__(self, procs: Processes, ports: PortPool, directory: Path) -> None:
        self._sipps = Sipps(procs, ports, directory)
        self._directory = directory
        self.agents = (AGENTS, ports.one())
        self._callers = (CALLERS, ports.one())
        self._rounds = 0

    def run(
        self,
        server: tuple[str, int],
        *,
        calls: int,
        rate: float,
        talk_ms: int = TALK_MS,
        begins: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
    ) -> LoadResult:
        """Let `calls` callers dial the queue, `rate` a second.

        Each talks for `talk_ms`. `begins` is called before the first INVITE, `ended` when the last caller has hung up.
        """
        self._rounds += 1
        logs = {side: self._directory / f"{self._rounds}-{side}" for side in ("callers", "agents")}
        phones = self._start("queue_agent", self.agents, logs["agents"], talk_ms=talk_ms)
        wait_until(lambda: not is_free(self.agents[1]), timeout=10, what="the agents' SIPp")
        begins()
        callers = self._start(
            "queue_caller", self._callers, logs["callers"], server=server, calls=calls, rate=rate, talk_ms=talk_ms
        )
        said = callers.wait(timeout=1.5 * calls / rate + talk_ms / 1000 + 90)
        ended()
        answered = phones.stop(timeout=_PATIENCE_MS / 1000 + 5)
        called, rung = _times(logs["callers"]), _times(logs["agents"])
        return LoadResult(
            calls=calls,
            failed=calls - min(said.successful, answered.successful),
            retransmissions=said.retransmissions + answered.retransmissions,
            setup_s=tuple(sorted(at - called[caller] for caller, at in rung.items() if caller in called)),
        )

    def _start(
        self,
        scenario: str,
        local: tuple[str, int],
        log: Path,
        *,
        server: tuple[str, int] | None = None,
        calls: int | None = None,
        rate: float = 1.0,
        talk_ms: int = TALK_MS,
    ) -> SippRun:
        return self._sipps.start(
            str(SCENARIOS / f"{scenario}.xml"),
            local=local,
            target=server,
            service="600",
            calls=calls,
            rate=rate,
            concurrent=_AT_ONCE if server else None,
            pause_ms=talk_ms,
            messages=False,
            options=["-trace_logs", "-log_file", str(log), "-recv_timeout", str(_PATIENCE_MS + talk_ms)],
        )


def _times(log: Path) -> Mapping[str, float]:
    """Seconds since the epoch by the caller's number: the first time each is named.

    SIPp writes its [timestamp] as date, time of day and seconds since the epoch, separated by tabs.
    """
    found: dict[str, float] = {}
    for line in log.read_text(encoding="ascii").splitlines() if log.exists() else ():
        caller, _, moment = line.partition(" ")
        found.setdefault(caller, float(moment.rpartition("\t")[2]))
    return found
