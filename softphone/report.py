"""What the phone tells on standard output: one event a line, as JSON for a program or in words for a person."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

Value = str | int | float | bool | None | Mapping[str, "Value"]
"""What a field of a report may hold."""

PERIODIC: Final = frozenset({"level", "quality"})
"""Events that may be thrown away when nobody reads fast enough: the next one says the same again."""


@dataclass(frozen=True, slots=True)
class Report:
    """One line of output."""

    event: str
    fields: Mapping[str, Value] = field(default_factory=dict)


Emit = Callable[[Report], None]


def as_json(report: Report) -> str:
    """Return `{"event": ..., field: ...}` in one line of ASCII."""
    return json.dumps({"event": report.event, **report.fields}, separators=(",", ":"))


def as_words(report: Report) -> str:
    """Return a line for a person: the event, then its fields; texts that a far end wrote cannot leave the line."""
    shown = [f"{name} {_shown(value)}" for name, value in report.fields.items() if value not in ("", None)]
    name = report.event.replace("_", " ")
    return f"{name}: {', '.join(shown)}" if shown else name


def _shown(value: Value) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {_shown(part)}" for name, part in value.items()) + ")"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(mark if mark.isprintable() else "?" for mark in str(value))
