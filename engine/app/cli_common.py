"""What all commands share: the option that names the configuration, and how tables are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", envvar="HEARTHLINE_CONFIG", help="Configuration file; without one, the embedded defaults."
    ),
]
_WIDE: Final = 400
"""Columns where no terminal sets a width: nothing is cut for those who pipe."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def given(**values: object) -> dict[str, object]:
    """Those options that were given on the command line."""
    return {name: value for name, value in values.items() if value is not None}


def warn(warnings: Sequence[str]) -> None:
    """Tell what went well and is hardly meant; beside the output, which programs read."""
    for warning in warnings:
        print(f"warning: {warning}", file=sys.stderr)


def listed(values: list[str] | None) -> list[str] | None:
    """What a repeatable option says: one empty word empties the list."""
    return [] if values == [""] else values


def show(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool, title: str = "") -> None:
    """Print rows as a table of these columns, or all of them as JSON."""
    if as_json:
        print(json.dumps(list(rows), indent=2))
        return
    table = Table(*columns, title=title or None, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _WIDE)
    console.print(table if rows else f"{title or 'none'}: none" if title else "none")


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "-"
    return str(value)
