"""A witness for the machine: when it did not run what was due to run.

Tests that measure gaps and latencies in real time need a machine that runs its processes. On one that others use too,
or whose host gives the processors to somebody else (steal), nothing runs for 50 or 500 ms now and then, and then sound
has a gap that no program made. `tests.support.repeat` asks the witness whether it was so.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

PROGRAM = Path(__file__).with_name("stall_watch.py")
PERIOD_S = 0.005
LATE_S = 0.015
"""A wake-up that is later is a stall. The scheduler alone is late by some milliseconds on a machine that has to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stall:
    """A processor did not run what was due."""

    begin_s: float
    """On the monotonic clock."""
    length_s: float
    processor: int


class StallWitness:
    """Watches each processor from entering the context to leaving it, in a process of its own."""

    def __init__(self, *, late_s: float = LATE_S) -> None:
        self._late_s = late_s

    def __enter__(self) -> StallWitness:
        # In a session of its own, so that Ctrl-C does not reach it: it ends with its standard input.
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", PROGRAM, str(PERIOD_S), str(self._late_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.stalls()  # it is watching when this is answered
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=10)

    @property
    def pid(self) -> int:
        return self._process.pid

    def stalls(self, *, since: float = 0.0, until: float = float("inf")) -> list[Stall]:
        """What was seen so far between two moments of the monotonic clock, in order; complete up to now."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        seen = [
            Stall(begin_s=begin_s, length_s=length_s, processor=processor)
            for begin_s, length_s, processor in json.loads(self._process.stdout.readline())
        ]
        return [stall for stall in seen if stall.begin_s < until and stall.begin_s + stall.length_s > since]

    def stalled_s(self, *, since: float = 0.0) -> float:
        """How long in sum the processors have stood still since then: as much of a sound may be away, and no more."""
        return sum(stall.length_s for stall in self.stalls(since=since))

    def wait_for_calm(self, *, for_s: float, at_most_s: float) -> bool:
        """Return true once there was no stall for `for_s`, false when there were some up to `at_most_s` from now."""
        begin = time.monotonic()
        while time.monotonic() < begin + at_most_s:
            last = max((stall.begin_s + stall.length_s for stall in self.stalls(since=begin)), default=begin)
            if (quiet := time.monotonic() - last) >= for_s:
                return True
            time.sleep(for_s - quiet)
        return False
