"""What a queued call's records cost once the core has made them: CPU of each thread, wake-ups, writes.

    python -m tests.bench.records [--calls N] [--rate N] [--runs N]

Prints a table and writes build/bench/records.json. The records are those of a queued call of the signalling benchmark,
in its rhythm, and go through what `engine.app.wiring` builds: journal, gatherer, keeper with all its readers, writer
with a SQLite file, queue_log. "hot" hands on batch after batch and waits for the disk each time; "live" keeps to the
times, so that every thread sleeps in between as it does in the engine. A figure is the median of the runs; all are in
the file.
"""

from __future__ import annotations

import argparse
import heapq
import json
import platform
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

from engine.app.config import load_config
from engine.app.entropy import SystemIds
from engine.app.logs import set_up_logs
from engine.app.record_gatherer import RecordGatherer
from engine.app.state import StateDir
from engine.app.storage import open_storage
from engine.app.wiring import build_books
from engine.calls.directory import Agent, Member, Queue
from engine.calls.journal import Record
from engine.ids import CallId
from engine.net.clock import SystemClock
from engine.store.database import open_database
from engine.store.directory_store import DirectoryStore
from engine.store.schema import prepare
from tests.bench.records_call import AGENTS, Bodies, Q, life
from tests.support.centre_rig import CentreRig

RESULT = Path("build/bench/records.json")
_WAIT_S = 10.0
_FIGURES = ("told_us", "kept_us", "writer_us", "other_us", "batches", "wakes", "writes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Per call."""

    told_us: float
    """The thread of the loop, journal and gatherer."""
    kept_us: float
    """The thread of the loop, keeper and its readers."""
    writer_us: float
    other_us: float
    """Any other thread that the records keep busy."""
    batches: float
    """Handed on by the gatherer."""
    wakes: float
    """Times that a thread other than the loop's slept and was woken."""
    writes: float
    """Write calls of those threads to the operating system."""


class Timetable:
    """What is due when: in the clock's time, or as fast as it goes."""

    def __init__(self, *, live: bool) -> None:
        self.now = 0.0
        self._live = live
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()

    def later(self, delay: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._due, (self.now + delay, next(self._order), act))

    def run(self, between: Callable[[], object]) -> float:
        """Do all of it; the seconds of this thread's CPU that it took, without what is done `between`."""
        began, cpu = time.monotonic(), 0.0
        while self._due:
            self.now, _, act = heapq.heappop(self._due)
            if self._live:
                time.sleep(max(0.0, began + self.now - time.monotonic()))
            started = time.thread_time()
            act()
            cpu += time.thread_time() - started
            between()
        return cpu


class Scene:
    """A store with its directory, and everything that records go to."""

    def __init__(self, folder: Path) -> None:
        self._log = (folder / "engine.log").open("w")
        (folder / "engine.toml").write_text('[service]\nstate_dir = "state"\n')
        config = load_config(folder / "engine.toml")
        set_up_logs(config.log, self._log)
        state = StateDir(config.state_dir)
        state.prepare()
        _hire(config.store_url)
        self._storage = open_storage(config, SystemClock())
        loop: Any = _Loop()
        self._books = build_books(state, self._storage, CentreRig().core, SystemClock(), loop)
        self._books.keeper.keep(self._storage.journal.take())
        self._storage.writer.start()

    def close(self) -> None:
        self._books.thread.shutdown()
        self._storage.close()
        self._log.close()

    def play(self, *, calls: int, rate: float, live: bool) -> Cost:
        """These calls from first to last."""
        table, ids, journal = Timetable(live=live), SystemIds(), self._storage.journal
        batches: list[float] = []

        def keep(records: Sequence[Record]) -> None:
            started = time.thread_time()
            self._books.keeper.keep(records)
            batches.append(time.thread_time() - started)

        gatherer = RecordGatherer(keep, later=table.later)

        def tell(call: CallId, bodies: Bodies) -> None:
            for body, named in bodies:
                journal.append(body, now=table.now, call=call if named else None)
            gatherer.gather(journal.take())

        for number in range(calls):
            call = CallId(ids.token())
            for after, bodies in life(number, ids):
                table.later(number / rate + after, partial(tell, call, bodies))
        self._settle()
        before = _threads()
        loop, kept = table.run(lambda: None if live else self._settle()), sum(batches)
        self._settle()
        used = {name: now - before.get(name, _Thread()) for name, now in _threads().items()}
        return Cost(
            told_us=(loop - kept) * 1e6 / calls,
            kept_us=kept * 1e6 / calls,
            writer_us=used["event-writer"].cpu_us / calls,
            other_us=sum(thread.cpu_us for name, thread in used.items() if name != "event-writer") / calls,
            batches=len(batches) / calls,
            wakes=sum(thread.wakes for thread in used.values()) / calls,
            writes=sum(thread.writes for thread in used.values()) / calls,
        )

    def _settle(self) -> None:
        """Wait until all is on the disk, mostly asleep."""
        while self._storage.writer.state().pending:
            time.sleep(0.002)


class _Loop:
    """The reactor, as far as the books need one."""

    def callFromThread(self, call: Callable[[], None]) -> None:
        call()


def _hire(store_url: str) -> None:
    prepare(store_url)
    database = open_database(store_url)
    store = DirectoryStore(database)
    store.put(Queue(name=Q))
    for agent in AGENTS:
        store.put(Agent(name=agent))
        store.put(Member(queue=Q, agent=agent))
    database.dispose()


@dataclass(frozen=True, slots=True)
class _Thread:
    """What the operating system has counted of a thread."""

    cpu_us: float = 0.0
    wakes: int = 0
    writes: int = 0

    def __sub__(self, before: _Thread) -> _Thread:
        return _Thread(self.cpu_us - before.cpu_us, self.wakes - before.wakes, self.writes - before.writes)


def _threads() -> dict[str, _Thread]:
    """All threads but this one."""
    found: dict[str, _Thread] = {}
    for thread in threading.enumerate():
        if thread is threading.current_thread():
            continue
        of = Path(f"/proc/self/task/{thread.native_id}")
        status = dict(line.split(":", 1) for line in (of / "status").read_text().splitlines())
        io = dict(line.split(":", 1) for line in (of / "io").read_text().splitlines())
        cpu_ns = int((of / "schedstat").read_text().split()[0])
        found[thread.name] = _Thread(cpu_ns / 1000, int(status["voluntary_ctxt_switches"]), int(io["syscw"]))
    return found


def measure(*, calls: int, rate: float, live: bool) -> Cost:
    """One run in a store of its own."""
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        try:
            return scene.play(calls=calls, rate=rate, live=live)
        finally:
            scene.close()


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=150)
    parser.add_argument("--rate", type=float, default=15.0, help="calls a second")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    costs = {
        name: [measure(calls=options.calls, rate=options.rate, live=live) for _ in range(options.runs)]
        for name, live in (("hot", False), ("live", True))
    }
    print(f"Per call, at {options.rate:g} calls/s, {options.calls} calls; times are microseconds of CPU.\n")
    print("| case | loop: told | loop: kept | writer's thread | other threads | batches | wake-ups | writes |")
    print("|---" * 8 + "|")
    for name, runs in costs.items():
        figures = [median(getattr(run, figure) for run in runs) for figure in _FIGURES]
        print(f"| {name} |", " | ".join([f"{f:.0f}" for f in figures[:4]] + [f"{f:.2f}" for f in figures[4:]]), "|")
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    found = {name: [asdict(run) for run in runs] for name, runs in costs.items()}
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    RESULT.write_text(
        json.dumps({"rate": options.rate, "calls": options.calls, **machine, "per_call": found}, indent=1)
    )
    print(f"\nAll runs: {RESULT}")


if __name__ == "__main__":
    main()
