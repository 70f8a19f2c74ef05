"""docs/trunks.md tells of every setting that a trunk has, and names none that it has not."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main

from engine.app.cli import app
from engine.calls.header_rules import ALLOWED, HeaderRules
from engine.calls.number_rules import NumberRules

PAGE = Path(__file__).parents[2] / "docs" / "trunks.md"


def options(*command: str) -> set[str]:
    found: object = typer.main.get_command(app)
    for word in command:
        found = found.commands[word]  # type: ignore[attr-defined]
    return {
        name
        for parameter in found.params  # type: ignore[attr-defined]
        for name in (*parameter.opts, *parameter.secondary_opts)
        if name.startswith("--")
    }


def test_the_page_tells_of_every_option() -> None:
    told = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text(encoding="utf-8")))
    settings = options("trunk", "add") - {"--config"}
    # The other half of a switch is told of where it is the unusual one.
    usual = {"--any-port", "--no-register", "--outbound", "--untrusted", "--no-redirects"}
    assert settings - usual - told == set()
    assert told - settings - options("trunk-group", "add") == set()


def test_the_rules_of_the_page_can_be_read() -> None:
    rules = re.findall(r"^\| `([a-z0-9:A-Z]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {rule.partition(":")[0] for rule in rules} == {"strip", "prefix", "e164", "replace", "anonymous"}
    NumberRules.of(tuple(rules))
    HeaderRules.of((f"header-add:{ALLOWED[0]}:{{caller}}{{called}}{{domain}}", f"header-remove:{ALLOWED[0]}"))
