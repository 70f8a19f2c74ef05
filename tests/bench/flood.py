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
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.bench.flood_honest import Honest, Tally
from tests.bench.flood_servers import FloodServer, asterisk_server, engine_server
from tests.support.ports import PortPool
from tests.support.procs import Processes

OUT: Final = Path(__file__).parents[2] / "build" / "bench" / "flood.json"
TRUNK: Final = "127.0.0.9"
AGENTS: Final = 10
SENDERS: Final = 2
CALLS_PER_S: Final = 5.0
OPTIONS_PER_S: Final = 10.0
REFRESH_S: Final = 4.0


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
    grown_mib: float

    def __str__(self) -> str:
        return (
            f"{self.side:10} {self.method:8} {self.sent_per_s:6.0f}/s sent, kernel lost {self.lost_by_kernel:6}; "
            f"calls kept {self.calls_kept}/{self.standing}; new {self.new_calls - self.new_calls_failed}/"
            f"{self.new_calls}, p50 {self.setup_p50_ms:.1f} p99 {self.setup_p99_ms:.1f} "
            f"max {self.setup_max_ms:.1f} ms; "
            f"REGISTER failed {self.registers_failed}/{self.registers + self.registers_failed}; OPTIONS answered "
            f"{self.options_answered:.0%}, a stranger's {self.stranger_options_answered:.0%}; "
            f"CPU {self.cpu_share:.0%}; grew {self.grown_mib:+.1f} MiB"
        )


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
        process = psutil.Process(server.pid)
        memory, cpu, lost, began = _rss(process), _cpu(process), kernel_drops(server.address), time.monotonic()
        senders = [_sender(server.address, rate / SENDERS, seconds, method, f"127.{80 + n}") for n in range(SENDERS)]
        honest.run(seconds, calls_per_s=CALLS_PER_S, options_per_s=OPTIONS_PER_S, refresh_s=REFRESH_S)
        sent = sum(int(sender.communicate()[0]) for sender in senders)
        took = time.monotonic() - began
        cpu_share = (_cpu(process) - cpu) / took
        grown = (_rss(process) - memory) / (1 << 20)
        lost = kernel_drops(server.address) - lost
        kept = honest.hang_up_all()
    tally = honest.tally
    setups = sorted(tally.setups_s) or [0.0]
    return Run(
        side=server.name,
        method=method,
        seconds=seconds,
        sent=sent,
        sent_per_s=sent / seconds,
        lost_by_kernel=lost,
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
        cpu_share=cpu_share,
        grown_mib=grown,
    )


def _sender(server: tuple[str, int], rate: float, seconds: float, method: str, net: str) -> subprocess.Popen[str]:
    words = [*server, "--rate", rate, "--seconds", seconds, "--method", method, "--net", net]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.flood_sender", *map(str, words)], stdout=subprocess.PIPE, text=True
    )


def _rss(process: psutil.Process) -> int:
    return int(process.memory_info().rss)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def kernel_drops(address: tuple[str, int]) -> int:
    """Datagrams that the kernel lost for want of room in the UDP sockets at this port."""
    found = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].partition(":")[2], 16) == address[1]:
            found += int(words[12])
    return found


def bench(
    *, seconds: float, rate: float, calls: int, methods: Sequence[str], rival: bool, directory: Path
) -> list[Run]:
    """Every run, each at a server of its own."""
    runs = []
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
    given.result.parent.mkdir(parents=True, exist_ok=True)
    given.result.write_text(json.dumps([asdict(run) for run in runs], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
