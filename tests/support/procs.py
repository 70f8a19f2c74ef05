"""Real processes in tests: started in sessions of their own, watched by what they print, always ended.

Every process gets a mark in its environment. Its children inherit it, also those that open a session of their own,
as the media process does; so `survivors` finds whatever a test left running, and nothing else.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

MARK = "HEARTHLINE_TEST_MARK"
POLL_S = 0.02


class WaitedInVain(AssertionError):
    """What a test waited for did not happen in time."""


class ProcessWouldNotEnd(AssertionError):
    """A process had to be killed because it did not end when asked to."""


def wait_until(condition: Callable[[], bool], *, timeout: float, what: str) -> None:
    """Return as soon as `condition()` is true; raise `WaitedInVain` naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise WaitedInVain(f"not within {timeout:g} s: {what}")
        time.sleep(POLL_S)


class Process:
    """One running program: what it printed, its end, its CPU time."""

    def __init__(self, name: str, popen: subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self.name = name
        self.out = out
        """File with everything from standard output."""
        self.err = err
        """File with everything from standard error; the same as `out` when the two were merged."""
        self._popen = popen

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return self._popen.poll()

    @property
    def running(self) -> bool:
        return self.returncode is None

    def text(self) -> str:
        """All that the program has printed so far: standard output, then standard error."""
        files = [self.out] if self.err == self.out else [self.out, self.err]
        return "".join(file.read_text(encoding="utf-8", errors="replace") for file in files)

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def tail(self, count: int = 30) -> str:
        """The last lines, for the message of a failure."""
        return "\n".join(self.lines()[-count:])

    def wait_for_line(self, pattern: str, *, timeout: float = 20.0) -> re.Match[str]:
        """The first printed line in which the regular expression `pattern` is found.

        Raises `WaitedInVain` with the last output after `timeout` seconds, or as soon as the program has ended without
        printing it.
        """
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        while True:
            ended = not self.running
            for line in self.lines():
                if match := expression.search(line):
                    return match
            if ended or time.monotonic() > deadline:
                why = f"ended with {self.returncode}" if ended else f"not within {timeout:g} s"
                raise WaitedInVain(f"{self.name}: no line like {pattern!r} ({why}); it said:\n{self.tail()}")
            time.sleep(POLL_S)

    def send_line(self, line: str) -> None:
        """Write one line to the program's standard input (started with `stdin=True`)."""
        assert self._popen.stdin is not None, f"{self.name} was started without stdin"
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def send_signal(self, number: signal.Signals) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """End it at once, as a crash would; its children stay."""
        self._popen.kill()
        self._popen.wait()
        self._close_stdin()

    def wait(self, *, timeout: float = 10.0) -> int:
        """Exit status once the program has ended by itself; `WaitedInVain` when it has not after `timeout` seconds."""
        try:
            status = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            message = f"{self.name} still runs after {timeout:g} s; it said:\n{self.tail()}"
            raise WaitedInVain(message) from None
        self._close_stdin()
        return status

    def stop(self, *, timeout: float = 5.0, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and return its exit status.

        Raises `ProcessWouldNotEnd`, having killed it, when it has not ended after `timeout` seconds.
        """
        if self.running:
            self.send_signal(with_signal)
        try:
            self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"{self.name} ignored {with_signal.name} for {timeout:g} s; it said:\n{self.tail()}"
            raise ProcessWouldNotEnd(message) from None
        self._close_stdin()
        return self._popen.returncode

    def cpu_seconds(self) -> float:
        """User plus system time of the program and of its living descendants, all threads."""
        total = 0.0
        root = psutil.Process(self.pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
        return total

    def _close_stdin(self) -> None:
        if self._popen.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._popen.stdin.close()


class Processes:
    """The processes of one test; leaving the context ends them all."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._mark = uuid.uuid4().hex
        self._processes: list[Process] = []

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_all()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bool = False,
        merge: bool = False,
    ) -> Process:
        """Start `command` in a session of its own, its output in files named after `name`.

        `env` is added to this process's environment; `stdin` opens a pipe for `send_line`; `merge` sends standard error
        into the same file as standard output, in the order printed.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        stem = f"{len(self._processes):02}-{name}"
        out = self._directory / f"{stem}.out"
        err = out if merge else self._directory / f"{stem}.err"
        with out.open("wb") as out_file, contextlib.nullcontext() if merge else err.open("wb") as err_file:
            popen = subprocess.Popen(
                [str(part) for part in command],
                cwd=cwd,
                env={**os.environ, **(env or {}), MARK: self._mark},
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=out_file,
                stderr=subprocess.STDOUT if err_file is None else err_file,
                start_new_session=True,
            )
        process = Process(name, popen, out, err)
        self._processes.append(process)
        return process

    def stop_all(self) -> None:
        """End what still runs, the youngest first; raises for the first that had to be killed, after ending all."""
        failure: ProcessWouldNotEnd | None = None
        for process in reversed(self._processes):
            try:
                process.stop()
            except ProcessWouldNotEnd as error:
                failure = failure or error
        if failure is not None:
            raise failure

    def survivors(self) -> list[psutil.Process]:
        """Living processes that were started by this object or by one of its processes, however indirectly."""
        return list(self._marked())

    def kill_survivors(self) -> None:
        for process in self.survivors():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _marked(self) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except (psutil.AccessDenied, psutil.NoSuchProcess):
                continue
