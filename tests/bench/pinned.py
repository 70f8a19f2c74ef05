"""One core for the server that is measured, the others for everything else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import psutil

from tests.support.procs import Process

SERVER_CPUS: Final = frozenset({0})


@contextmanager
def beside(*, pinned: bool) -> Iterator[None]:
    """What is started inside stays off the server's core, and so do we; with one core in all nothing is kept apart."""
    before = os.sched_getaffinity(0)
    others = before - SERVER_CPUS
    if not pinned or not others or others == before:
        yield
        return
    os.sched_setaffinity(0, others)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def keep_on_its_core(process: Process) -> None:
    """Every thread of a process and of what it started runs on the server's core; so does what they start later."""
    root = psutil.Process(process.pid)
    for each in [root, *root.children(recursive=True)]:
        for thread in each.threads():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread.id, SERVER_CPUS)
