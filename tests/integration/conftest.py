"""Fixtures that start real programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests.support.asterisk import Asterisk, start_asterisk
from tests.support.parts import require
from tests.support.ports import PortPool
from tests.support.procs import Processes
from tests.support.sipp import SippRun, start_sipp


class AsteriskStarter(Protocol):
    """`tests.support.asterisk.start_asterisk` without its first two arguments."""

    def __call__(self, *, engine_port: int, name: str = ..., **options: object) -> Asterisk: ...


class SippStarter(Protocol):
    """`tests.support.sipp.start_sipp` without processes and directory."""

    def __call__(self, scenario: str, **options: object) -> SippRun: ...


@pytest.fixture
def asterisk_starter(procs: Processes, ports: PortPool) -> Iterator[AsteriskStarter]:
    """Starts Asterisk, as often as asked; each is stopped after the test."""
    require("asterisk")
    with ExitStack() as stack:

        def start(**options: object) -> Asterisk:
            return stack.enter_context(start_asterisk(procs, ports, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture
def sipp_starter(procs: Processes, ports: PortPool, tmp_path: Path) -> SippStarter:
    """Starts SIPp scenarios."""
    require("sipp")
    count = 0

    def start(scenario: str, **options: object) -> SippRun:
        nonlocal count
        count += 1
        options.setdefault("rtp_port", ports.block(4, even=True).start)
        return start_sipp(procs, scenario, directory=tmp_path / f"sipp-{count}", **options)  # type: ignore[arg-type]

    return start
