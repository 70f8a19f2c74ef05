"""The short form of the fuzzer at a running engine; `make fuzz` sends a million datagrams."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.load_figures import Figures
from tests.support.ports import PortPool
from tests.torture.fuzz_live import LiveOutcome, fuzz_live, whole_again


@pytest.mark.integration
def test_calls_outlive_mutated_datagrams(session_ports: PortPool, tmp_path: Path) -> None:
    outcome = fuzz_live(session_ports, tmp_path, count=900, rate=300, options_rate=300, seed=7, to_the_end=False)
    assert outcome.calls_kept == outcome.calls == 10, outcome
    # How soon they are answered the long form judges, on a machine that does nothing else.
    assert outcome.options["answered"] >= 0.95 * outcome.options["sent"] > 300, outcome
    assert outcome.statuses[400] > 20, outcome
    assert outcome.statuses[481] > 20, outcome
    assert outcome.statuses[500] > 5, outcome


GOOD = {"sent": 1000, "answered": 1000, "p50_ms": 1.0, "p99_ms": 5.0, "max_ms": 9.0}


def test_what_misses_a_bound_is_told() -> None:
    outcome = LiveOutcome(datagrams=1_000_000, calls=2, calls_kept=2, options=GOOD)
    outcome.memory_mib = [100.0, 120.0, 125.0, *[130.0] * 7, 209.9]
    assert outcome.problems() == []
    outcome.memory_mib[-1] = 215.4
    assert outcome.problems() == ["memory grows by 10.6 MiB per 100,000"]
    outcome.calls_kept = 1
    outcome.options = GOOD | {"p99_ms": 51.0}
    assert len(outcome.problems()) == 3
    outcome.options = GOOD | {"answered": 989}
    assert len(outcome.problems()) == 3
    outcome.options = {}
    assert len(outcome.problems()) == 3


def test_memory_is_judged_once_the_caches_are_full() -> None:
    outcome = LiveOutcome(datagrams=150_000, memory_mib=[100.0 + each for each in range(11)])
    assert outcome.mib_per_100_000 is None
    outcome.datagrams = 200_000
    assert outcome.mib_per_100_000 == 5.0
    outcome.datagrams = 0
    assert outcome.mib_per_100_000 is None


def test_a_busy_machine_is_told() -> None:
    cost = Figures(cpu_s=3.0, loop_waited_s=2.0, lost=4, memory_mib=0.0)
    outcome = LiveOutcome(seconds=10.0, options=GOOD | {"p99_ms": 51.0}, cost=cost)
    assert "the engine waited 20% of the time" in outcome.problems()[0]
    outcome.seconds = 100.0
    assert "waited" not in outcome.problems()[0]


def test_what_a_mutation_makes_whole_again_is_found() -> None:
    talk: Any = SimpleNamespace(local="<sip:a@h>;tag=one", remote="<sip:b@h>;tag=two")
    whole = whole_again([talk])
    for local, remote, found in (("one", "two", True), ("onex", "two", False), ("one", "two-x", False)):
        for fields in ((local, remote), (remote, local)):
            message = "BYE sip:b SIP/2.0\r\nFrom: <sip:a@h>;tag={}\r\nTo: <sip:b@h>;tag={}\r\n".format(*fields)
            assert bool(whole.search(message.encode())) is found
