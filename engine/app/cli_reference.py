"""What every command takes, for `docs/cli.md`: `python -m engine.app.cli_reference` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from engine.app.cli import app


def reference() -> str:
    """All commands as Markdown. Made from the commands themselves, not from their `--help`, whose looks change with
    every version of the library that draws it."""
    lines = [
        "# The command line",
        "",
        "Written by `python -m engine.app.cli_reference`; a test keeps it equal to the code.",
        "",
    ]
    for words, command in _commands(typer.main.get_command(app), ("hearthline",)):
        if hasattr(command, "commands") and not command.invoke_without_command:
            continue
        arguments = [_argument(p) for p in command.params if p.param_type_name == "argument"]
        lines += [f"## `{' '.join((*words, *arguments))}`", "", " ".join(str(command.help).split()), ""]
        options = [p for p in command.params if p.param_type_name == "option"]
        if options:
            lines += ["| Option | Meaning |", "| --- | --- |"]
            lines += [f"| `{' / '.join((*p.opts, *p.secondary_opts))}` | {p.help} |" for p in options]
            lines.append("")
    return "\n".join(lines)


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, sub in sorted(getattr(command, "commands", {}).items()):
        yield from _commands(sub, (*words, name))


if __name__ == "__main__":
    print(reference(), end="")
