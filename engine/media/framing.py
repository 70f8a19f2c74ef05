"""How commands and events travel between control and the media process.

One JSON array per frame, `["TypeName", {fields}]`, each frame preceded by its length as an unsigned 32-bit big-endian
integer.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from math import isfinite
from operator import attrgetter
from typing import Any, Final

from engine.errors import EngineError
from engine.media.commands import (
    CloseLeg,
    Codec,
    Connect,
    Direction,
    Disconnect,
    Drain,
    DtmfDigit,
    Hello,
    Latched,
    LegClosed,
    LegFailed,
    LegInfo,
    LegOpened,
    Legs,
    ListLegs,
    Message,
    OpenLeg,
    PlaneStats,
    Play,
    PlayFinished,
    Quality,
    Refused,
    RtpResumed,
    RtpTimeout,
    SendDtmf,
    SetRemote,
    Shutdown,
    Spares,
    StopPlay,
    Tone,
    Welcome,
)

MAX_FRAME: Final = 1 << 20
"""Bytes of one frame. A list of 1,000 legs takes about 200 KB."""

_LENGTH: Final = struct.Struct("!I")


class WireError(EngineError):
    """The other process sent a frame that this version cannot read."""

    code = "media_wire"


_TYPES: Final[dict[str, type[Any]]] = {
    cls.__name__: cls
    for cls in (
        *(
            Hello,
            OpenLeg,
            SetRemote,
            Connect,
            Disconnect,
            Play,
            StopPlay,
            SendDtmf,
            CloseLeg,
            ListLegs,
            Drain,
            Shutdown,
        ),
        *(
            Welcome,
            Refused,
            Spares,
            LegOpened,
            LegFailed,
            Latched,
            DtmfDigit,
            PlayFinished,
            RtpTimeout,
            RtpResumed,
            Quality,
        ),
        *(LegClosed, Legs, PlaneStats),
    )
}

_scan: Final = json.JSONDecoder().raw_decode
_to_json: Final[Callable[[object], str]] = json.JSONEncoder(separators=(",", ":")).encode


def _fields(value: Any) -> str:
    """The fields of one of our types as a JSON object."""
    cls = type(value)
    return _TEMPLATES[cls] % tuple([_WRITERS.get(type(v), _to_json)(v) for v in _VALUES[cls](value)])


def _tuple(values: tuple[LegInfo, ...] | tuple[int, ...]) -> str:
    return _to_json([[info.leg, info.tag, info.port] if isinstance(info, LegInfo) else info for info in values])


def _values(names: tuple[str, ...]) -> Callable[[Any], Sequence[Any]]:
    """What gets the values of these fields."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda value: [getattr(value, name) for name in names]


# One template a type and one function a value: `json` takes three times as long for a dict of them.
_NAMES: Final = {cls: tuple(f.name for f in fields(cls)) for cls in _TYPES.values()}
_TEMPLATES: Final = {cls: "{" + ",".join([f'"{name}":%s' for name in names]) + "}" for cls, names in _NAMES.items()}
_VALUES: Final = {cls: _values(names) for cls, names in _NAMES.items()}
_WRITERS: Final[dict[type[Any], Callable[[Any], str]]] = {
    str: json.encoder.encode_basestring_ascii,
    **dict.fromkeys((Codec, Direction, Tone), json.encoder.encode_basestring_ascii),
    int: repr,
    float: lambda value: repr(value) if isfinite(value) else _to_json(value),
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
    Quality: _fields,
    tuple: _tuple,
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
        cls = _TYPES[name]
        read = _READERS.get(cls)
        if read is not None:
            read(values)
        message: Message = cls(**values)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise WireError(f"unreadable frame {body[:80]!r}: {error}") from error
    return message


def _read_remote(values: dict[str, Any]) -> None:
    values["codec"] = Codec(values["codec"])
    values["direction"] = Direction(values["direction"])


def _read_play(values: dict[str, Any]) -> None:
    if values["tone"] is not None:
        values["tone"] = Tone(values["tone"])


def _read_closed(values: dict[str, Any]) -> None:
    values["quality"] = Quality(**values["quality"])


def _read_spares(values: dict[str, Any]) -> None:
    values["ports"] = tuple(values["ports"])


def _read_legs(values: dict[str, Any]) -> None:
    values["legs"] = tuple(LegInfo(leg=leg, tag=tag, port=port) for leg, tag, port in values["legs"])


_READERS: Final[dict[type[Any], Callable[[dict[str, Any]], None]]] = {
    SetRemote: _read_remote,
    Play: _read_play,
    LegClosed: _read_closed,
    Legs: _read_legs,
    Spares: _read_spares,
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
