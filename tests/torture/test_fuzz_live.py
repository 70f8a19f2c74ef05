"""The short form of the fuzzer at a running engine; `make fuzz` sends a million datagrams."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.ports import PortPool
from tests.torture.fuzz_live import LiveOutcome, fuzz_live

pytestmark = pytest.mark.integration


def test_calls_outlive_mutated_datagrams(session_ports: PortPool, tmp_path: Path) -> None:
    outcome = fuzz_live(session_ports, tmp_path, count=900, rate=300, options_rate=300, seed=7, to_the_end=False)
    assert outcome.calls_kept == outcome.calls == 10, outcome
    # How soon they are answered the long form judges, on a machine that does nothing else.
    assert outcome.options["answered"] >= 0.95 * outcome.options["sent"] > 300, outcome
    assert outcome.statuses[400] > 20, outcome
    assert outcome.statuses[481] > 20, outcome
    assert outcome.statuses[500] > 5, outcome


def test_what_misses_a_bound_is_told() -> None:
    good = {"sent": 1000, "answered": 1000, "p50_ms": 1.0, "p99_ms": 5.0, "max_ms": 9.0}
    outcome = LiveOutcome(datagrams=100_000, calls=2, calls_kept=2, options=good, memory_mib=[100.0, 120.0, 125.0])
    assert outcome.problems() == []
    outcome.memory_mib[-1] = 129.5
    assert outcome.problems() == ["memory grows by 10.6 MiB per 100,000"]
    outcome.calls_kept = 1
    outcome.options = good | {"p99_ms": 51.0}
    assert len(outcome.problems()) == 3
    outcome.options = good | {"answered": 989}
    assert len(outcome.problems()) == 3
