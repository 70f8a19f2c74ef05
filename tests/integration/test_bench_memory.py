"""The memory benchmark in its short form: every call is carried. What it takes is not asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.memory import main
from tests.support.parts import require

pytestmark = pytest.mark.integration


def test_every_call_is_carried(tmp_path: Path) -> None:
    require("sipp")
    result = tmp_path / "memory.json"
    assert main(["--short", "--result", str(result)]) == 0
    found = json.loads(result.read_text())["outcome"]
    assert (found["live"]["failed"], found["stream"]["failed"]) == (0, 0)
    assert found["live"]["control_kib"] > 0
    assert found["stream"]["control_last_mib"] > 10
