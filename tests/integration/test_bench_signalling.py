"""The signalling benchmark in its short form: both sides carry every call. What it takes is not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.signalling import main
from tests.support.parts import require

pytestmark = pytest.mark.integration


def test_both_sides_complete_all_calls(tmp_path: Path) -> None:
    require("asterisk", "sipp")
    result = tmp_path / "signalling.json"
    assert main(["--short", "--result", str(result)]) == 0
    report = json.loads(result.read_text())
    assert {run["side"] for run in report["runs"]} == {"hearthline", "app_queue"}
    for run in report["runs"]:
        assert (run["failed"], run["cdrs"]) == (0, run["calls"])
        assert run["cpu_ms"] > 0
        assert 0 <= run["stolen"] <= 1
        assert 0 < run["setup_p50_ms"] <= run["setup_p99_ms"]
    assert report["outcome"]["medians"][0]["cpu_ratio"] > 0
