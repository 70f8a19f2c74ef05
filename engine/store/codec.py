"""A record of the event log as a row of the `events` table, and back.

The body is a JSON object of its fields; enums are their values, an `EndCause` is an object of its own. Reading takes
what it knows: fields that this version has not got are passed over, fields that the row has not got take their
defaults, so that fields may be added on either side of an upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from math import isfinite, nan
from operator import attrgetter
from typing import Any, Final, TypedDict, get_args, get_type_hints

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.log import LogBody, Record
from engine.ids import CallId
from engine.store.errors import UnreadableRecord


class EventRow(TypedDict):
    """One row of `events`."""

    seq: int
    schema: int
    call: str | None
    wall: float
    mono: float
    type: str
    body: str
    """JSON, ASCII only."""


def _float(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


def _cause(value: EndCause) -> str:
    code = "null" if value.sip_code is None else value.sip_code
    return f'{{"outcome":"{value.outcome}","reason":"{value.reason}","sip_code":{code}}}'


def _other(value: object) -> str:
    """Enums, and whatever a later body may hold."""
    return _to_json(value)


_to_json: Final[Callable[[object], str]] = json.JSONEncoder(separators=(",", ":"), default=str).encode
_text: Final[Callable[[str], str]] = json.encoder.encode_basestring_ascii

# A dict handed to `json` takes four times as long as one template a type and one function a value.
_WRITERS: Final[dict[type[Any], Callable[[Any], str]]] = {
    str: _text,
    int: repr,
    float: _float,
    bool: {True: "true", False: "false"}.__getitem__,
    type(None): {None: "null"}.__getitem__,
    EndCause: _cause,
}
_TYPES: Final[dict[str, type[Any]]] = {cls.__name__: cls for cls in get_args(LogBody)}
_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {c: tuple(f.name for f in fields(c)) for c in _TYPES.values()}
_TEMPLATES: Final = {cls: "{" + ",".join(f'"{name}":%s' for name in names) + "}" for cls, names in _NAMES.items()}


def _getter(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    get = attrgetter(*names)
    return get if len(names) > 1 else lambda body: (get(body),)


_GETTERS: Final = {cls: _getter(names) for cls, names in _NAMES.items()}


def encode(record: Record) -> EventRow:
    """The row for one record."""
    body = record.body
    return {
        "seq": record.seq,
        "schema": record.schema,
        "call": record.call,
        "wall": record.wall,
        "mono": record.mono,
        "type": type(body).__name__,
        "body": body_json(body),
    }


def body_json(body: LogBody) -> str:
    """The fields of a body as a JSON object."""
    cls = type(body)
    return _TEMPLATES[cls] % tuple([_WRITERS.get(type(v), _other)(v) for v in _GETTERS[cls](body)])


def feed_json(row: EventRow | Mapping[str, Any]) -> str:
    """The same record as one JSON object, as the API's event pages and the feed show it."""
    call = row["call"]
    return (
        f'{{"seq":{row["seq"]},"schema":{row["schema"]},"call":{"null" if call is None else json.dumps(call)},'
        f'"wall":{row["wall"]!r},"mono":{row["mono"]!r},"type":"{row["type"]}","body":{row["body"]}}}'
    )


def _end_cause(value: Mapping[str, Any]) -> EndCause:
    return EndCause(outcome=Outcome(value["outcome"]), reason=Reason(value["reason"]), sip_code=value.get("sip_code"))


def _read_float(value: float | None) -> float:
    return nan if value is None else float(value)


def _readers(cls: type[Any]) -> dict[str, Callable[[Any], Any]]:
    """For each field whose JSON form is not its value: how to get the value."""
    found: dict[str, Callable[[Any], Any]] = {}
    for name, hint in get_type_hints(cls).items():
        if hint is EndCause:
            found[name] = _end_cause
        elif isinstance(hint, type) and issubclass(hint, StrEnum):
            found[name] = hint
        elif isinstance(hint, type) and issubclass(hint, float):
            found[name] = _read_float
    return found


_READERS: Final = {cls: _readers(cls) for cls in _TYPES.values()}


def decode(row: EventRow | Mapping[str, Any]) -> Record:
    """The record of one row. Raises UnreadableRecord for an unknown type, broken JSON or a field that is missing and
    has no default."""
    try:
        cls = _TYPES[row["type"]]
        given = json.loads(row["body"])
        values = {name: given[name] for name in _NAMES[cls] if name in given}
        for name, read in _READERS[cls].items():
            if name in values:
                values[name] = read(values[name])
        body = cls(**values)
    except (KeyError, ValueError, TypeError) as error:
        what = f"unknown type {row['type']!r}" if row["type"] not in _TYPES else f"{type(error).__name__}: {error}"
        raise UnreadableRecord(f"event {row['seq']} ({row['type']}) cannot be read: {what}") from error
    call = row["call"]
    return Record(row["seq"], row["schema"], None if call is None else CallId(call), row["wall"], row["mono"], body)
