"""The witness of `tests.support.stalls` on this machine: it sees a stall, and only what was there."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tests.support.stalls import StallWitness

pytestmark = pytest.mark.integration


def witness_processors() -> set[int]:
    """Those there is a watch on: all of ours, or one that stands for them where threads cannot be bound."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}


def stop_for(seconds: float, witness: StallWitness) -> tuple[float, float]:
    """Keep the witness from running, as a machine does that stalls; when that was."""
    begin = time.monotonic()
    os.kill(witness.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(witness.pid, signal.SIGCONT)
    return begin, time.monotonic()


def test_a_stall_is_seen_on_every_processor_with_its_place_and_length() -> None:
    with StallWitness(late_s=0.1) as witness:
        began, ended = stop_for(0.4, witness)
        long = [stall for stall in witness.stalls(since=began, until=ended) if stall.length_s > 0.3]
        assert len({stall.processor for stall in long}) == len(witness_processors())
        assert all(began - 0.1 < stall.begin_s < ended for stall in long)
        assert [stall for stall in witness.stalls(until=began - 0.1) if stall.length_s > 0.3] == []
        assert [stall for stall in witness.stalls(since=ended + 1.0) if stall.length_s > 0.3] == []


def test_calm_is_waited_for_and_given_up() -> None:
    with StallWitness(late_s=30.0) as witness:
        begin = time.monotonic()
        assert witness.wait_for_calm(for_s=0.2, at_most_s=10)
        assert time.monotonic() - begin >= 0.2
    with StallWitness(late_s=0.0) as witness:
        assert not witness.wait_for_calm(for_s=0.2, at_most_s=0.5)


def test_nothing_is_left_of_it() -> None:
    with StallWitness() as witness:
        pid = witness.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_each_processor_has_a_watch_that_runs_nowhere_else() -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system binds no thread to a processor")
    with StallWitness() as witness:
        threads = {int(thread.name) for thread in Path(f"/proc/{witness.pid}/task").iterdir()} - {witness.pid}
        bound = [os.sched_getaffinity(thread) for thread in threads]
    assert sorted(bound, key=min) == [{processor} for processor in sorted(os.sched_getaffinity(0))]
