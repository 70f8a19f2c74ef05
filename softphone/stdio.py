"""Standard input and output without ever holding up the owner thread.

Two threads do the waiting: one reads command lines into a queue, one writes report lines from a queue. A window that
stops reading must not stop the phone from answering the network.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from softphone.report import PERIODIC, Report

LONGEST_LINE: Final = 4096
"""Characters; the rest of a longer line is thrown away."""
MOST_WAITING: Final = 1000
"""Reports that may wait for a slow reader before periodic ones are dropped."""


class LineReader:
    """Hands each line of a stream to `take`, then None at its end, on a thread of its own."""

    def __init__(self, stream: TextIO, take: Callable[[str | None], None]) -> None:
        self._stream = stream
        self._take = take
        self._thread = threading.Thread(target=self._run, name="commands", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def _run(self) -> None:
        try:
            while line := self._stream.readline(LONGEST_LINE):
                self._take(line)
                while line and not line.endswith("\n") and len(line) >= LONGEST_LINE:
                    line = self._stream.readline(LONGEST_LINE)
        except (OSError, ValueError):
            pass  # the terminal is gone: the same as its end
        self._take(None)


class LineWriter:
    """Writes reports to a stream on a thread of its own; `gone` is called once when nobody can read them any more."""

    def __init__(self, stream: TextIO, show: Callable[[Report], str], gone: Callable[[], None]) -> None:
        self._stream = stream
        self._show = show
        self._gone = gone
        self._waiting: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reports", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def emit(self, report: Report) -> None:
        """Queue a report."""
        if report.event in PERIODIC and self._waiting.qsize() >= MOST_WAITING:
            return
        self._waiting.put(report)

    def finish(self, timeout_s: float) -> None:
        """Write what is queued and stop, or give up after `timeout_s`."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (report := self._waiting.get()) is not None:
            try:
                self._stream.write(self._show(report) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                self._gone()
                return


def take_standard_output() -> TextIO:
    """Return standard output for reports alone; from now on whatever libraries print there goes to standard error."""
    sys.stdout.flush()
    own = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    os.dup2(2, 1)
    return own


@contextmanager
def native_output_hidden(hidden: bool) -> Iterator[None]:
    """Throw away what C code prints to standard output meanwhile: the SIP stack talks before it can be told not to."""
    if not hidden:
        yield
        return
    saved = os.dup(1)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(saved, 1)
        os.close(saved)
