"""The tables and the file of the signalling benchmark."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.bench.signalling_run import SIDES, Outcome, Side


class Size(NamedTuple):
    """What is compared."""

    agents: int
    rate: float
    """Calls a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was measured."""

    command: str
    outcomes: Sequence[Outcome]
    """The paired runs, in the order in which they ran."""
    steps: Sequence[Outcome]
    """The search for the highest rate; empty when there was none."""
    failures: float
    """Share of calls that may fail in a step that counts."""

    def sizes(self) -> list[Size]:
        return sorted({Size(outcome.agents, outcome.rate) for outcome in self.outcomes})

    def of(self, side: Side, size: Size) -> list[Outcome]:
        return [each for each in self.outcomes if each.side == side and Size(each.agents, each.rate) == size]

    def median(self, side: Side, size: Size, figure: Callable[[Outcome], float]) -> float:
        return median(figure(outcome) for outcome in self.of(side, size))

    def cpu_ratio(self, size: Size) -> float:
        """Median of the pairs' ratios of CPU a call, ours to theirs."""
        pairs = zip(self.of("hearthline", size), self.of("app_queue", size), strict=True)
        return median(ours.cpu_ms / theirs.cpu_ms for ours, theirs in pairs)

    def highest_rate(self, side: Side) -> float | None:
        """Calls a second of the last step that was good; None when not even the first was."""
        good = [step.rate for step in self.steps if step.side == side and step.failed <= self.failures * step.calls]
        return max(good, default=None)


def print_outcome(outcome: Outcome) -> None:
    """One line when a run is over."""
    print(
        f"{outcome.side:<10} {outcome.agents:>5} agents  {outcome.rate:>4g} calls/s  {outcome.cpu_ms:6.2f} ms of CPU"
        f" a call  set-up p50 {outcome.setup_p50_ms:7.1f} p99 {outcome.setup_p99_ms:7.1f} ms"
        f"  failed {outcome.failed} of {outcome.calls}  load {outcome.load_average:.1f}"
        f"  stolen {outcome.stolen:.0%}",
        flush=True,
    )


def print_comparison(report: Report) -> None:
    """The medians with their ratio, and the runs that they come from."""
    print(f"\n{'agents':>6} {'calls/s':>7}  {'figure':<22} {'hearthline':>10} {'app_queue':>10} {'ratio':>6}")
    figures: list[tuple[str, Callable[[Outcome], float]]] = [
        ("CPU ms a call", lambda outcome: outcome.cpu_ms),
        ("set-up p50 ms", lambda outcome: outcome.setup_p50_ms),
        ("set-up p99 ms", lambda outcome: outcome.setup_p99_ms),
    ]
    for size in report.sizes():
        for name, figure in figures:
            ours, theirs = (report.median(side, size, figure) for side in SIDES)
            ratio = report.cpu_ratio(size) if name == "CPU ms a call" else ours / theirs
            print(f"{size.agents:>6} {size.rate:>7g}  {name:<22} {ours:>10.2f} {theirs:>10.2f} {ratio:>6.2f}")
        for side in SIDES:
            runs = "  ".join(f"{outcome.cpu_ms:.2f}" for outcome in report.of(side, size))
            print(f"{'':>14}  CPU of each run, {side}: {runs}")


def print_search(report: Report) -> None:
    """The highest rate of either side."""
    if not report.steps:
        return
    found = [report.highest_rate(side) for side in SIDES]
    text = [f"{side} {'none' if rate is None else f'{rate:g}'}" for side, rate in zip(SIDES, found, strict=True)]
    ratio = f" (ratio {found[0] / found[1]:.2f})" if found[0] and found[1] else ""
    print(f"highest rate with at most {report.failures:.1%} failures, calls/s: {', '.join(text)}{ratio}")


def write(report: Report, file: Path) -> None:
    """Leave everything in a JSON file."""
    counts = {
        "calls": sum(outcome.calls for outcome in [*report.outcomes, *report.steps]),
        "failed": sum(outcome.failed for outcome in report.outcomes),
        "runs": len(report.outcomes),
        "steps": len(report.steps),
    }
    content = {
        "command": report.command,
        "commit": commit(),
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} {platform.release()}",
        "python": f"{platform.python_version()} ({' '.join(platform.python_build())})",
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "counts": counts,
        "outcome": {
            "medians": [_medians(report, size) for size in report.sizes()],
            "highest_rate": {side: report.highest_rate(side) for side in SIDES} if report.steps else None,
        },
        "runs": [_plain(outcome) for outcome in report.outcomes],
        "steps": [_plain(step) for step in report.steps],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _medians(report: Report, size: Size) -> dict[str, object]:
    found: dict[str, object] = {**size._asdict(), "cpu_ratio": round(report.cpu_ratio(size), 3)}
    for side in SIDES:
        found[side] = {
            "cpu_ms": round(report.median(side, size, lambda outcome: outcome.cpu_ms), 3),
            "setup_p50_ms": round(report.median(side, size, lambda outcome: outcome.setup_p50_ms), 2),
            "setup_p99_ms": round(report.median(side, size, lambda outcome: outcome.setup_p99_ms), 2),
        }
    return found


def _plain(outcome: Outcome) -> dict[str, object]:
    plain = {**asdict(outcome), "cpu_ms": outcome.cpu_ms}
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in plain.items()}


def commit() -> str:
    """The commit that was measured, with a mark when files differ from it."""
    found = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"
