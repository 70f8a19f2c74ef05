from __future__ import annotations

from pathlib import Path

from engine.calls.leg import table_page

PAGE = Path(__file__).parents[2] / "docs" / "leg-state-table.md"


def test_the_page_is_what_the_table_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == table_page(), "run: python -m engine.calls.leg > docs/leg-state-table.md"
