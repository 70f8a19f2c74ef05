"""One run of the media benchmark: set calls up on one side, let them talk, measure."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path as File
from statistics import median
from typing import Any

from engine.media.events import PlaneStats
from tests.bench.media_asterisk import asterisk
from tests.bench.media_hearthline import hearthline
from tests.bench.media_paths import Bridged, Load
from tests.bench.media_rtpengine import floor, rtpengine
from tests.bench.media_traffic import as_json
from tests.support.ports import PortPool
from tests.support.procs import Processes

_SIDES: dict[str, Callable[[Processes, PortPool, File, Load], AbstractContextManager[Bridged]]] = {
    "hearthline": hearthline,
    "asterisk": asterisk,
    "rtpengine": rtpengine,
    "floor": floor,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found."""

    row: str
    side: str
    calls: int
    cpu_percent: float
    """User plus system of all its threads, of one core, for 100 calls."""
    figures: dict[str, dict[str, float]]
    """By group of far ends, see `media_traffic`."""
    tick_p50_ms: float | None
    tick_p999_ms: float | None
    """Lateness of ticks, worst second of the run; ours only."""
    rss_per_leg_kb: float
    stolen_percent: float
    """Of the machine's time, by its host."""
    load_average: float


def run(row: str, side: str, load: Load, *, settle_s: float, seconds: float, jitter_ms: float = 0.0) -> Outcome:
    """Set calls up, let them talk for `settle_s`, measure for `seconds`."""
    with tempfile.TemporaryDirectory() as name, Processes(File(name) / "procs") as procs:
        directory = File(name)
        with _SIDES[side](procs, PortPool(), directory, load) as bridged:
            plan = directory / "plan.json"
            told = {"address": bridged.address, "ends": as_json(bridged.ends), "jitter_ms": jitter_ms}
            plan.write_text(json.dumps({**told, "warm_s": settle_s, "run_s": seconds}))
            traffic = procs.start("traffic", [sys.executable, "-m", "tests.bench.media_traffic", plan], stdin=True)
            traffic.wait_for_line("ready", timeout=60)
            traffic.send_line("go")
            traffic.wait_for_line("warm", timeout=settle_s + 10)
            started, cpu, machine = time.monotonic(), _cpu(bridged), _machine()
            ticks = _watch(bridged, seconds)
            spent, elapsed = _cpu(bridged) - cpu, time.monotonic() - started
            stolen = _stolen(machine, _machine())
            traffic.wait(timeout=60)
            figures = json.loads(traffic.lines()[-1])
            if not all(group["packets"] for group in figures.values()):
                raise RuntimeError(f"{side} {row}: nothing was heard: {figures}, {bridged.notes}")
            return Outcome(
                row=row,
                side=side,
                calls=load.calls,
                cpu_percent=spent / elapsed * 100 * 100 / load.calls,
                figures=figures,
                tick_p50_ms=median(tick.lateness_p50_ms for tick in ticks) if ticks else None,
                tick_p999_ms=max(tick.lateness_p999_ms for tick in ticks) if ticks else None,
                rss_per_leg_kb=bridged.rss_per_leg / 1024,
                stolen_percent=stolen,
                load_average=os.getloadavg()[0],
            )


def _cpu(bridged: Bridged) -> float:
    times = bridged.process.cpu_times()
    return times.user + times.system


def _machine() -> list[int]:
    with open("/proc/stat", encoding="ascii") as file:
        return [int(word) for word in file.readline().split()[1:]]


def _stolen(before: list[int], after: list[int]) -> float:
    spent = [b - a for a, b in zip(before, after, strict=True)]
    return round(100 * spent[7] / (sum(spent[:8]) or 1), 1)


def _watch(bridged: Bridged, seconds: float) -> list[PlaneStats]:
    """Let the calls talk; what our process says of its ticks meanwhile."""
    if bridged.control is None:
        time.sleep(seconds)
        return []
    bridged.control.events.clear()
    return [event for event in bridged.control.collect(seconds) if isinstance(event, PlaneStats)]


def wake_ups(seconds: float) -> dict[str, Any]:
    """The machine's own noise: how late a loop wakes up that sleeps for a millisecond."""
    late = []
    end = time.monotonic() + seconds
    while (now := time.monotonic()) < end:
        time.sleep(0.001)
        late.append((time.monotonic() - now - 0.001) * 1000)
    late.sort()
    return {
        f"p{label}_ms": late[int(len(late) * share)] for label, share in (("50", 0.5), ("99", 0.99), ("999", 0.999))
    }
