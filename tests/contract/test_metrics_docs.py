from __future__ import annotations

from pathlib import Path

from engine.metrics.reference import reference

ROOT = Path(__file__).parents[2]


def test_the_metrics_reference_is_what_the_code_exports() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == reference(), "run: python -m engine.metrics > docs/metrics.md"
