"""Proof that a test gave everything back: no process alive, no socket on the ports it was given."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable

import psutil

from tests.support.ports import PortPool, is_free
from tests.support.procs import POLL_S, Processes

_PASSING = {psutil.CONN_TIME_WAIT, psutil.CONN_FIN_WAIT1, psutil.CONN_FIN_WAIT2, psutil.CONN_LAST_ACK}
"""TCP states that a closed connection goes through; no process owns it any more."""


class LeftBehind(AssertionError):
    """A test ended and something of it still runs or listens."""


def sockets_on(ports: Iterable[int], *, owners: Collection[int] | None = None) -> list[str]:
    """One line for each UDP or TCP socket whose local port is among `ports`; of `owners` (process ids) or of nobody
    known, where they are given."""
    wanted = frozenset(ports)
    if not wanted:
        return []
    try:
        connections = psutil.net_connections(kind="inet")
    except psutil.AccessDenied:
        # macOS shows all sockets to root only; whether a port can be bound says the same without the owner.
        return [f"port {port} is taken" for port in sorted(wanted) if not is_free(port)]
    return [
        f"port {connection.laddr.port} {connection.type.name} {connection.status} pid {connection.pid}"
        for connection in connections
        if connection.laddr and connection.laddr.port in wanted and connection.status not in _PASSING
        if owners is None or connection.pid is None or connection.pid in owners
    ]


class Leftovers:
    """Collects what a test starts and opens; `check` fails for what is still there."""

    def __init__(self) -> None:
        self._processes: list[Processes] = []
        self._pools: list[PortPool] = []
        self._ports: set[int] = set()

    def watch_processes(self, processes: Processes) -> None:
        self._processes.append(processes)

    def watch_pool(self, pool: PortPool) -> None:
        """Every port the pool gives out, also later."""
        self._pools.append(pool)

    def watch_ports(self, ports: Iterable[int]) -> None:
        """Ports that are not from a pool, such as a media range in a config file."""
        self._ports.update(ports)

    def found(self) -> list[str]:
        """What is there right now, one line each."""
        lines: list[str] = []
        # Another run of the tests on this machine finds a port free that we were given and have not bound.
        ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
        for processes in self._processes:
            for process in processes.survivors():
                ours.add(process.pid)
                with contextlib.suppress(psutil.NoSuchProcess):
                    lines.append(f"process {process.pid} {' '.join(process.cmdline()) or process.name()}")
        ports = self._ports.union(*(pool.given for pool in self._pools))
        return lines + sockets_on(ports, owners=ours)

    def check(self, *, grace: float = 2.0) -> None:
        """Raise `LeftBehind` for what is still there after `grace` seconds, having killed the processes."""
        deadline = time.monotonic() + grace
        while lines := self.found():
            if time.monotonic() > deadline:
                for processes in self._processes:
                    processes.kill_survivors()
                raise LeftBehind("left behind by the test:\n" + "\n".join(lines))
            time.sleep(POLL_S)
