"""Fixtures for every test, and one line about the system parts that are missing."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.leftovers import Leftovers
from tests.support.parts import PARTS, explain_missing
from tests.support.ports import PortPool
from tests.support.procs import Processes


def pytest_configure() -> None:
    """Who runs in the background of a shell ignores SIGINT, and so would the programs that tests interrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once what this machine lacks, when that kept a test from running."""
    line = explain_missing(tuple(PARTS))
    untried = {"skipped", "failed", "error"} & set(terminalreporter.stats)
    if line is not None and untried:
        terminalreporter.write_line(f"system parts: {line}")


@pytest.fixture(scope="session")
def session_ports() -> PortPool:
    """The one pool of the run, so that no port is given twice."""
    return PortPool()


@pytest.fixture
def no_leftovers() -> Iterator[Leftovers]:
    """Checks after the test that none of its processes lives and none of its ports is held."""
    leftovers = Leftovers()
    yield leftovers
    leftovers.check()


@pytest.fixture
def ports(no_leftovers: Leftovers, session_ports: PortPool) -> PortPool:
    """Free ports on the loopback address for this test; checked to be free again after it."""
    pool = session_ports.share()
    no_leftovers.watch_pool(pool)
    return pool


@pytest.fixture
def procs(no_leftovers: Leftovers, tmp_path: Path) -> Iterator[Processes]:
    """Starts real programs; ends them after the test and checks that nothing of them is left."""
    processes = Processes(tmp_path / "procs")
    no_leftovers.watch_processes(processes)
    with processes:
        yield processes
