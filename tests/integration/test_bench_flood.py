"""The flood benchmark in its short form: no call is harmed and agents stay registered. Times are not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.flood import main

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
def test_a_flood_of_strangers_harms_no_call(tmp_path: Path, method: str) -> None:
    result = tmp_path / "flood.json"
    words = ["--no-rival", "--seconds", "4", "--calls", "30", "--rate", "5000", "--methods", method]
    assert main([*words, "--result", str(result)]) == 0
    written = json.loads(result.read_text())
    assert {"command", "commit", "load_average", "counts", "outcome"} < written.keys()
    (run,) = written["runs"]
    assert run["sent"] > 10_000
    assert run["calls_kept"] == run["standing"] == 30
    assert run["new_calls_failed"] == 0
    assert run["registers_failed"] == 0
    assert run["options_answered"] == 1.0
    assert run["grown_mib"] < 20
