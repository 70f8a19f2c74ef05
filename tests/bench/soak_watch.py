"""What the processes of an engine hold, looked at again and again: memory, descriptors, ports, threads."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil

from tests.support.engine import Engine
from tests.support.procs import Processes

_MIB: Final = 1 << 20
_SPARE_PAIRS: Final = 32
"""That a media process keeps bound for calls to come (`engine.media.stock`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """By one process."""

    rss: float
    """MiB, as the next two."""
    pss: float
    private: float
    """What nobody shares: the measure of a leak."""
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One moment."""

    at_s: float
    processes: dict[str, Held]
    ports: int
    """UDP ports of the range that are bound."""
    calls: int
    legs: int
    cpu_s: float
    """Of all processes."""
    load: float
    mixed: int


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at one engine."""

    engine: Engine
    procs: Processes
    ports: range
    began: float = field(default_factory=time.monotonic)
    looks: list[Look] = field(default_factory=list)

    def look(self) -> Look:
        """What is held now."""
        found: dict[str, Held] = {}
        cpu = 0.0
        for process in self._ours():
            try:
                name, memory, times = _name(process.cmdline()), process.memory_full_info(), process.cpu_times()
                held = Held(
                    rss=round(memory.rss / _MIB, 2),
                    pss=round(memory.pss / _MIB, 2),
                    private=round(memory.uss / _MIB, 2),
                    descriptors=process.num_fds(),
                    threads=process.num_threads(),
                )
            except psutil.NoSuchProcess:
                continue
            cpu += times.user + times.system
            same = sum(each.startswith(name) for each in found)
            found[f"{name} {same + 1}" if same else name] = held
        media = self.engine.api.get("/api/v1/media")
        calls = len(self.engine.api.get("/api/v1/calls")["items"])
        return Look(
            at_s=round(time.monotonic() - self.began, 1),
            processes=found,
            ports=bound(self.ports),
            calls=calls,
            legs=media["legs"],
            cpu_s=round(cpu, 1),
            load=round(psutil.getloadavg()[0], 2),
            mixed=media["mixed_legs"],
        )

    async def keep_looking(self, every_s: float) -> None:
        while True:
            self.looks.append(await asyncio.to_thread(self.look))
            await asyncio.sleep(every_s)

    def _ours(self) -> list[psutil.Process]:
        return sorted(self.procs.survivors(), key=lambda each: each.pid)


def bound(ports: range) -> int:
    """How many of these UDP ports are bound (Linux)."""
    count = 0
    for name in ("/proc/net/udp", "/proc/net/udp6"):
        for line in Path(name).read_text().splitlines()[1:]:
            count += int(line.split()[1].rpartition(":")[2], 16) in ports
    return count


def growth(looks: Sequence[Look], process: str, measure: str) -> dict[str, float]:
    """By least squares: what a process grew by from the first of these looks to the last, in per cent of its mean."""
    values = [(look.at_s, getattr(look.processes[process], measure)) for look in looks if process in look.processes]
    if len(values) < 3:
        return {}
    times, sizes = np.array(values).T
    slope = float(np.polyfit(times, sizes, 1)[0])
    return {
        "mean_mib": round(float(sizes.mean()), 2),
        "growth_percent": round(100 * slope * float(times[-1] - times[0]) / float(sizes.mean()), 2),
        "first_mib": float(sizes[0]),
        "last_mib": float(sizes[-1]),
        "most_mib": float(sizes.max()),
    }


def left_over(before: Look, after: Look, *, planes: int) -> list[str]:
    """What is more than before."""
    found = []
    if after.calls or after.legs:
        found.append(f"{after.calls} calls and {after.legs} legs are still there")
    spare = 2 * _SPARE_PAIRS * planes
    if after.ports > max(before.ports, spare):
        found.append(f"{after.ports} ports are bound, {before.ports} were before, {spare} are kept in advance")
    if extra := after.processes.keys() - before.processes.keys():
        found.append(f"more processes: {sorted(extra)}")
    for name, held in after.processes.items():
        was = before.processes.get(name)
        # Descriptors: pairs kept in advance are two each; a keep-alive connection of the API may be open.
        may = spare // planes - min(spare // planes, before.ports // planes) + 4
        if was is not None and held.descriptors > was.descriptors + may:
            found.append(f"{name} has {held.descriptors} descriptors, {was.descriptors} before")
        if was is not None and held.threads > was.threads + 4:
            found.append(f"{name} has {held.threads} threads, {was.threads} before")
    return found


def as_json(look: Look) -> dict[str, Any]:
    return asdict(look)


def _name(words: Sequence[str]) -> str:
    said = " ".join(words)
    for piece, name in (("io_convert", "converter"), ("engine run", "control"), ("media", "media")):
        if piece in said:
            return name
    return words[-1] if words else "?"
