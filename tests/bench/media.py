"""What calls cost in the media plane: our process, Asterisk 22 and rtpengine in the same run, with the same senders.

    python -m tests.bench.media [--calls 100] [--seconds 8] [--rounds 3] [--short] [--path ROW ...] [--only SIDE ...]
    python -m tests.bench.media --curve 50 100 200 400 [--path ...]

Rows and who is in them: `media_paths`. CPU is user plus system time of the measured process from /proc, all threads,
as per cent of one core for 100 calls (callers on hold, conferences of three). Latency is from the far end's sending of
a sound to the other far end's kernel (`media_stamps`): for what is passed on it is the transit. Rounds take the sides
by turns; a figure is the median of the rounds, every round is in build/bench/media.json. Needs root.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path as File
from statistics import median

from tests.bench.media_paths import SIDES, WHO, Load, Path
from tests.bench.media_run import Outcome, run, wake_ups
from tests.support.parts import PARTS, PartName

RESULT = File("build/bench/media.json")
_PARTS: dict[str, PartName] = {"asterisk": "asterisk", "rtpengine": "rtpengine"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    name: str
    path: Path
    beside: int = 0
    jitter_ms: float = 0.0

    @property
    def settle_s(self) -> float:
        """After so long depths of jitter buffers have come to rest, eight at a time and four seconds each. Until then
        sound is played a little faster or slower than it was said, and what is written into it cannot be read."""
        return 40.0 if self.path in _BUFFERED else 2.5


_BUFFERED = (Path.MIXED, Path.TRANSCODED, Path.CONFERENCE)

ROWS = (
    *(Row(name=path.value, path=path) for path in Path if path is not Path.BESIDE),
    Row(name="mixed, 20 ms jitter", path=Path.MIXED, jitter_ms=20.0),
    Row(name="beside 200 mixed", path=Path.BESIDE, beside=200),
    Row(name="beside 600 mixed", path=Path.BESIDE, beside=600),
)

COLUMNS = (
    ("CPU %/100", "{:9.1f}"),
    ("loss %", "{:7.3f}"),
    ("p50 ms", "{:7.2f}"),
    ("p99 ms", "{:7.2f}"),
    ("p99.9 ms", "{:8.2f}"),
    ("tick p99.9", "{:10.2f}"),
    ("kB/leg", "{:6.0f}"),
    ("stolen %", "{:8.1f}"),
)


def figures(outcome: Outcome) -> list[float | None]:
    """What stands in the columns. Of several groups the first that hears and is not mixed."""
    heard = {name: group for name, group in outcome.figures.items() if group["heard"]}
    group = heard.get("relayed") or heard.get("listener") or next(iter(heard.values()), None)
    latency = (
        [None] * 4 if group is None else [group["loss"] * 100, *(group[n] for n in ("p50_ms", "p99_ms", "p999_ms"))]
    )
    if "listener" in heard:
        latency[0] = None
    return [outcome.cpu_percent, *latency, outcome.tick_p999_ms, outcome.rss_per_leg_kb, outcome.stolen_percent]


def line(title: str, outcomes: Sequence[Outcome]) -> str:
    """A line of the table: the median of each figure."""
    cells = []
    for (heading, form), values in zip(COLUMNS, zip(*map(figures, outcomes), strict=True), strict=True):
        known = [value for value in values if value is not None]
        text = form.format(median(known)) if known else "-"
        cells.append(text.strip().rjust(len(heading)))
    return f"{title:<34}" + "  ".join(cells)


def report(outcomes: list[Outcome]) -> None:
    """The medians, and our share of each rival's CPU, round by round."""
    print(f"\n{'':<34}" + "  ".join(heading for heading, _ in COLUMNS))
    for row, calls in dict.fromkeys((outcome.row, outcome.calls) for outcome in outcomes):
        here = [outcome for outcome in outcomes if (outcome.row, outcome.calls) == (row, calls)]
        by_side = {side: [o for o in here if o.side == side] for side in SIDES}
        for side, found in by_side.items():
            if found:
                print(line(f"{side} {row} ({calls})", found))
        ours = by_side["hearthline"]
        for side in SIDES[1:]:
            pairs = [a.cpu_percent / b.cpu_percent for a, b in zip(ours, by_side[side], strict=False) if b.cpu_percent]
            if pairs:
                print(f"    {median(pairs):.2f} of {side}'s CPU (rounds: {', '.join(f'{p:.2f}' for p in pairs)})")


def present(wanted: Sequence[str]) -> list[str]:
    """The sides that can be measured here."""
    found = []
    for side in wanted:
        part = PARTS[_PARTS[side]] if side in _PARTS else None
        if part is not None and (lack := part.lack()) is not None:
            print(f"{side}: {lack} (`{part.remedy}` brings it): left out")
        else:
            found.append(side)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--curve", type=int, nargs="+", metavar="CALLS", help="so many calls, one after the other")
    parser.add_argument("--short", action="store_true", help="20 calls, 3 s, one round")
    parser.add_argument("--only", nargs="+", choices=SIDES, default=SIDES, help="these sides only")
    names = [row.name for row in ROWS]
    parser.add_argument("--path", nargs="+", choices=names, default=names, metavar="ROW", help=f"of {', '.join(names)}")
    chosen = parser.parse_args()
    calls, seconds, rounds = (20, 3.0, 1) if chosen.short else (chosen.calls, chosen.seconds, chosen.rounds)
    sides = present(chosen.only)
    noise = wake_ups(2.0)
    print("a loop that sleeps for 1 ms wakes up late by " + ", ".join(f"{k} {v:.2f}" for k, v in noise.items()))
    outcomes: list[Outcome] = []
    for turn in range(rounds):
        for row in [row for row in ROWS if row.name in chosen.path]:
            here = [side for side in sides if side in WHO[row.path]]
            for count in chosen.curve or [calls]:
                for side in here if turn % 2 == 0 else reversed(here):
                    load = Load(path=row.path, calls=count, beside=row.beside)
                    settle_s = 2.5 if chosen.short else row.settle_s
                    jitter_ms = row.jitter_ms
                    outcomes.append(run(row.name, side, load, settle_s=settle_s, seconds=seconds, jitter_ms=jitter_ms))
                    print(line(f"{turn + 1}: {side} {row.name} ({count})", outcomes[-1:]), flush=True)
    report(outcomes)
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine(), "cores": os.cpu_count(), **noise}
    RESULT.write_text(json.dumps({"machine": machine, "runs": [asdict(outcome) for outcome in outcomes]}, indent=1))
    print(f"\n{RESULT}")


if __name__ == "__main__":
    main()
