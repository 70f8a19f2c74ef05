"""app_queue's `queue_log`, kept as a file for the reports that operators already have, and in memory for the API."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from engine.acd.queue_log import QueueLog
from engine.app.logs import note
from engine.calls.directory import Directory
from engine.calls.log import Record

_KEEP: Final = 10_000


class QueueLogFile:
    """Follows the records. The file is written on the thread given, never on the loop; it is a fold of the event log,
    so that what a full disk keeps from it is not lost."""

    def __init__(self, path: Path, directory: Directory, thread: ThreadPoolExecutor) -> None:
        self._path = path
        self._fold = QueueLog(directory)
        self._thread = thread
        self._last: deque[str] = deque(maxlen=_KEEP)
        self._failing = False

    def observe(self, records: Sequence[Record]) -> None:
        """Note the lines that these records are worth."""
        lines = [line for record in records for line in self._fold.lines(record)]
        if lines:
            self._last.extend(lines)
            self._thread.submit(self._append, "".join(f"{line}\n" for line in lines))

    def recall(self, records: Sequence[Record]) -> None:
        """Know calls of an earlier process, whose lines are written already, by what the log has of them."""
        for record in records:
            self._fold.lines(record)

    def last(self, limit: int) -> list[str]:
        """The last lines, oldest first."""
        return list(self._last)[-limit:]

    def _append(self, text: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if not self._failing:
                note("queue_log_not_written", level=logging.ERROR, file=str(self._path), reason=str(error.strerror))
            self._failing = True
        else:
            self._failing = False
