"""app_queue's `queue_log`, kept as a file for the reports that operators already have, and in memory for the API."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from engine.acd.queue_log import QueueLog
from engine.app.logs import note
from engine.calls.directory import Directory
from engine.calls.journal import Record

_KEEP: Final = 10_000
_APPEND: Final = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class QueueLogFile:
    """Follows the records. The file is a fold of the event log, so that what a full disk keeps from it is not lost."""

    def __init__(self, path: Path, directory: Directory) -> None:
        self._path = path
        self._fold = QueueLog(directory)
        self._last: deque[str] = deque(maxlen=_KEEP)
        self._unwritten: deque[str] = deque()
        """What the loop has noted and the writer's thread has not come to."""
        self._failing = False

    def observe(self, records: Sequence[Record]) -> None:
        """Note the lines that these records are worth; `write` brings them to the file."""
        lines = self._fold.lines(records)
        if lines:
            self._last.extend(lines)
            self._unwritten.append("\n".join([*lines, ""]))

    def recall(self, records: Sequence[Record]) -> None:
        """Know calls of an earlier process, whose lines are written already, by what the log has of them."""
        self._fold.lines(records)

    def last(self, limit: int) -> list[str]:
        """The last lines, oldest first."""
        return list(self._last)[-limit:]

    def write(self) -> None:
        """Append to the file what was noted. For the writer's thread, never the loop. The file is opened every time,
        for who rotates it moves it away."""
        texts: list[str] = []
        while self._unwritten:
            texts.append(self._unwritten.popleft())
        if not texts:
            return
        try:
            _append(self._path, "".join(texts).encode("utf-8", "replace"))
        except OSError as error:
            if not self._failing:
                note("queue_log_not_written", level=logging.ERROR, file=str(self._path), reason=str(error.strerror))
            self._failing = True
        else:
            self._failing = False


def _append(path: Path, data: bytes) -> None:
    file = os.open(path, _APPEND, 0o666)
    try:
        while data:
            data = data[os.write(file, data) :]
    finally:
        os.close(file)
