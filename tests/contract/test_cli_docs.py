from __future__ import annotations

from pathlib import Path

from engine.app.cli_reference import reference

ROOT = Path(__file__).parents[2]


def test_the_command_reference_is_what_the_commands_say() -> None:
    written = (ROOT / "docs" / "cli.md").read_text()
    assert written == reference(), "run: python -m engine.app.cli_reference > docs/cli.md"
