"""The program of `tests.support.stalls`: sees when this machine does not run what is due to run.

A thread on each processor wakes every few milliseconds, at normal priority, and does nothing else. A wake-up that is
late says that this processor ran something else all the time, or that the host took it away. For each line on standard
input the stalls so far are printed, once every thread has woken up after the question: nothing of before it is missing.

Run as a program by itself (`python -I -S stall_watch.py PERIOD_S LATE_S`), so that nothing the tests do holds it up:
no lock of theirs, no garbage collection.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time


class Watch:
    """The stalls of one processor, as [begin, seconds, processor] on the monotonic clock."""

    def __init__(self, processor: int | None, period_s: float, late_s: float) -> None:
        self.stalls: list[tuple[float, float, int]] = []
        self.woke = threading.Condition()
        self.last = 0.0
        self._processor = processor
        self._period_s = period_s
        self._late_s = late_s

    def wait_past(self, moment: float) -> None:
        """Return once a wake-up of after that moment is noted."""
        with self.woke:
            self.woke.wait_for(lambda: self.last > moment)

    def run(self) -> None:
        if self._processor is not None:
            os.sched_setaffinity(0, {self._processor})  # of this thread alone
        while True:
            due = time.monotonic() + self._period_s
            time.sleep(self._period_s)
            now = time.monotonic()
            if now - due > self._late_s:
                self.stalls.append((due, now - due, self._processor or 0))
            with self.woke:
                self.last = now
                self.woke.notify()


def main() -> None:
    period_s, late_s = float(sys.argv[1]), float(sys.argv[2])
    # macOS cannot bind a thread to a processor: there one watch sees what the system gives it.
    processors = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [None]
    watches = [Watch(processor, period_s, late_s) for processor in processors]
    for watch in watches:
        threading.Thread(target=watch.run, daemon=True).start()
    for _ in sys.stdin:
        asked = time.monotonic()
        for watch in watches:
            watch.wait_past(asked)
        found = sorted(stall for watch in watches for stall in watch.stalls)
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
