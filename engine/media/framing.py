"""How commands and events travel between control and the media process.

One JSON array per frame, `["TypeName", {fields}]`, each frame preceded by its length as an unsigned 32-bit big-endian
integer.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from enum import StrEnum
from math import isfinite
from operator import attrgetter
from types import GenericAlias, NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from engine.errors import EngineError
from engine.media import commands, events
from engine.media.commands import Command, SrtpKeys, SrtpSuite
from engine.media.events import MediaEvent

Message = Command | MediaEvent

MAX_FRAME: Final = 1 << 20
"""Bytes of one frame. A list of 1,000 legs takes about 200 KB."""

_LENGTH: Final = struct.Struct("!I")


class WireError(EngineError):
    """The other process sent a frame that this version cannot read."""

    code = "media_wire"


_TYPES: Final[dict[str, type[Any]]] = {cls.__name__: cls for cls in get_args(Message)}
_NAMESPACE: Final = vars(commands) | vars(events)
_HINTS: Final[dict[type[Any], dict[str, Any]]] = {}
"""Of every type that travels, those that stand within others too: the type of each field."""


def _note(hint: Any) -> None:
    """Note a type and those within it."""
    if isinstance(hint, UnionType | GenericAlias):
        for each in get_args(hint):
            _note(each)
    elif is_dataclass(hint) and isinstance(hint, type) and hint not in _HINTS:
        _HINTS[hint] = get_type_hints(hint, _NAMESPACE)
        for each in _HINTS[hint].values():
            _note(each)


for _type in _TYPES.values():
    _note(_type)

_scan: Final = json.JSONDecoder().raw_decode
_to_json: Final[Callable[[object], str]] = json.JSONEncoder(separators=(",", ":")).encode


def _fields(value: Any) -> str:
    """The fields of one of our types as a JSON object."""
    cls = type(value)
    return _TEMPLATES[cls] % tuple([_WRITERS.get(type(v), _to_json)(v) for v in _VALUES[cls](value)])


def _values(names: tuple[str, ...]) -> Callable[[Any], Sequence[Any]]:
    """What gets the values of these fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


# One template a type and one function a value: `json` takes three times as long for a dict of them.
_NAMES: Final = {cls: tuple(f.name for f in fields(cls)) for cls in _HINTS}
_TEMPLATES: Final = {cls: "{" + ",".join([f'"{name}":%s' for name in names]) + "}" for cls, names in _NAMES.items()}
_VALUES: Final = {cls: _values(names) for cls, names in _NAMES.items()}
_WRITERS: Final[dict[type[Any], Callable[[Any], str]]] = {
    str: json.encoder.encode_basestring_ascii,
    int: repr,
    float: lambda value: repr(value) if isfinite(value) else _to_json(value),
    bool: lambda value: "true" if value else "false",
    NoneType: lambda value: "null",
    tuple: lambda value: f"[{','.join([_WRITERS.get(type(v), _to_json)(v) for v in value])}]",
    **{
        each: json.encoder.encode_basestring_ascii
        for each in _NAMESPACE.values()
        if isinstance(each, type) and issubclass(each, StrEnum)
    },
    **dict.fromkeys(_HINTS, _fields),
}


def encode(message: Message) -> bytes:
    """The frame for one message: length, then JSON."""
    body = f'["{type(message).__name__}",{_fields(message)}]'.encode()
    return _LENGTH.pack(len(body)) + body


def decode(body: bytes) -> Message:
    """The message in one frame's body. Raises WireError."""
    try:
        text = body.decode()
        (name, values), end = _scan(text)
        if end != len(text):
            raise ValueError("more follows")
        message: Message = _made(_TYPES[name], values)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WireError(f"unreadable frame {body[:80]!r}: {error}") from error
    return message


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    """What makes a field's value of what JSON has for it; None where that is the same."""
    if hint is SrtpKeys:
        return lambda value: _read_keys(**value)
    if isinstance(hint, UnionType):
        known = [made for made in map(_reader, get_args(hint)) if made is not None]
        if not known:
            return None
        (read,) = known
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is tuple:
        each = _reader(get_args(hint)[0])
        return tuple if each is None else lambda value: tuple([each(one) for one in value])
    if hint in _HINTS:
        return lambda value: _made(hint, value)
    return hint if isinstance(hint, type) and issubclass(hint, StrEnum) else None


def _made(cls: type[Any], values: dict[str, Any]) -> Any:
    for name, read in _READERS[cls]:
        if name in values:
            values[name] = read(values[name])
    return cls(**values)


def _read_keys(suite: str, ours: object, theirs: object, mki_octets: object, resumed: object) -> SrtpKeys:
    """What is wrong is said without showing a key."""
    if not (isinstance(ours, str) and isinstance(theirs, str) and type(mki_octets) is int and 0 <= mki_octets <= 128):
        raise ValueError("srtp must have keys of text and mki_octets between 0 and 128")
    if not isinstance(resumed, bool):
        raise ValueError("srtp: resumed must be true or false")
    return SrtpKeys(suite=SrtpSuite(suite), ours=ours, theirs=theirs, mki_octets=mki_octets, resumed=resumed)


_READERS: Final = {
    cls: tuple((name, read) for name, hint in hints.items() if (read := _reader(hint)) is not None)
    for cls, hints in _HINTS.items()
}
"""What JSON has no word for, by the type in which it stands."""


class Framer:
    """Cuts a byte stream into messages; holds what is not yet whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield every message that is now complete. Raises WireError on a frame that is too long or unreadable."""
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME:
                raise WireError(f"frame of {length} bytes; at most {MAX_FRAME} are allowed")
            if len(self._buffer) < _LENGTH.size + length:
                return
            body = bytes(self._buffer[_LENGTH.size : _LENGTH.size + length])
            del self._buffer[: _LENGTH.size + length]
            yield decode(body)
