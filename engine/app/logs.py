"""Logs for the operator: one event a line, `key=value` or JSON, with call and leg on every line that has them.

What happens to calls and agents is not logged here and there but comes from the event log (`RecordLogger`), so that the
log file, the CDR and the feed can never disagree.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TextIO

from engine.app.config import LogConfig, LogFormat
from engine.calls.log import (
    AgentStateChanged,
    DigitReceived,
    LegClosed,
    MediaLost,
    OfferRinging,
    Record,
    TrunkStateChanged,
)

_QUIET: Final = (AgentStateChanged, DigitReceived, LegClosed, OfferRinging)
"""Record types that are worth a line at level debug only."""


def _plain(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, float):
        return round(value, 3)
    if is_dataclass(value):
        return str(value)
    return value


def _quoted(value: object) -> str:
    text = str(value)
    if text and all(c.isprintable() and c not in ' ="' for c in text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _pairs(entry: logging.LogRecord) -> Iterator[tuple[str, object]]:
    yield "time", _stamp(entry.created)
    yield "level", entry.levelname.lower()
    yield "event", entry.getMessage()
    yield from getattr(entry, "pairs", {}).items()
    if entry.exc_info and entry.exc_info[1] is not None:
        yield "error", repr(entry.exc_info[1])


class KeyValueFormatter(logging.Formatter):
    """`time=... level=... event=... key=value ...`, values quoted as JSON strings where they need it."""

    def format(self, record: logging.LogRecord) -> str:
        line = " ".join(f"{key}={_quoted(value)}" for key, value in _pairs(record))
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        entry = dict(_pairs(record))
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def set_up_logs(config: LogConfig, stream: TextIO = sys.stderr) -> None:
    """Send everything that is logged in this process to one stream in the configured form."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if config.format is LogFormat.JSON else KeyValueFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(config.level.value.upper())
    for chatty in ("alembic", "asyncio", "uvicorn", "twisted"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, root.level))


def note(event: str, *, level: int = logging.INFO, **pairs: object) -> None:
    """Log something about the process itself (started, listening, port taken), that is in no record."""
    logging.getLogger("hearthline").log(level, event, extra={"pairs": {k: _plain(v) for k, v in pairs.items()}})


class RecordLogger:
    """Writes one line for every record that an operator wants to see."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("hearthline.events")

    def observe(self, records: Sequence[Record]) -> None:
        """Log these records, in order."""
        for record in records:
            level = _level(record)
            if self._logger.isEnabledFor(level):
                self._logger.log(level, type(record.body).__name__, extra={"pairs": _record_pairs(record)})


def _level(record: Record) -> int:
    body = record.body
    if isinstance(body, MediaLost) or (isinstance(body, TrunkStateChanged) and not body.up):
        return logging.WARNING
    return logging.DEBUG if isinstance(body, _QUIET) else logging.INFO


def _record_pairs(record: Record) -> dict[str, Any]:
    pairs: dict[str, Any] = {"seq": record.seq}
    if record.call is not None:
        pairs["call"] = record.call
    for field in fields(record.body):
        value = getattr(record.body, field.name)
        if value is not None and value != "":
            pairs[field.name] = _plain(value)
    return pairs
