"""How a line of a log looks, in every process: one event a line, `key=value` or JSON.

An event's name is the message; what belongs to it travels in `extra=pairs(...)`. The same lines come from the control
process and the media process, so that one reader understands both.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Final, NamedTuple


class LogFormat(StrEnum):
    KEY_VALUE = "key-value"
    JSON = "json"


def pairs(**values: object) -> dict[str, dict[str, object]]:
    """The `extra` of a logging call that says these things."""
    return {"pairs": {key: plain(value) for key, value in values.items()}}


def plain(value: object) -> object:
    """A value as a reader of logs wants it: of an enum its value, a dataclass in its words, milliseconds at most."""
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, Enum):
        return value.value
    return value if isinstance(value, str | int) or not is_dataclass(value) else str(value)


class Line(NamedTuple):
    """One line."""

    at: float
    """Seconds since the epoch."""
    level: int
    event: str
    pairs: Mapping[str, object]


def lines(many: Sequence[Line]) -> dict[str, Sequence[Line]]:
    """The `extra` of a logging call that says all of these at once, each in a line of its own: most of what a logging
    call takes is then spent only once."""
    return {"lines": many}


def formatter(log_format: LogFormat, **always: object) -> logging.Formatter:
    """Lines in this form, each with these pairs too."""
    return _EventFormatter(_to_json if log_format is LogFormat.JSON else _key_value, always)


class _EventFormatter(logging.Formatter):
    def __init__(self, write: Callable[[dict[str, object]], str], always: dict[str, object]) -> None:
        super().__init__()
        self._write = write
        self._always = always

    def format(self, record: logging.LogRecord) -> str:
        many: Sequence[Line] | None = getattr(record, "lines", None)
        if many is not None:
            return "\n".join([self._write(self._found(line)) for line in many])
        found = self._found(Line(record.created, record.levelno, record.getMessage(), getattr(record, "pairs", {})))
        if record.exc_info and record.exc_info[1] is not None:
            found["error"] = repr(record.exc_info[1])
            found["traceback"] = self.formatException(record.exc_info)
        return self._write(found)

    def _found(self, line: Line) -> dict[str, object]:
        level = _LEVELS.get(line.level) or logging.getLevelName(line.level).lower()
        return {"time": _stamp(line.at), "level": level, **self._always, "event": line.event, **line.pairs}


_encode: Final[Callable[[object], str]] = json.JSONEncoder(ensure_ascii=False, default=str).encode


def _to_json(value: object) -> str:
    """JSON in one line for whoever reads it: JSON leaves DEL, the controls above it and the line ends of Unicode as
    they are, and strangers choose what stands in a log."""
    text = _encode(value)
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else json.dumps(letter)[1:-1]


def _key_value(found: dict[str, object]) -> str:
    """Values quoted as JSON strings where they need it; a traceback follows in lines of its own."""
    traceback = found.pop("traceback", None)
    line = " ".join([f"{key}={value!s}" for key, value in found.items()])
    if not _needs_no_quotes(line, len(found)):
        line = " ".join([f"{key}={_quoted(str(value))}" for key, value in found.items()])
    return line if traceback is None else f"{line}\n{traceback}"


def _needs_no_quotes(line: str, pairs: int) -> bool:
    """Whether `_quoted` would leave all values of this line as they are, looked at in one go."""
    return (
        line.isprintable()
        and line.count("=") == pairs
        and line.count(" ") == pairs - 1
        and '"' not in line
        and "= " not in line
        and not line.endswith("=")
    )


_LEVELS: Final = {
    level: logging.getLevelName(level).lower()
    for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)
}


def _quoted(text: str) -> str:
    # Of white space only the blank is printable.
    if text and text.isprintable() and " " not in text and "=" not in text and '"' not in text:
        return text
    return _to_json(text)


def _stamp(seconds: float) -> str:
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03}Z"


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    """Most lines are written in the same second as the one before."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
