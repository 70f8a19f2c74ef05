"""How much memory a live call takes, and whether any stays behind after very many.

    python -m tests.bench.memory [--live 600] [--calls 200000] [--rate 120] [--short]

Queued calls of the signalling benchmark (SIPp callers and agents, no RTP) at one engine. First so many calls are held
at once: what the control and the media process have grown by, divided by calls. Then calls come and go: resident memory
of both, sampled through the whole run, compared between its first and its last fifth. The first fifth is for tables to
fill (a transaction stays 32 s). Needs `make system-deps` (SIPp). Writes build/bench/memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

import psutil

from tests.bench.signalling_engine import EngineServer, hire
from tests.bench.signalling_load import Load
from tests.bench.signalling_report import commit
from tests.support.parts import explain_missing
from tests.support.ports import PortPool
from tests.support.procs import Process, Processes

RESULT: Final = Path("build/bench/memory.json")
_AGENTS_A_CALL: Final = 3.0
"""A second: each is taken for a little over two by a call."""
_KIB: Final = 1024
_MIB: Final = 1024 * 1024
_SETTLE_S: Final = 2.0


@dataclass(slots=True)
class Watch:
    """Samples the resident memory of the engine's processes until it is told to stop."""

    process: Process
    every_s: float
    samples: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        self._thread = threading.Thread(target=self._sample, name="watch")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(self.every_s):
            self.samples.append((time.monotonic(), resident(self.process)))


def resident(process: Process) -> dict[str, int]:
    """Octets of resident memory by process."""
    control = psutil.Process(process.pid)
    media = control.children(recursive=True)
    return {"control": control.memory_info().rss, "media": sum(each.memory_info().rss for each in media)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status, which does not depend on the figures."""
    asked = _arguments(arguments)
    if missing := explain_missing(("sipp",)):
        print(missing, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="hearthline-bench-") as directory:
        here = Path(directory)
        agents = max(asked.live, round(asked.rate * _AGENTS_A_CALL))
        live = _visit(here / "live", agents, lambda server, load: live_calls(server, load, asked.live))
        stream = _visit(here / "stream", agents, lambda server, load: many_calls(server, load, asked.calls, asked.rate))
    print(f"live calls {live['calls']}: control {live['control_kib']:.1f} KiB a call, media {live['media_kib']:.1f}")
    for name in ("control", "media"):
        first, last = stream[f"{name}_first_mib"], stream[f"{name}_last_mib"]
        print(f"{stream['calls']} calls, {name}: {first:.1f} MiB in the first fifth, {last:.1f} in the last")
    _write(asked.result, arguments, live, stream)
    return 0


def live_calls(server: EngineServer, load: Load, calls: int) -> dict[str, float]:
    """What one call that stands takes."""
    load.run(server.address, calls=50, rate=25)
    time.sleep(_SETTLE_S)
    before = resident(server.process)
    rate = 50.0
    talk_ms = int(calls / rate * 1000) + 6000
    with Watch(server.process, 0.5) as watch:
        result = load.run(server.address, calls=calls, rate=rate, talk_ms=talk_ms)
    peak = {name: max(sample[name] for _, sample in watch.samples) for name in before}
    grown = {f"{name}_kib": (peak[name] - before[name]) / _KIB / calls for name in before}
    return {"calls": calls, "failed": result.failed, **grown}


def many_calls(server: EngineServer, load: Load, calls: int, rate: float) -> dict[str, float]:
    """Memory while calls come and go."""
    with Watch(server.process, max(0.2, calls / rate / 500)) as watch:
        result = load.run(server.address, calls=calls, rate=rate)
    fifth = max(1, len(watch.samples) // 5)
    found: dict[str, float] = {"calls": calls, "rate": rate, "failed": result.failed}
    for name in ("control", "media"):
        values = [sample[name] / _MIB for _, sample in watch.samples]
        found[f"{name}_first_mib"] = median(values[:fifth])
        found[f"{name}_second_mib"] = median(values[fifth : 2 * fifth] or values)
        found[f"{name}_last_mib"] = median(values[-fifth:])
    return found


def _visit(directory: Path, agents: int, measure: Callable[[EngineServer, Load], dict[str, float]]) -> dict[str, float]:
    directory.mkdir()
    ports = PortPool()
    staff = hire(directory / "hearthline.db", agents)
    with Processes(directory / "procs") as procs:
        load = Load(procs, ports, directory)
        server = EngineServer(procs, ports, directory / "engine", staff=staff, agents=load.agents)
        try:
            server.start()
            return measure(server, load)
        finally:
            server.stop()


def _write(file: Path, arguments: Sequence[str] | None, live: Mapping[str, float], stream: Mapping[str, float]) -> None:
    content = {
        "command": " ".join(["python -m tests.bench.memory", *(sys.argv[1:] if arguments is None else arguments)]),
        "commit": commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "counts": {"live": live["calls"], "calls": stream["calls"]},
        "outcome": {"live": _rounded(live), "stream": _rounded(stream)},
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    print(f"written to {file}")


def _rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in figures.items()}


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--live", type=int, default=600, help="calls held at once")
    parser.add_argument("--calls", type=int, default=200_000, help="calls that come and go")
    parser.add_argument("--rate", type=float, default=120.0, help="calls a second of these")
    parser.add_argument("--short", action="store_true", help="in less than a minute")
    parser.add_argument("--result", type=Path, default=RESULT, help="where the figures go")
    asked = parser.parse_args(arguments)
    if asked.short:
        asked.live, asked.calls, asked.rate = 100, 400, 40.0
    return asked


if __name__ == "__main__":
    sys.exit(main())
