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
from types import NoneType
from typing import Any, Final, TypedDict, get_args, get_type_hints

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.journal import Record
from engine.calls.log import LogBody
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


EventValues = tuple[int, int, str | None, float, float, str, str]
"""The values of an `EventRow`, in this order."""


def encode(record: Record) -> EventRow:
    """The row for one record."""
    seq, schema, call, wall, mono, type_, body = event_values(record)
    return {"seq": seq, "schema": schema, "call": call, "wall": wall, "mono": mono, "type": type_, "body": body}


def event_values(record: Record) -> EventValues:
    """The row for one record, for who writes many."""
    seq, schema, call, wall, mono, body = record
    cls = type(body)
    return seq, schema, call, wall, mono, cls.__name__, _ENCODERS[cls](body)


def body_json(body: LogBody) -> str:
    """The fields of a body as a JSON object."""
    return _ENCODERS[type(body)](body)


def feed_json(row: EventRow | Mapping[str, Any]) -> str:
    """The same record as one JSON object, as the API's event pages and the feed show it."""
    call = row["call"]
    return (
        f'{{"seq":{row["seq"]},"schema":{row["schema"]},"call":{"null" if call is None else json.dumps(call)},'
        f'"wall":{row["wall"]!r},"mono":{row["mono"]!r},"type":"{row["type"]}","body":{row["body"]}}}'
    )


_TYPES: Final[dict[str, type[Any]]] = {cls.__name__: cls for cls in get_args(LogBody)}
_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {c: tuple(f.name for f in fields(c)) for c in _TYPES.values()}

_text: Final[Callable[[str], str]] = json.encoder.encode_basestring_ascii


def _float(value: float) -> str:
    return repr(value) if isfinite(value) else "null"


def _cause(value: EndCause) -> str:
    code = "null" if value.sip_code is None else value.sip_code
    told = "" if value.q850 is None else f',"q850":{value.q850}'
    return f'{{"outcome":"{value.outcome}","reason":"{value.reason}","sip_code":{code}{told}}}'


def _writer(hint: Any) -> Callable[[Any], str]:
    """What writes a value of this type as JSON."""
    hint = getattr(hint, "__supertype__", hint)
    some = [part for part in get_args(hint) if part is not NoneType]
    if some:
        write = _writer(some[0])
        return lambda value: "null" if value is None else write(value)
    if issubclass(hint, StrEnum):
        return {member: _text(member.value) for member in hint}.__getitem__
    writers: dict[type[Any], Callable[[Any], str]] = {
        str: _text,
        int: int.__repr__,
        float: _float,
        bool: {True: "true", False: "false"}.__getitem__,
        EndCause: _cause,
    }
    return writers[hint]


def _encoder(cls: type[Any]) -> Callable[[Any], str]:
    """The function that writes the fields of a body of this type, made as `dataclass` makes its own: from source. With
    one expression for the whole object this takes half as long as any loop over the fields, and every record of every
    call comes through here."""
    hints = get_type_hints(cls)
    writers = {f"write_{name}": _writer(hints[name]) for name in _NAMES[cls]}
    inside = ",".join(f'"{name}":{{write_{name}(body.{name})}}' for name in _NAMES[cls])
    made: Callable[[Any], str] = eval(f"lambda body: f'{{{{{inside}}}}}'", writers)
    return made


_ENCODERS: Final = {cls: _encoder(cls) for cls in _TYPES.values()}


def _end_cause(value: Mapping[str, Any]) -> EndCause:
    return EndCause(
        outcome=Outcome(value["outcome"]),
        reason=Reason(value["reason"]),
        sip_code=value.get("sip_code"),
        q850=value.get("q850"),
    )


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
