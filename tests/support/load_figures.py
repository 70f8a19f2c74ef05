"""What a process under load has cost and lost, as Linux counts it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """At one moment, since the process began."""

    cpu_s: float
    """Processor time of all its threads."""
    loop_waited_s: float
    """In which its first thread, the one with the loop, could have run and had no processor: the machine's doing."""
    lost: int
    """Datagrams for which the sockets at its port had no room."""
    memory_mib: float

    def since(self, before: Figures) -> Figures:
        """What came to it."""
        return Figures(
            cpu_s=round(self.cpu_s - before.cpu_s, 2),
            loop_waited_s=round(self.loop_waited_s - before.loop_waited_s, 2),
            lost=self.lost - before.lost,
            memory_mib=round(self.memory_mib - before.memory_mib, 2),
        )


def figures(pid: int, port: int) -> Figures:
    """Of the process that listens at this UDP port."""
    times = psutil.Process(pid).cpu_times()
    return Figures(
        cpu_s=float(times.user + times.system),
        loop_waited_s=int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9,
        lost=_lost(port),
        memory_mib=memory_mib(pid),
    )


def memory_mib(pid: int) -> float:
    """Resident memory, MiB."""
    return round(float(psutil.Process(pid).memory_info().rss) / _MIB, 2)


def stolen_s() -> float:
    """Processor time that the host of this machine gave to others, all cores together, since it booted (Linux)."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


def _lost(port: int) -> int:
    found = 0
    for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].partition(":")[2], 16) == port:
            found += int(words[12])
    return found
