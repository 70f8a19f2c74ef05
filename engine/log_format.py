"""How a line of a log looks, in every process: one event a line, `key=value` or JSON.

An event's name is the message; what belongs to it travels in `extra=pairs(...)`. The same lines come from the control
process and the media process, so that one reader understands both.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from typing import Any


class LogFormat(StrEnum):
    KEY_VALUE = "key-value"
    JSON = "json"


def pairs(**values: object) -> dict[str, dict[str, object]]:
    """The `extra` of a logging call that says these things."""
    return {"pairs": {key: plain(value) for key, value in values.items()}}


def plain(value: object) -> object:
    """A value as a reader of logs wants it: the value of an enum, a dataclass in its own words, milliseconds at most."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 3)
    if is_dataclass(value):
        return str(value)
    return value


def formatter(log_format: LogFormat, **always: object) -> logging.Formatter:
    """Lines in this form, each with these pairs too."""
    return JsonFormatter(always) if log_format is LogFormat.JSON else KeyValueFormatter(always)


class _EventFormatter(logging.Formatter):
    def __init__(self, always: dict[str, Any]) -> None:
        super().__init__()
        self._always = always

    def _pairs(self, entry: logging.LogRecord) -> Iterator[tuple[str, object]]:
        yield "time", _stamp(entry.created)
        yield "level", entry.levelname.lower()
        yield from self._always.items()
        yield "event", entry.getMessage()
        yield from getattr(entry, "pairs", {}).items()
        if entry.exc_info and entry.exc_info[1] is not None:
            yield "error", repr(entry.exc_info[1])


class KeyValueFormatter(_EventFormatter):
    """`time=... level=... event=... key=value ...`, values quoted as JSON strings where they need it."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(f"{key}={_quoted(value)}" for key, value in self._pairs(record))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(_EventFormatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = dict(self._pairs(record))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def _quoted(value: object) -> str:
    text = str(value)
    if text and all(c.isprintable() and c not in ' ="' for c in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
