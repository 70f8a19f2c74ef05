"""Session descriptions (RFC 8866): read what peers write, print what we mean. What is not understood is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from engine.sip.errors import LocalSipError
from engine.sip.limits import MAX_SDP_BYTES, MAX_SDP_FORMATS, MAX_SDP_MEDIA
from engine.sip.names import refuse

_SESSION_ORDER: Final = "iuepbrzk"
"""Lines that are only carried along; `o s c t m a` have fields of their own. RFC 8866 5 fixes the order in print."""


class Direction(StrEnum):
    """Which way media flows, seen from whoever wrote the description (RFC 8866 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The same flow seen from the other side."""
        return Direction.of(sends=self.receives, receives=self.sends)

    def narrowed(self, other: Direction) -> Direction:
        """What both allow (RFC 3264 6.1)."""
        return Direction.of(sends=self.sends and other.sends, receives=self.receives and other.receives)

    @staticmethod
    def of(*, sends: bool, receives: bool) -> Direction:
        if sends:
            return Direction.SENDRECV if receives else Direction.SENDONLY
        return Direction.RECVONLY if receives else Direction.INACTIVE


_DIRECTIONS: Final = {direction.value: direction for direction in Direction}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Who made the session and which version this is (RFC 8866 5.2)."""

    username: str = "-"
    session_id: str
    version: str
    family: str = "IP4"
    address: str

    def __str__(self) -> str:
        return f"{self.username} {self.session_id} {self.version} IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where media is to be sent: "IP4" or "IP6" and an address, or a host name (RFC 8866 5.7)."""

    family: str
    address: str

    def __str__(self) -> str:
        return f"IN {self.family} {self.address}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpMap:
    """What a payload number stands for (RFC 8866 6.6)."""

    payload_type: int
    encoding: str
    """As written; compare without regard to case."""
    clock_rate: int
    channels: int = 1


Attributes = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaDescription:
    """One m-line and what belongs to it."""

    kind: str
    """"audio", "video", "image"..."""
    port: int
    """0 refuses the stream (RFC 3264 6)."""
    port_count: int = 1
    proto: str = "RTP/AVP"
    formats: tuple[str, ...]
    connection: Connection | None = None
    attributes: Attributes = ()
    lines: tuple[tuple[str, str], ...] = ()
    """i=, b= and k= lines."""

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of the name; "" where it has none, None where it is absent."""
        return _attribute(self.attributes, name)

    @property
    def direction(self) -> Direction | None:
        return _direction(self.attributes)

    @property
    def ptime(self) -> int | None:
        """Milliseconds of one packet, where it is a number."""
        text = self.attribute("ptime")
        return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 4 else None

    @property
    def rtcp_port(self) -> int | None:
        """a=rtcp (RFC 3605), else the port above (RFC 3550 11); None for a refused stream."""
        text = (self.attribute("rtcp") or "").partition(" ")[0]
        if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 65535:
            return int(text)
        return self.port + 1 if 0 < self.port < 65535 else None

    def rtpmap(self) -> dict[int, RtpMap]:
        """The mappings that can be read, by payload number."""
        found: dict[int, RtpMap] = {}
        for name, value in self.attributes:
            mapping = _read_rtpmap(value) if name == "rtpmap" and value else None
            if mapping is not None:
                found.setdefault(mapping.payload_type, mapping)
        return found

    def fmtp(self, payload_type: int) -> str | None:
        """Format parameters of a payload number."""
        for name, value in self.attributes:
            number, _, rest = (value or "").partition(" ")
            if name == "fmtp" and number == str(payload_type):
                return rest.strip()
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDescription:
    """A whole description."""

    origin: Origin
    name: str = "-"
    connection: Connection | None = None
    times: tuple[str, ...] = ("0 0",)
    attributes: Attributes = ()
    lines: tuple[tuple[str, str], ...] = ()
    """Other session lines, carried along."""
    media: tuple[MediaDescription, ...] = ()

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """The media's own c=, else the session's."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """The media's own direction, else the session's, else both ways (RFC 8866 6.7)."""
        return media.direction or _direction(self.attributes) or Direction.SENDRECV

    def to_bytes(self) -> bytes:
        """The description as it goes out. Raises LocalSipError where a value holds a line break."""
        extra = sorted(self.lines, key=lambda line: _SESSION_ORDER.find(line[0]))
        lines = ["v=0", f"o={self.origin}", f"s={self.name or '-'}"]
        lines += [f"{letter}={value}" for letter, value in extra if letter in "iuep"]
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"{letter}={value}" for letter, value in extra if letter == "b"]
        lines += [f"t={time}" for time in self.times]
        lines += [f"{letter}={value}" for letter, value in extra if letter not in "iuepb"]
        lines += _print_attributes(self.attributes)
        for media in self.media:
            lines += _print_media(media)
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            raise LocalSipError("line break inside a session description's value")
        return text.encode() + b"\r\n"


def _print_media(media: MediaDescription) -> list[str]:
    count = f"/{media.port_count}" if media.port_count > 1 else ""
    lines = [f"m={media.kind} {media.port}{count} {media.proto} {' '.join(media.formats)}"]
    lines += [f"i={value}" for letter, value in media.lines if letter == "i"]
    if media.connection is not None:
        lines.append(f"c={media.connection}")
    lines += [f"{letter}={value}" for letter, value in media.lines if letter != "i"]
    return lines + _print_attributes(media.attributes)


def _print_attributes(attributes: Attributes) -> list[str]:
    return [f"a={name}" if value is None else f"a={name}:{value}" for name, value in attributes]


def parse_sdp(data: bytes) -> SessionDescription:
    """A description from its bytes, line ends CRLF or LF (RFC 8866 5). s= and t= may be missing, since some peers leave
    them out; v=0 and o= may not. Raises RemoteSipError: 400 for what is malformed, 413 for one over the limit."""
    if len(data) > MAX_SDP_BYTES:
        raise refuse(413, f"session description of {len(data)} octets")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and not lines[-1]:
        del lines[-1]
    if not lines or lines[0] != "v=0":
        raise refuse(400, "session description does not begin with v=0")
    for line in lines:
        if line[1:2] != "=" or not line[0].isalpha() or "\r" in line:
            raise refuse(400, f"not a line of a session description: {line[:80]!r}")
    starts = [at for at, line in enumerate(lines) if line[0] == "m"]
    if len(starts) > MAX_SDP_MEDIA:
        raise refuse(400, f"{len(starts)} media lines")
    media = tuple(_read_media(lines[start:end]) for start, end in pairwise([*starts, len(lines)]))
    return _read_session(lines[1 : starts[0] if starts else len(lines)], media)


def _read_session(lines: Sequence[str], media: tuple[MediaDescription, ...]) -> SessionDescription:
    origin = _values(lines, "o")
    if len(origin) != 1:
        raise refuse(400, "session description needs one o= line")
    return SessionDescription(
        origin=_read_origin(origin[0]),
        name=next(iter(_values(lines, "s")), "-"),
        connection=_read_connection(_values(lines, "c")),
        times=tuple(_values(lines, "t")) or ("0 0",),
        attributes=_read_attributes(lines),
        lines=tuple((line[0], line[2:]) for line in lines if line[0] not in "osctav"),
        media=media,
    )


def _read_media(lines: Sequence[str]) -> MediaDescription:
    words = lines[0][2:].split()
    if len(words) < 4 or len(words) > MAX_SDP_FORMATS + 3:
        raise refuse(400, f"malformed media line: {lines[0][:80]!r}")
    port, _, count = words[1].partition("/")
    if not (port + count).isascii() or not (port + (count or "1")).isdigit() or len(port) > 5 or len(count) > 3:
        raise refuse(400, f"malformed media port: {lines[0][:80]!r}")
    if not port or int(port) > 65535:
        raise refuse(400, f"malformed media port: {lines[0][:80]!r}")
    return MediaDescription(
        kind=words[0],
        port=int(port),
        port_count=int(count or "1"),
        proto=words[2],
        formats=tuple(words[3:]),
        connection=_read_connection(_values(lines, "c")),
        attributes=_read_attributes(lines),
        lines=tuple((line[0], line[2:]) for line in lines[1:] if line[0] not in "ca"),
    )


def _values(lines: Sequence[str], letter: str) -> list[str]:
    return [line[2:] for line in lines if line[0] == letter]


def _read_origin(text: str) -> Origin:
    words = text.split()
    if len(words) != 6:
        raise refuse(400, f"malformed o= line: {text[:80]!r}")
    return Origin(username=words[0], session_id=words[1], version=words[2], family=words[4], address=words[5])


def _read_connection(values: Sequence[str]) -> Connection | None:
    if not values:
        return None
    words = values[0].split()
    if len(words) != 3 or words[0] != "IN":
        raise refuse(400, f"malformed c= line: {values[0][:80]!r}")
    # "/ttl" and "/count" belong to multicast, which a call does not use.
    return Connection(family=words[1], address=words[2].partition("/")[0])


def _read_attributes(lines: Sequence[str]) -> Attributes:
    found: list[tuple[str, str | None]] = []
    for text in _values(lines, "a"):
        name, colon, value = text.partition(":")
        found.append((name.strip(), value.strip() if colon else None))
    return tuple(found)


def _attribute(attributes: Attributes, name: str) -> str | None:
    return next((value or "" for found, value in attributes if found == name), None)


def _direction(attributes: Attributes) -> Direction | None:
    return next((_DIRECTIONS[name] for name, value in attributes if name in _DIRECTIONS), None)


def _read_rtpmap(value: str) -> RtpMap | None:
    """<payload type> <encoding name>/<clock rate>[/<channels>]; what cannot be read is no mapping."""
    words = value.split()
    if len(words) != 2 or not words[0].isascii() or not words[0].isdigit() or len(words[0]) > 3:
        return None
    encoding, _, rest = words[1].partition("/")
    rate, _, channels = rest.partition("/")
    numbers = rate + (channels or "1")
    if not numbers.isascii() or not numbers.isdigit() or not rate or len(numbers) > 12:
        return None
    return RtpMap(
        payload_type=int(words[0]), encoding=encoding, clock_rate=int(rate), channels=int(channels) if channels else 1
    )
