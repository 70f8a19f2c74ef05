from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.api.application import DESCRIPTION
from engine.app.cli_reference import reference

ROOT = Path(__file__).parents[2]


def test_the_command_reference_is_what_the_commands_say() -> None:
    written = (ROOT / "docs" / "cli.md").read_text()
    assert written == reference(), "run: python -m engine.app.cli_reference > docs/cli.md"


@pytest.mark.parametrize(
    "where", [DESCRIPTION, (ROOT / "README.md").read_text(encoding="utf-8")], ids=["API", "README"]
)
def test_commands_that_are_named_elsewhere_exist(where: str) -> None:
    known = re.findall(r"^## `hearthline ([a-z-]+(?: [a-z]+)?)", reference(), re.MULTILINE)
    named = re.findall(
        r"`hearthline ((?:agent|db|dialplan|guard|queue|recording|sound|token|trunk) [a-z]+|[a-z-]+)", where
    )
    assert named
    assert [command for command in named if command not in known] == []
