"""What bridged calls cost: our media process and Asterisk in the same run, relayed and mixed.

    python -m tests.bench.media [--calls 100] [--seconds 10] [--rounds 5] [--short] [--only hearthline]

Relayed is passed through on both sides. Mixed is decoded, added and encoded on ours; Asterisk decodes and encodes, the
cheapest that it does when it may not pass through. `--path rooms` has it add up too, in conferences of two (30 calls of
which fill a core). N calls of 20 ms PCMU both ways between far ends in a process of their own. CPU is user plus system
time of the measured process from /proc, all threads, given as per cent of one core for 100 calls. Transit is from the
far end's send to the arrival in the other far end's kernel. Rounds take the two sides by turns; a figure is the median
of the rounds, every round is printed and in build/bench/media.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Protocol

from engine.media.commands import PlaneStats
from tests.bench.media_sides import Bridged, Path_, Side, asterisk, hearthline
from tests.support.parts import PARTS
from tests.support.ports import PortPool
from tests.support.procs import Processes

RESULT = Path("build/bench/media.json")
WARM_S = 2.0


class Opener(Protocol):
    """Sets calls up."""

    def __call__(
        self, procs: Processes, ports: PortPool, directory: Path, *, calls: int, path: Path_
    ) -> AbstractContextManager[Bridged]: ...


SIDES: dict[Side, Opener] = {"hearthline": hearthline, "asterisk": asterisk}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run found."""

    side: Side
    path: Path_
    calls: int
    cpu_percent: float
    """Of one core, for 100 calls."""
    loss_percent: float
    transit_p50_ms: float
    transit_p99_ms: float
    transit_max_ms: float
    jitter_ms: float
    """Mean over the far ends, RFC 3550."""
    tick_p50_ms: float | None
    tick_p999_ms: float | None
    """Worst second of the run; ours only."""
    rss_per_leg_kb: float
    without_stamp: int
    """Packets that carried no time: silence from a mixer that had nothing to mix."""
    load_average: float


def run(side: Side, path: Path_, *, calls: int, seconds: float) -> Outcome:
    """Set calls up, let them talk, measure."""
    with tempfile.TemporaryDirectory() as name, Processes(Path(name) / "procs") as procs:
        directory = Path(name)
        with SIDES[side](procs, PortPool(), directory, calls=calls, path=path) as bridged:
            plan = directory / "plan.json"
            plan.write_text(
                json.dumps({"address": bridged.address, "ends": bridged.ends, "warm_s": WARM_S, "run_s": seconds})
            )
            traffic = procs.start("traffic", [sys.executable, "-m", "tests.bench.media_traffic", plan], stdin=True)
            traffic.wait_for_line("ready")
            traffic.send_line("go")
            traffic.wait_for_line("warm")
            started, cpu = time.monotonic(), _cpu(bridged)
            ticks = _watch(bridged, seconds)
            spent, elapsed = _cpu(bridged) - cpu, time.monotonic() - started
            traffic.wait(timeout=30)
            figures = json.loads(traffic.lines()[-1])
            return Outcome(
                side=side,
                path=path,
                calls=calls,
                cpu_percent=spent / elapsed * 100 * 100 / calls,
                loss_percent=figures["loss"] * 100,
                transit_p50_ms=figures["transit_p50_ms"],
                transit_p99_ms=figures["transit_p99_ms"],
                transit_max_ms=figures["transit_max_ms"],
                jitter_ms=figures["jitter_mean_ms"],
                tick_p50_ms=median(tick.lateness_p50_ms for tick in ticks) if ticks else None,
                tick_p999_ms=max(tick.lateness_p999_ms for tick in ticks) if ticks else None,
                rss_per_leg_kb=bridged.rss_per_leg / 1024,
                without_stamp=figures["without_stamp"],
                load_average=os.getloadavg()[0],
            )


def _cpu(bridged: Bridged) -> float:
    times = bridged.process.cpu_times()
    return times.user + times.system


def _watch(bridged: Bridged, seconds: float) -> list[PlaneStats]:
    """Let the calls talk; what our process says of its ticks meanwhile."""
    if bridged.control is None:
        time.sleep(seconds)
        return []
    bridged.control.events.clear()
    return [event for event in bridged.control.collect(seconds) if isinstance(event, PlaneStats)]


COLUMNS = (
    ("cpu_percent", "CPU %/100 calls", "{:.1f}"),
    ("loss_percent", "loss %", "{:.3f}"),
    ("transit_p50_ms", "transit p50 ms", "{:.2f}"),
    ("transit_p99_ms", "p99 ms", "{:.2f}"),
    ("jitter_ms", "jitter ms", "{:.2f}"),
    ("tick_p999_ms", "tick p99.9 ms", "{:.2f}"),
    ("rss_per_leg_kb", "RSS/leg kB", "{:.0f}"),
)


def _row(title: str, outcomes: list[Outcome]) -> str:
    cells = []
    for name, heading, form in COLUMNS:
        values = [getattr(outcome, name) for outcome in outcomes]
        text = "-" if None in values else form.format(median(values))
        cells.append(text.rjust(len(heading)))
    return f"{title:<24}" + "  ".join(cells)


def report(outcomes: list[Outcome]) -> None:
    """Every round, then the medians and our share of the rival's CPU."""
    heading = f"{'':<24}" + "  ".join(heading for _, heading, _ in COLUMNS)
    print(f"\nevery round\n{heading}")
    for outcome in outcomes:
        print(_row(f"{outcome.side} {outcome.path}", [outcome]))
    print(f"\nmedian of {len(outcomes) // len({(o.side, o.path) for o in outcomes})} rounds\n{heading}")
    for path in dict.fromkeys(outcome.path for outcome in outcomes):
        both = {side: [o for o in outcomes if o.side == side and o.path == path] for side in SIDES}
        for side, found in both.items():
            if found:
                print(_row(f"{side} {path}", found))
        if all(both.values()):
            ours, theirs = (median(o.cpu_percent for o in found) for found in both.values())
            pairs = [a.cpu_percent / b.cpu_percent for a, b in zip(*both.values(), strict=True)]
            print(f"  {path}: {ours / theirs:.2f} of Asterisk's CPU (pairs: {', '.join(f'{p:.2f}' for p in pairs)})")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--short", action="store_true", help="20 calls, 3 s, one round")
    parser.add_argument("--only", choices=("hearthline", "asterisk"), help="leave the other side out")
    parser.add_argument("--path", choices=("relayed", "mixed", "rooms"), help="this path only")
    chosen = parser.parse_args()
    calls, seconds, rounds = (20, 3.0, 1) if chosen.short else (chosen.calls, chosen.seconds, chosen.rounds)
    sides: list[Side] = [side for side in SIDES if chosen.only in (None, side)]
    lack = PARTS["asterisk"].lack()
    if "asterisk" in sides and lack is not None:
        print(f"{lack} (`{PARTS['asterisk'].remedy}` brings it): only our side is measured")
        sides.remove("asterisk")
    outcomes = []
    paths: list[Path_] = [chosen.path] if chosen.path else ["relayed", "mixed"]
    for turn in range(rounds):
        for path in paths:
            for side in sides if turn % 2 == 0 else reversed(sides):
                outcomes.append(run(side, path, calls=calls, seconds=seconds))
                last = outcomes[-1]
                print(f"round {turn + 1}: {last.side} {last.path} {last.cpu_percent:.1f} %", flush=True)
    report(outcomes)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count()}
    RESULT.write_text(json.dumps({"machine": machine, "runs": [asdict(outcome) for outcome in outcomes]}, indent=1))
    print(f"\n{RESULT}")


if __name__ == "__main__":
    main()
