"""The short form of the fuzzer; `make fuzz` runs the whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ports import PortPool
from tests.torture.fuzz_sip_datagrams import fuzz

pytestmark = pytest.mark.integration


def test_mutated_datagrams_harm_no_call(session_ports: PortPool, tmp_path: Path) -> None:
    outcome = fuzz(session_ports, tmp_path, count=1000, seed=20, to_the_end=False)
    assert outcome.longest_gap_s < 1.0, outcome
    assert outcome.statuses[401] > 5, outcome
    assert outcome.statuses[400] > 50, outcome
