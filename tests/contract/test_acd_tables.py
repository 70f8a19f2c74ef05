from __future__ import annotations

import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("machine", ["agent", "caller"])
def test_the_page_is_what_the_table_prints(machine: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(DOCS.parent / "engine" / "acd" / f"{machine}.py"), run_name="__main__")
    page = DOCS / f"{machine}-state-table.md"
    assert page.read_text(encoding="utf-8") == capsys.readouterr().out, (
        f"run: python -m engine.acd.{machine} > docs/{machine}-state-table.md"
    )
