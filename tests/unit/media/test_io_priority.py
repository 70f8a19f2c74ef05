"""What the machine grants and what it does not; the calls to the kernel are the test's."""

from __future__ import annotations

import ctypes
import logging
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.media import io_priority
from engine.media.io_priority import NICENESS, PRIORITY, come_first

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what is asked of other systems is nothing")


class Kernel:
    """Takes note of what is asked, and grants it or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.grants = True
        self.niceness = 0
        self.limit = resource.RLIM_INFINITY
        monkeypatch.setattr(os, "getpriority", lambda which, who: self.niceness)
        for name in ("setpriority", "sched_setaffinity", "sched_setscheduler"):
            monkeypatch.setattr(os, name, self._call(name))
        monkeypatch.setattr(resource, "getrlimit", lambda which: (self.limit, self.limit))
        monkeypatch.setattr(io_priority, "_has", lambda capability: False)
        self.leads = True
        """Whether the process has a session of its own."""
        monkeypatch.setattr(os, "getsid", lambda who: os.getpid() if self.leads else 1)
        monkeypatch.setattr(io_priority, "set_session_niceness", self._call("session"))
        library = SimpleNamespace(mlockall=self._lock)
        monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno: library)

    def _call(self, name: str) -> Callable[..., None]:
        def ask(*arguments: Any) -> None:
            self.asked.append((name, *arguments))
            if not self.grants:
                raise PermissionError(1, "Operation not permitted")

        return ask

    def _lock(self, flags: int) -> int:
        self.asked.append(("mlockall", flags))
        return 0 if self.grants else -1


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Kernel:
    caplog.set_level(logging.INFO)
    return Kernel(monkeypatch)


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    return [(record.getMessage(), record.levelno) for record in caplog.records]


def test_without_any_wish_it_is_nicer_to_itself_unless_somebody_chose(kernel: Kernel) -> None:
    come_first(realtime=False, core=None)
    assert kernel.asked == [("setpriority", os.PRIO_PROCESS, 0, NICENESS), ("session", "self", NICENESS)]
    kernel.niceness = 5
    come_first(realtime=False, core=None)
    assert len(kernel.asked) == 2


def test_the_session_of_who_started_it_stays_as_it_is(kernel: Kernel) -> None:
    kernel.leads = False
    come_first(realtime=False, core=None)
    assert kernel.asked == [("setpriority", os.PRIO_PROCESS, 0, NICENESS)]


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="the kernel does not group by sessions")
def test_a_session_is_as_nice_as_was_said() -> None:
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        group = Path(f"/proc/{process.pid}/autogroup")
        io_priority.set_session_niceness(process.pid, 7)
        assert group.read_text().split()[-1] == "7"
    finally:
        process.kill()
        process.wait()
    io_priority.set_session_niceness(process.pid, 7)  # it is gone, and nobody is told


def test_what_is_wished_for_is_asked_for_and_told(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    come_first(realtime=True, core=3)
    affinity, scheduler, lock = kernel.asked
    assert affinity == ("sched_setaffinity", 0, {3})
    assert scheduler[:3] == ("sched_setscheduler", 0, os.SCHED_RR | os.SCHED_RESET_ON_FORK)
    assert scheduler[3].sched_priority == PRIORITY
    assert lock == ("mlockall", 1 | 2 | 4)
    assert told(caplog) == [("core_taken", 20), ("real_time", 20), ("memory_locked", 20)]


def test_what_is_not_granted_is_told_with_what_would_grant_it(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    kernel.grants = False
    come_first(realtime=True, core=3)
    assert told(caplog) == [("core_not_taken", 30), ("no_real_time", 30), ("memory_not_locked", 30)]
    text = " ".join(str(record.__dict__) for record in caplog.records)
    assert "CAP_SYS_NICE" in text
    assert "LimitMEMLOCK=infinity" in text


def test_memory_is_not_locked_up_to_a_limit(kernel: Kernel, caplog: pytest.LogCaptureFixture) -> None:
    kernel.limit = 8 << 20
    come_first(realtime=True, core=None)
    assert [call[0] for call in kernel.asked] == ["sched_setscheduler"]
    assert told(caplog)[-1] == ("memory_not_locked", 30)


def test_whether_a_capability_is_there_is_read_from_the_kernel() -> None:
    with open("/proc/self/status", encoding="ascii") as status:
        mask = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff:"))
    assert [io_priority._has(number) for number in range(40)] == [bool(mask >> number & 1) for number in range(40)]
