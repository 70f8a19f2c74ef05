"""Finished recordings get their last form in a process of their own at the lowest priority.

Encoding takes a hundredth of the time that a call took, in C without the interpreter's lock; but a thread of low
priority that is put aside while it holds that lock would keep the tick waiting (decision 31). The process starts with
the first file and ends when there was none for a while.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from engine.log_format import pairs
from engine.media.commands import RecordingFormat, RecordingKey
from engine.media.events import Gap, MediaEvent, RecordingFailed, RecordingFinished

log = logging.getLogger(__name__)

IDLE_S: Final = 10.0
SEALED: Final = ".hlr"
"""Ending of what is encrypted."""
LOWEST: Final = 19
"""Niceness."""
_ENDED: Final = "the converter ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One file that is to get its last form."""

    recording: str
    source: str
    """Path of the file that ran."""
    stem: str
    format: RecordingFormat
    key: RecordingKey | None
    comment: str
    trouble: str
    """What went wrong so far."""
    seconds: float
    gaps: tuple[Gap, ...]
    lost_s: float

    def words(self) -> dict[str, object]:
        """What the process must know."""
        return {
            **{"source": self.source, "stem": self.stem, "format": self.format, "comment": self.comment},
            "key": None if self.key is None else self.key.key,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidy:
    """A directory under which crashed processes may have left files running."""

    directory: str
    format: RecordingFormat
    key: RecordingKey | None

    def words(self) -> dict[str, object]:
        """What the process must know."""
        return {
            **{"directory": self.directory, "format": self.format},
            "key": None if self.key is None else self.key.key,
        }


class Converter:
    """A thread that waits for the process, one job at a time."""

    def __init__(self, tell: Callable[[MediaEvent], None]) -> None:
        """`tell` is called on the thread."""
        self._tell = tell
        self._jobs: queue.SimpleQueue[Job | Tidy | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def put(self, job: Job | Tidy) -> None:
        """Have it done, in turn. Called from any one thread at a time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="finished recordings", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def close(self, wait_s: float) -> None:
        """Wait so long for what is left. A process that is still at it ends by itself after that file."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(wait_s)
            if self._thread.is_alive():
                log.warning("recordings_left_running", extra=pairs(files=self._jobs.qsize()))

    def _work(self) -> None:
        while True:
            try:
                job = self._jobs.get(timeout=IDLE_S if self._process is not None else None)
            except queue.Empty:
                self._end()
                continue
            if job is None:
                self._end()
                return
            try:
                self._do(job)
            except Exception:
                # A defect in one file must not end the others.
                log.exception("recording_failed")

    def _do(self, job: Job | Tidy) -> None:
        """Twice: a process may have died of the file before, or by somebody's hand."""
        if isinstance(job, Job) and job.format is RecordingFormat.WAV:
            self._rename(job)
            return
        for _ in range(2):
            try:
                self._ask(job)
            except (OSError, ValueError) as error:
                reason = str(error)
                self._end()
            else:
                return
        log.error("converter_failed", extra=pairs(reason=reason))
        if isinstance(job, Job):
            self._finished(job, {"path": job.source, "octets": _size(job.source), "trouble": reason})

    def _rename(self, job: Job) -> None:
        """What is kept as WAV has its last form but for its name."""
        path = f"{job.stem}.wav{SEALED if job.source.endswith(SEALED) else ''}"
        try:
            os.rename(job.source, path)
        except OSError as error:
            self._finished(job, {"trouble": f"{job.source}: {error.strerror or error}"})
        else:
            self._finished(job, {"path": path, "octets": _size(path)})

    def _ask(self, job: Job | Tidy) -> None:
        """Raises OSError or ValueError when the process is no more."""
        if self._process is None or self._process.poll() is not None:
            self._process = _spawn()
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError(_ENDED)
        stdin.write(json.dumps(job.words()).encode() + b"\n")
        stdin.flush()
        while line := stdout.readline():
            answer = json.loads(line)
            if isinstance(job, Job):
                self._finished(job, answer)
                return
            if "end" in answer:
                return
            self._tidied(answer)
        raise OSError(_ENDED)

    def _finished(self, job: Job, answer: dict[str, Any]) -> None:
        trouble = "; ".join(filter(None, (job.trouble, answer.get("trouble", ""))))
        if "path" not in answer:
            self._tell(RecordingFailed(recording=job.recording, command="StopRecording", reason=trouble))
            return
        self._tell(
            RecordingFinished(
                recording=job.recording,
                path=answer["path"],
                seconds=job.seconds,
                octets=answer["octets"],
                gaps=job.gaps,
                lost_s=job.lost_s,
                trouble=trouble,
            )
        )

    def _tidied(self, answer: dict[str, Any]) -> None:
        """One file of a process that crashed: nobody knows its recording by name any more, so it goes by its stem."""
        name = str(answer.get("stem", ""))
        if "path" not in answer:
            self._tell(RecordingFailed(recording=name, command="TidyRecordings", reason=answer["trouble"]))
            return
        log.info("recording_recovered", extra=pairs(path=answer["path"], seconds=answer["seconds"]))
        self._tell(
            RecordingFinished(
                recording=name,
                path=answer["path"],
                seconds=answer["seconds"],
                octets=answer["octets"],
                gaps=(),
                lost_s=0.0,
                trouble=answer.get("trouble", ""),
            )
        )

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(OSError):
                process.communicate()


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _spawn() -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "engine.media.io_convert"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # whose share of the time is its own, not that of the tick's
    )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, LOWEST)
    if sys.platform == "linux":
        # The tick may be of real-time priority and bound to a core; what it starts is not to be.
        with contextlib.suppress(OSError):
            os.sched_setscheduler(process.pid, os.SCHED_BATCH, os.sched_param(0))
        with contextlib.suppress(OSError):
            os.sched_setaffinity(process.pid, range(os.cpu_count() or 1))
    return process
