"""The soak of the media plane: calls with all that may happen to them, and nothing that stays behind.

    python -m tests.bench.soak_media [--minutes 30] [--calls 200] [--rate 10] [--seed 1] [--result FILE]

A real engine (control and two media processes), telephones and three trunks on loopback that send what telephones
send. Every story and feature is drawn by a seed and counted. Memory, descriptors and ports of every process are looked
at every ten seconds; in the end they must be as before the first call, the memory flat, every recording whole, and no
log must tell of a defect. CI runs the same for half a minute (tests/integration/test_soak_media.py). Writes
build/bench/soak_media.json, or where `--result` says.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.bench.soak_stories import STORIES, Life
from tests.bench.soak_tapes import check_tapes
from tests.bench.soak_town import Size, Town
from tests.bench.soak_watch import Look, Watch, as_json, growth, left_over
from tests.support.ports import PortPool
from tests.support.procs import Processes

OUT: Final = Path(__file__).parents[2] / "build" / "bench" / "soak_media.json"
FLAT_PERCENT: Final = 2.0
_DRAIN_S: Final = 90.0
"""For the last calls to end, those whose telephones vanished included (RFC 3261 Timer F: 32 s), and ports to close."""
_CROWD: Final = 1.3
"""So many times the calls in the first half of the warm-up: memory follows the most calls that were ever up at a time,
and chance brings a few more than before now and then. What is seen to grow afterwards is a leak."""
_COMPLAINTS: Final = ("Traceback", "level=error", "level=critical", "defect")
_SERVED: Final = 0.9
"""Of the stories must go as they should: a soak that nobody is served in shows nothing."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of one soak."""

    seconds: float
    warm_up_s: float
    before: Look
    looks: list[Look]
    after: Look
    told: dict[str, Any]
    memory: dict[str, dict[str, dict[str, float]]]
    """By process and measure, between warm-up and end."""
    problems: list[str] = field(default_factory=list)

    def as_json(self, *, every: int = 1) -> dict[str, Any]:
        return {
            "seconds": self.seconds,
            "warm_up_s": self.warm_up_s,
            **self.told,
            "memory_mib": self.memory,
            "before": as_json(self.before),
            "after": as_json(self.after),
            "looks": [as_json(look) for look in self.looks[::every]],
            "outcome": "; ".join(self.problems) or "ok",
        }


async def soak(
    directory: Path, size: Size, *, seconds: float, warm_up_s: float, seed: int, every_s: float, flat: float | None
) -> Outcome:
    """Run one; `flat`: what memory may grow by, in per cent of it, None: it is too short to tell."""
    with Processes(directory / "procs") as procs:
        town = Town(procs, PortPool(), directory, size, seed)
        watch = Watch(engine=town.engine, procs=procs, ports=town.rtp)
        await town.open()
        life = Life(town)
        background = [asyncio.create_task(each) for each in (town.voices.run(), town.look())]
        await _prelude(life)
        before = await _at_rest(watch, [], _DRAIN_S)
        print(f"{size.calls} calls, {size.new_per_s:g} new a second, for {seconds:g} s", flush=True)
        watch.looks.clear()
        watch.began = time.monotonic()
        looking = asyncio.create_task(watch.keep_looking(every_s))
        speaking = asyncio.create_task(_tell(watch, life)) if seconds > 100 else None
        await life.go_on(warm_up_s / 2, times=_CROWD)
        await life.go_on(seconds - warm_up_s / 2)
        for task in (looking, speaking):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        unfinished = await life.end(40.0 + 2.5 * life.talk_s)
        planes = size.processes
        after = await _at_rest(watch, [before], _DRAIN_S, planes=planes)
        problems = left_over(before, after, planes=planes)
        if unfinished:
            problems.append(f"{unfinished} stories did not end")
        town.close()
        await asyncio.gather(*background[:1])
        background[1].cancel()
        status = await asyncio.to_thread(town.engine.stop)
        if status:
            problems.append(f"the engine ended with {status}")
        if alive := procs.survivors():
            problems.append(f"{len(alive)} processes are left: {[each.name() for each in alive]}")
        return _judge(town, life, watch, before, after, problems, seconds=seconds, warm_up_s=warm_up_s, flat=flat)


async def _prelude(life: Life) -> None:
    """Everything once that is made at first use and kept, such as the converter of recordings."""
    callers = [await life.call(number) for number in ("620", "602", "601", "620")]
    await asyncio.sleep(3.0)
    for caller in callers:
        await caller.hang_up()
    life.begun.clear()
    life.missed.clear()
    life.calls = 0


async def _at_rest(watch: Watch, before: list[Look], patience_s: float, *, planes: int = 2) -> Look:
    """What is held once nothing moves any more; at the latest after `patience_s`."""
    ends = time.monotonic() + patience_s
    while True:
        await asyncio.sleep(1.0)
        look = await asyncio.to_thread(watch.look)
        status = await asyncio.to_thread(lambda: watch.engine.api.get("/api/v1/status"))
        still = not look.calls and not look.legs and not status["engine"]["store"]["pending"]
        if before:
            still = still and not left_over(before[0], look, planes=planes)
        if still or time.monotonic() > ends:
            return look


async def _tell(watch: Watch, life: Life) -> None:
    """A line a minute for who waits."""
    while True:
        await asyncio.sleep(60)
        look = watch.looks[-1]
        sizes = ", ".join(f"{name} {held.private:.1f} MiB" for name, held in look.processes.items())
        print(
            f"{look.at_s:6.0f} s: {look.calls} calls, {look.legs} legs, {life.calls} so far, {sizes}; load {look.load}",
            flush=True,
        )


def _judge(
    town: Town,
    life: Life,
    watch: Watch,
    before: Look,
    after: Look,
    problems: list[str],
    *,
    seconds: float,
    warm_up_s: float,
    flat: float | None,
) -> Outcome:
    complaints = _complaints(town)
    problems += [f"a log says: {line[:300]}" for line in complaints[:10]]
    kinds, taped_s, wrong = check_tapes(town.tapes, town.key)
    problems += wrong[:10]
    steady = [look for look in watch.looks if look.at_s >= warm_up_s]
    names = sorted(before.processes) if flat is not None else []
    memory = {name: {measure: growth(steady, name, measure) for measure in ("private", "pss", "rss")} for name in names}
    for name, measures in memory.items():
        grew = measures["private"].get("growth_percent", 0.0)
        if flat is not None and grew > flat and not name.startswith("converter"):
            problems.append(f"the private memory of {name} grew by {grew} %")
    stories = sum(life.begun[name] for name in STORIES)
    failed = sum(count for name, count in life.missed.items() if name.partition(":")[0] in STORIES)
    if failed > (1 - _SERVED) * stories:
        problems.append(f"of {stories} stories {failed} went wrong")
    counts: Counter[str] = sum((station.counts for station in town.stations), Counter())
    if counts["packets to strangers"]:
        problems.append(f"{counts['packets to strangers']} packets reached strangers")
    told = {
        "calls": life.calls,
        "refused_503": sum(n for what, n in life.missed.items() if ": 503 " in what),
        "stories": stories,
        "stories_failed": failed,
        "begun": dict(sorted(life.begun.items())),
        "missed": dict(life.missed.most_common()),
        "sent": dict(sorted(town.voices.sent.items())),
        "sent_packets_per_s": round(town.voices.sent["packets"] / seconds),
        "telephones": dict(sorted(counts.items())),
        "clock_late_s": round(town.voices.late_s, 3),
        "recordings": dict(kinds),
        "recorded_s": taped_s,
        "complaints": len(complaints),
    }
    return Outcome(
        seconds=seconds,
        warm_up_s=warm_up_s,
        before=before,
        looks=watch.looks,
        after=after,
        told=told,
        memory=memory,
        problems=problems,
    )


def _complaints(town: Town) -> list[str]:
    lines = town.engine.process.lines()
    for log in sorted(town.engine.state.rglob("*.log")):
        lines += log.read_text(errors="replace").splitlines()
    return [line for line in lines if any(word in line for word in _COMPLAINTS)]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--warm-up", type=float, default=10.0, help="minutes before memory must be flat (%(default)s)")
    parser.add_argument("--calls", type=int, default=200, help="up at a time (%(default)s)")
    parser.add_argument("--rate", type=float, default=10.0, help="new calls a second (%(default)s)")
    parser.add_argument("--format", default="flac", choices=("flac", "opus", "wav"))
    parser.add_argument("--admission", action="store_true", help="refuse calls while media processes are busy")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--directory", type=Path, help="kept afterwards; left out: a temporary one")
    parser.add_argument("--result", type=Path, default=OUT)
    asked = parser.parse_args()
    size = Size(
        agents=asked.calls, calls=asked.calls, new_per_s=asked.rate, format=asked.format, admission=asked.admission
    )
    gc.freeze()
    load, began = os.getloadavg()[0], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hearthline-soak-") as temporary:
        outcome = asyncio.run(
            soak(
                asked.directory or Path(temporary),
                size,
                seconds=60 * asked.minutes,
                warm_up_s=60 * asked.warm_up,
                seed=asked.seed,
                every_s=10.0,
                flat=FLAT_PERCENT,
            )
        )
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    result = {
        "command": shlex.join(["python", "-m", "tests.bench.soak_media", *sys.argv[1:]]),
        "commit": commit,
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)],
        "took_s": round(time.monotonic() - began, 1),
        **outcome.as_json(every=3),
    }
    asked.result.parent.mkdir(parents=True, exist_ok=True)
    asked.result.write_text(json.dumps(result, indent=1) + "\n")
    print(f"soak_media: {result['outcome']}; {asked.result}")
    return 1 if outcome.problems else 0


if __name__ == "__main__":
    sys.exit(main())
