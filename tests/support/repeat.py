"""Repeats a test that measures real time, when it failed while the machine itself stalled (docs/decisions/0006, 0036).

A test marked `timing` that fails on a machine that ran all the time fails. One that fails while a processor ran nothing
of ours for as long as the bound it measures has proved nothing either way: it is shown as REPEATED, with its failure
and the stalls, and is run again when the machine is calm, four times at most. The fourth failure counts. A test marked
`integration` alone measures no time, but its programs answer each other within some: a stall of a quarter of a second
excuses it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pytest
from _pytest.runner import runtestprotocol

from tests.support.stalls import Stall, StallWitness

ATTEMPTS = 4
STALL_MS = 20.0
"""The least stall that explains a failure, unless the mark has a `stall_ms` of its own: one packet of sound."""
LONG_STALL_MS = 250.0
"""The least that explains why programs did not answer each other in time: half of SIP's T1."""
CALM_S = 3.0
CALM_AT_MOST_S = 60.0

_CALL = pytest.StashKey[tuple[float, float]]()
_ASSERTED = pytest.StashKey[bool]()


class Witness(Protocol):
    """What is asked of `StallWitness`."""

    def stalls(self, *, since: float, until: float) -> list[Stall]: ...

    def wait_for_calm(self, *, for_s: float, at_most_s: float) -> bool: ...


def told(stalls: Sequence[Stall]) -> str:
    """Stalls in words."""
    longest = sorted((round(stall.length_s * 1000) for stall in stalls), reverse=True)
    more = f" and {len(longest) - 5} shorter" if len(longest) > 5 else ""
    return f"the machine stalled for {', '.join(map(str, longest[:5]))} ms{more}"


def _stall_that_excuses(item: pytest.Item) -> float | None:
    """How long a stall has to be, in ms, to explain why this test fails; None where none does."""
    if (mark := item.get_closest_marker("timing")) is not None:
        return float(mark.kwargs.get("stall_ms", STALL_MS))
    return LONG_STALL_MS if item.get_closest_marker("integration") is not None else None


class Repeats:
    """The plugin; `tests/integration/conftest.py` registers it. `watch` makes the witness of one test."""

    def __init__(self, *, watch: Callable[[], AbstractContextManager[Witness]] = StallWitness) -> None:
        self._watch = watch
        self._repeated: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None]:
        """Note when the test itself runs: stalls while fixtures start programs excuse nothing. And whether it ends by
        an assertion of its own or by a wait: no stall excuses any other exception."""
        begin, item.stash[_ASSERTED] = time.monotonic(), False
        try:
            return (yield)
        except (AssertionError, TimeoutError):
            item.stash[_ASSERTED] = True
            raise
        finally:
            item.stash[_CALL] = (begin, time.monotonic())

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a `timing` or `integration` test, again where that is called for."""
        stall_ms = _stall_that_excuses(item)
        if stall_ms is None:
            return None
        with self._watch() as witness:
            for attempt in range(1, ATTEMPTS + 1):
                if not self._attempt(item, nextitem, witness, attempt, stall_ms):
                    break
                witness.wait_for_calm(for_s=CALM_S, at_most_s=CALM_AT_MOST_S)
        return True

    def _attempt(
        self, item: pytest.Item, nextitem: pytest.Item | None, witness: Witness, attempt: int, stall_ms: float
    ) -> bool:
        """Run it once, report, and say whether it is to be run again."""
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        failed = [report for report in reports if report.failed]
        again = False
        if [report.when for report in failed] == ["call"]:
            begin, end = item.stash[_CALL]
            stalls = [stall for stall in witness.stalls(since=begin, until=end) if stall.length_s * 1000 >= stall_ms]
            again = bool(stalls) and item.stash[_ASSERTED] and attempt < ATTEMPTS
            self._tell(failed[0], stalls, attempt, stall_ms, again=again)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return again

    def _tell(
        self, report: pytest.TestReport, stalls: Sequence[Stall], attempt: int, stall_ms: float, *, again: bool
    ) -> None:
        machine = told(stalls) if stalls else f"the machine did not stall for {stall_ms:g} ms while this test ran"
        report.sections.append(("machine", f"attempt {attempt} of {ATTEMPTS}: {machine}"))
        if again:
            report.outcome = "repeated"  # type: ignore[assignment]
            why = str(getattr(getattr(report.longrepr, "reprcrash", None), "message", report.longrepr))
            self._repeated.append(
                f"REPEATED {report.nodeid} attempt {attempt} of {ATTEMPTS}: {machine}; it failed with {why}"
            )

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        """Neither passed nor failed: it is run again."""
        if report.outcome == "repeated":
            return "repeated", "R", ("REPEATED", {"yellow": True})
        return None

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Every attempt that did not count, and why."""
        if self._repeated:
            terminalreporter.section("attempts that a stall of the machine spoiled")
            for line in self._repeated:
                terminalreporter.write_line(line)
