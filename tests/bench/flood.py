"""`make bench-flood`: strangers flood the engine beside 100 live calls; what honest people notice of it.

    python -m tests.bench.flood [--seconds 60] [--rate 10000] [--calls 100] [--methods REGISTER INVITE] [--no-rival]

Processes send REGISTER or INVITE from 800 loopback addresses, as fast as asked (what they reached is printed, and how
much of it the kernel threw away before the server read it). Beside it 100 calls stand, five new calls a second come by
the trunk, ten agents refresh their registrations, and OPTIONS come from the trunk's address and from one honest
stranger's. Asterisk 22 stands under the same flood, with the same calls and agents. Writes build/bench/flood.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.bench.flood_honest import Honest, Tally
from tests.bench.flood_servers import OURS, FloodServer, asterisk_server, engine_server
from tests.bench.signalling_report import commit
from tests.support.load_figures import figures
from tests.support.ports import PortPool
from tests.support.procs import Processes

OUT: Final = Path(__file__).parents[2] / "build" / "bench" / "flood.json"
TRUNK: Final = "127.0.0.9"
AGENTS: Final = 10
SENDERS: Final = 2
CALLS_PER_S: Final = 5.0
OPTIONS_PER_S: Final = 10.0
REFRESH_S: Final = 4.0
SETUP_P99_MS: Final = 200.0
GROWN_MIB: Final = 20.0
"""The goals, in 60 seconds at 10,000 a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One flood at one server."""

    side: str
    method: str
    seconds: float
    sent: int
    """Datagrams that the flood's processes sent."""
    sent_per_s: float
    lost_by_kernel: int
    """Datagrams of anybody that the server's full socket buffer lost."""
    standing: int
    calls_kept: int
    new_calls: int
    new_calls_failed: int
    setup_p50_ms: float
    setup_p99_ms: float
    setup_max_ms: float
    registers: int
    registers_failed: int
    options_answered: float
    """Share of the OPTIONS from the trunk's address that were answered."""
    stranger_options_answered: float
    """The same of an honest stranger's, each sent up to five times."""
    retransmitted: int
    cpu_share: float
    """Processor time of the server by time."""
    waited_share: float
    """Of the time, in which its first thread was ready to go on and other processes had the processors."""
    grown_mib: float

    def __str__(self) -> str:
        return (
            f"{self.side:10} {self.method:8} {self.sent_per_s:6.0f}/s sent, kernel lost {self.lost_by_kernel:6}; "
            f"calls kept {self.calls_kept}/{self.standing}; new {self.new_calls - self.new_calls_failed}/"
            f"{self.new_calls}, p50 {self.setup_p50_ms:.1f} p99 {self.setup_p99_ms:.1f} "
            f"max {self.setup_max_ms:.1f} ms; "
            f"REGISTER failed {self.registers_failed}/{self.registers + self.registers_failed}; OPTIONS answered "
            f"{self.options_answered:.0%}, a stranger's {self.stranger_options_answered:.0%}; "
            f"CPU {self.cpu_share:.0%}, waited for a processor {self.waited_share:.0%}; grew {self.grown_mib:+.1f} MiB"
        )

    def problems(self) -> list[str]:
        """What misses the goals."""
        found = []
        if self.calls_kept < self.standing:
            found.append(f"{self.standing - self.calls_kept} calls were dropped")
        if self.new_calls_failed or not self.new_calls:
            found.append(f"{self.new_calls_failed} of {self.new_calls} new calls failed")
        if self.setup_p99_ms >= SETUP_P99_MS:
            found.append(f"new calls took {self.setup_p99_ms:.0f} ms at p99")
        if self.registers_failed or not self.registers:
            found.append(f"{self.registers_failed} of {self.registers + self.registers_failed} REGISTERs failed")
        if self.grown_mib > GROWN_MIB:
            found.append(f"memory grew by {self.grown_mib:.1f} MiB")
        if found and self.waited_share > 0.05:
            found.append(f"the machine was busy: the server waited {self.waited_share:.0%} of the time for a processor")
        return found


def flood_run(server: FloodServer, *, method: str, seconds: float, rate: float, calls: int, trunk_port: int) -> Run:
    """One flood at a server that runs."""
    honest = Honest(
        server.address, trunk=TRUNK, port=trunk_port, number="601", agents=server.agents, agents_at="127.0.0.1"
    )
    with closing(honest):
        honest.set_up(calls)
        # Once without a flood, so that what is made at first use is there before memory is measured.
        honest.run(2.0, calls_per_s=CALLS_PER_S, options_per_s=OPTIONS_PER_S, refresh_s=1.0)
        honest.tally = Tally()
        before, began = figures(server.pid, server.address[1]), time.monotonic()
        senders = [_sender(server.address, rate / SENDERS, seconds, method, f"127.{80 + n}") for n in range(SENDERS)]
        honest.run(seconds, calls_per_s=CALLS_PER_S, options_per_s=OPTIONS_PER_S, refresh_s=REFRESH_S)
        sent = sum(int(sender.communicate()[0]) for sender in senders)
        took = time.monotonic() - began
        cost = figures(server.pid, server.address[1]).since(before)
        kept = honest.hang_up_all()
    tally = honest.tally
    setups = sorted(tally.setups_s) or [0.0]
    return Run(
        side=server.name,
        method=method,
        seconds=seconds,
        sent=sent,
        sent_per_s=sent / seconds,
        lost_by_kernel=cost.lost,
        standing=calls,
        calls_kept=kept,
        new_calls=len(tally.setups_s) + tally.setups_failed,
        new_calls_failed=tally.setups_failed,
        setup_p50_ms=setups[len(setups) // 2] * 1e3,
        setup_p99_ms=setups[min(len(setups) - 1, int(len(setups) * 0.99))] * 1e3,
        setup_max_ms=setups[-1] * 1e3,
        registers=tally.registers,
        registers_failed=tally.registers_failed,
        options_answered=tally.options_answered / max(1, tally.options_sent),
        stranger_options_answered=tally.stranger_options_answered / max(1, tally.stranger_options_sent),
        retransmitted=tally.retransmitted,
        cpu_share=cost.cpu_s / took,
        waited_share=cost.loop_waited_s / took,
        grown_mib=cost.memory_mib,
    )


def _sender(server: tuple[str, int], rate: float, seconds: float, method: str, net: str) -> subprocess.Popen[str]:
    words = [*server, "--rate", rate, "--seconds", seconds, "--method", method, "--net", net]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.flood_sender", *map(str, words)], stdout=subprocess.PIPE, text=True
    )


def bench(
    *, seconds: float, rate: float, calls: int, methods: Sequence[str], rival: bool, directory: Path
) -> list[Run]:
    """Every run, each at a server of its own."""
    runs: list[Run] = []
    ports = PortPool()
    makers = [engine_server, *([asterisk_server] if rival else [])]
    for make in makers:
        for method in methods:
            with Processes(directory / f"{make.__name__}-{method}") as processes:
                trunk_port = ports.one()
                server = make(
                    processes, ports, directory / f"{make.__name__}-{method}", agents=AGENTS, trunk=(TRUNK, trunk_port)
                )
                try:
                    server.start()
                    runs.append(
                        flood_run(server, method=method, seconds=seconds, rate=rate, calls=calls, trunk_port=trunk_port)
                    )
                    print(runs[-1], flush=True)
                finally:
                    server.stop()
    return runs


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10_000.0, help="datagrams a second (%(default)s)")
    parser.add_argument("--calls", type=int, default=100, help="calls that stand (%(default)s)")
    parser.add_argument("--methods", nargs="+", default=["REGISTER", "INVITE"])
    parser.add_argument("--no-rival", action="store_true")
    parser.add_argument("--result", type=Path, default=OUT)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="hearthline-flood-") as directory:
        runs = bench(
            seconds=given.seconds,
            rate=given.rate,
            calls=given.calls,
            methods=given.methods,
            rival=not given.no_rival,
            directory=Path(directory),
        )
    _write(given.result, words, given, runs)
    return 0


def _write(file: Path, words: Sequence[str] | None, given: argparse.Namespace, runs: Sequence[Run]) -> None:
    problems = [f"{run.side} {run.method}: {problem}" for run in runs if run.side == OURS for problem in run.problems()]
    content = {
        "command": " ".join(["python -m tests.bench.flood", *(sys.argv[1:] if words is None else words)]),
        "commit": commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "counts": {"seconds": given.seconds, "rate": given.rate, "calls": given.calls, "runs": len(runs)},
        "outcome": "; ".join(problems) or "ok",
        "runs": [asdict(run) for run in runs],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n")
    print(f"{content['outcome']}; {file}")


if __name__ == "__main__":
    sys.exit(main())
