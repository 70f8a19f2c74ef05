"""The printed state tables are those of the code."""

from __future__ import annotations

from pathlib import Path

from engine.sip.fsm import to_markdown
from engine.sip.usage_fsm import to_markdown as usages_to_markdown

ROOT = Path(__file__).parents[2]


def test_sip_state_tables_are_printed_from_the_code() -> None:
    page = (ROOT / "docs/sip-state-tables.md").read_text()
    assert page == to_markdown(), "run: python -m engine.sip.fsm > docs/sip-state-tables.md"


def test_sip_usage_tables_are_printed_from_the_code() -> None:
    page = (ROOT / "docs/sip-usage-tables.md").read_text()
    assert page == usages_to_markdown(), "run: python -m engine.sip.usage_fsm > docs/sip-usage-tables.md"
