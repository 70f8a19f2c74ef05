"""What a call through a queue costs: the engine beside Asterisk's app_queue, on the same calls, on this machine.

    python -m tests.bench.signalling [--agents 10 50 1000] [--pairs 5] [--rate 15 60] [--calls 600]
                                      [--no-search] [--short]

SIPp callers on 127.0.0.2 dial the queue, SIPp agents on 127.0.0.3 ring and answer, the caller hangs up two seconds
after his call was taken. No RTP is sent; music on hold is on in both. Equal settings: longest idle agent first, no
wrap-up, retry after a second. Both keep queue_log and a CDR of every call; the engine also its event log in the store
and a line for each event in its log.

CPU is user and system time of every process and thread of the server, from before the first INVITE until the last CDR
is on the disk, divided by calls. Set-up is from the caller's INVITE to the agent's, as SIPp sees both. A figure is the
median of paired runs that take turns in going first; every run is printed. More than one rate shows what a calm and a
busy hour make of it: between calls that are far apart others take the caches, and a wake-up serves few. The highest
rate is that of the last step with at most 0.1 % failures, with the most agents, all processes of the server on one core
and SIPp on the other.
Needs root and `make system-deps` (Asterisk, SIPp).
Writes build/bench/signalling.json.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from tests.bench.signalling_engine import Staff, hire
from tests.bench.signalling_report import Report, print_comparison, print_outcome, print_search, write
from tests.bench.signalling_run import SIDES, Hall, Outcome, Side
from tests.support.parts import explain_missing

RESULT: Final = Path("build/bench/signalling.json")

STEPS: Final = (40, 60, 80, 100, 120, 140, 160, 180, 200, 220, 240, 250, 260, 280, 300, 320, 340)
"""Calls a second of the search."""
RUN_S: Final = 40
"""A run of a pair is no longer than this, however few agents keep its rate down."""
STEP_S: Final = 10
"""A step is at least 400 calls; with less than a thousand none of them may fail."""
FAILURES: Final = 0.001


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit status, which does not depend on the figures."""
    asked = _arguments(arguments)
    if missing := explain_missing(("asterisk", "sipp")):
        print(missing, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="hearthline-bench-") as directory:
        here = Path(directory)
        hall = Hall(here, _hiring(here))
        sizes = dict.fromkeys((agents, sustained(rate, agents)) for agents in asked.agents for rate in asked.rate)
        outcomes = [outcome for agents, rate in sizes for outcome in compare(hall, agents, rate, asked)]
        steps = [] if asked.no_search else [step for side in SIDES for step in search(hall, side, max(asked.agents))]
    report = Report(command=_command(arguments), outcomes=outcomes, steps=steps, failures=FAILURES)
    print_comparison(report)
    print_search(report)
    write(report, asked.result)
    print(f"written to {asked.result}")
    return 0


def sustained(rate: float, agents: int) -> float:
    """Not more than the agents can take: each is taken for a little over two seconds by a call."""
    return min(rate, agents * 0.3)


def compare(hall: Hall, agents: int, rate: float, asked: argparse.Namespace) -> list[Outcome]:
    """Pairs of runs with so many agents and calls a second."""
    outcomes = []
    calls = min(asked.calls, round(rate * RUN_S))
    for pair in range(asked.pairs):
        for side in SIDES if pair % 2 == 0 else reversed(SIDES):
            with hall.open(side, agents) as visit:
                outcomes.append(visit.measure(calls=calls, rate=rate))
            print_outcome(outcomes[-1])
    return outcomes


def search(hall: Hall, side: Side, agents: int) -> list[Outcome]:
    """Steps of rising rate, up to the first that fails."""
    found: list[Outcome] = []
    with hall.open(side, agents, pinned=True) as visit:
        for rate in STEPS:
            found.append(visit.measure(calls=rate * STEP_S, rate=rate))
            print_outcome(found[-1])
            if found[-1].failed > FAILURES * found[-1].calls:
                break
    return found


def _hiring(directory: Path) -> Callable[[int], Staff]:
    @cache
    def hired(agents: int) -> Staff:
        place = directory / f"staff-{agents}"
        place.mkdir()
        return hire(place / "hearthline.db", agents)

    return hired


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[10, 50, 1000], help="sizes of the queue")
    parser.add_argument("--pairs", type=int, default=5, help="runs of each side and size")
    parser.add_argument("--rate", type=float, nargs="+", default=[15.0, 60.0], help="calls a second")
    parser.add_argument("--calls", type=int, default=600, help="calls of a run, of 40 s at most")
    parser.add_argument("--no-search", action="store_true", help="do not look for the highest rate")
    parser.add_argument("--short", action="store_true", help="one small pair, in less than a minute")
    parser.add_argument("--result", type=Path, default=RESULT, help="where the figures go")
    asked = parser.parse_args(arguments)
    if asked.short:
        asked.agents, asked.pairs, asked.rate, asked.calls, asked.no_search = [20], 1, [6.0], 30, True
    return asked


def _command(arguments: Sequence[str] | None) -> str:
    return " ".join(["python -m tests.bench.signalling", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    sys.exit(main())
