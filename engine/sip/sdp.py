"""Session descriptions (RFC 8866), read: what an offer or an answer says of each stream.

Of the many lines few change from call to call: the origin, and the port in the m-line. The others are the same for all
calls of one phone, so the rest of a section is remembered by its text, and reading it again is one look-up.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from engine.sip.limits import MAX_SDP_BYTES, MAX_SDP_CRYPTO, MAX_SDP_FORMATS, MAX_SDP_MEDIA
from engine.sip.memory import remember
from engine.sip.names import refuse

_REMEMBERED: Final = 256
"""Sections that are kept."""
_REMEMBERED_LENGTH: Final = 2048
"""Characters of the longest that is kept: a phone's has 100-800, and peers must not choose how much we hold."""
_CRYPTO: Final = "\na=crypto:"


class Direction(StrEnum):
    """Which way media flows, seen from whoever wrote the description (RFC 8866 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def mirrored(self) -> Direction:
        """The same flow seen from the other side."""
        return _MIRRORED[self]

    def narrowed(self, other: Direction) -> Direction:
        """What both allow (RFC 3264 6.1)."""
        return _NARROWED[self, other]


_WAYS: Final = {
    Direction.SENDRECV: (True, True),
    Direction.SENDONLY: (True, False),
    Direction.RECVONLY: (False, True),
    Direction.INACTIVE: (False, False),
}
"""Whether it sends, and whether it receives."""
_OF_WAYS: Final = {ways: direction for direction, ways in _WAYS.items()}
_MIRRORED: Final = {direction: _OF_WAYS[receives, sends] for direction, (sends, receives) in _WAYS.items()}
_NARROWED: Final = {
    (one, other): _OF_WAYS[sends and _WAYS[other][0], receives and _WAYS[other][1]]
    for one, (sends, receives) in _WAYS.items()
    for other in Direction
}
_DIRECTIONS: Final = {str(direction): direction for direction in Direction}


class Origin(NamedTuple):
    """Who made the session and which version this is (RFC 8866 5.2)."""

    username: str
    session_id: str
    version: str
    family: str
    address: str


class Connection(NamedTuple):
    """Where media is to be sent: "IP4" or "IP6" and an address, or a host name (RFC 8866 5.7)."""

    family: str
    address: str


class RtpMap(NamedTuple):
    """What a payload number stands for (RFC 8866 6.6)."""

    payload_type: int
    encoding: str
    """As written; compare without regard to case."""
    clock_rate: int
    channels: int


Attributes = tuple[tuple[str, str | None], ...]


class MediaDescription(NamedTuple):
    """One m-line and what belongs to it."""

    kind: str
    """"audio", "video", "image"..."""
    port: int
    """0 refuses the stream (RFC 3264 6)."""
    port_count: int
    proto: str
    formats: tuple[str, ...]
    connection: Connection | None
    attributes: Attributes
    crypto: tuple[str, ...] = ()
    """Values of a=crypto (RFC 4568), which are not among `attributes`: keys are of one call, and not remembered."""

    def attribute(self, name: str) -> str | None:
        """Value of the first attribute of the name; "" where it has none, None where it is absent."""
        return next((value or "" for found, value in self.attributes if found == name), None)

    @property
    def direction(self) -> Direction | None:
        return direction_in(self.attributes)

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


class SessionDescription(NamedTuple):
    """A whole description."""

    origin: Origin
    name: str
    connection: Connection | None
    times: tuple[str, ...]
    attributes: Attributes
    media: tuple[MediaDescription, ...]

    def connection_of(self, media: MediaDescription) -> Connection | None:
        """The media's own c=, else the session's."""
        return media.connection or self.connection

    def direction_of(self, media: MediaDescription) -> Direction:
        """The media's own direction, else the session's, else both ways (RFC 8866 6.7)."""
        return media.direction or direction_in(self.attributes) or Direction.SENDRECV


def direction_in(attributes: Attributes) -> Direction | None:
    """The direction that the attributes name, if any."""
    return next((_DIRECTIONS[name] for name, value in attributes if name in _DIRECTIONS), None)


def parse_sdp(data: bytes) -> SessionDescription:
    """A description from its bytes, line ends CRLF or LF (RFC 8866 5). s= and t= may be missing, since some peers leave
    them out; v=0 and o= may not. Raises RemoteSipError: 400 for what is malformed, 413 for one over the limit."""
    if len(data) > MAX_SDP_BYTES:
        raise refuse(413, f"session description of {len(data)} octets")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    text = text.removesuffix("\r").replace("\r\n", "\n").rstrip("\n")
    if "\r" in text:
        raise refuse(400, "bare CR in a session description")
    head, *streams = text.split("\nm=", MAX_SDP_MEDIA + 1)
    if len(streams) > MAX_SDP_MEDIA:
        raise refuse(400, f"more than {MAX_SDP_MEDIA} media lines")
    version, _, session = head.partition("\n")
    if version != "v=0":
        raise refuse(400, "session description does not begin with v=0")
    before, _, after = f"\n{session}".partition("\no=")
    origin, feed, rest = after.partition("\n")
    if "\no=" in feed + rest:
        raise refuse(400, "session description needs one o= line")
    section = _read_section(before + feed + rest)
    return SessionDescription(
        _read_origin(origin),
        section.name,
        section.connection,
        section.times,
        section.attributes,
        tuple([_read_media(stream) for stream in streams]),
    )


def _read_media(text: str) -> MediaDescription:
    line, feed, rest = text.partition("\n")
    words = line.split()
    if len(words) < 4 or len(words) > MAX_SDP_FORMATS + 3:
        raise refuse(400, f"malformed media line: {line[:80]!r}")
    port, _, count = words[1].partition("/")
    if not port.isascii() or not port.isdigit() or len(port) > 5 or int(port) > 65535:
        raise refuse(400, f"malformed media port: {line[:80]!r}")
    if count and not (count.isascii() and count.isdigit() and len(count) <= 3):
        raise refuse(400, f"malformed media port: {line[:80]!r}")
    lines = feed + rest
    lines, crypto = _take_keys(lines) if _CRYPTO in lines else (lines, ())
    section = _read_section(lines)
    formats = tuple(words[3:])
    return MediaDescription(
        words[0], int(port), int(count or "1"), words[2], formats, section.connection, section.attributes, crypto
    )


def _take_keys(lines: str) -> tuple[str, tuple[str, ...]]:
    """The lines of a stream without those that hold keys, and what these say."""
    found = lines.split("\n")
    keys = [line[len(_CRYPTO) - 1 :].strip() for line in found if line.startswith(_CRYPTO[1:])]
    return "\n".join([line for line in found if not line.startswith(_CRYPTO[1:])]), tuple(keys[:MAX_SDP_CRYPTO])


def _read_origin(text: str) -> Origin:
    words = text.split()
    if len(words) != 6:
        raise refuse(400, f"malformed o= line: {text[:80]!r}")
    return Origin(words[0], words[1], words[2], words[4], words[5])


class _Section(NamedTuple):
    """What the lines say that stand before, or below, the m-lines."""

    name: str
    connection: Connection | None
    times: tuple[str, ...]
    attributes: Attributes


@remember(_REMEMBERED, _REMEMBERED_LENGTH)
def _read_section(text: str) -> _Section:
    """Lines of one section, each with the line feed before it. Of a letter that may be there once the first counts."""
    values: dict[str, list[str]] = {}
    for line in text.split("\n")[1:]:
        letter, equals, value = line.partition("=")
        if len(letter) != 1 or not equals or not letter.isalpha():
            raise refuse(400, f"not a line of a session description: {line[:80]!r}")
        values.setdefault(letter, []).append(value)
    connections = values.get("c")
    return _Section(
        name=values.get("s", ["-"])[0],
        connection=_read_connection(connections[0]) if connections else None,
        times=tuple(values.get("t", ("0 0",))),
        attributes=tuple(_read_attribute(each) for each in values.get("a", ())),
    )


def _read_connection(text: str) -> Connection:
    words = text.split()
    if len(words) != 3 or words[0] != "IN":
        raise refuse(400, f"malformed c= line: {text[:80]!r}")
    # "/ttl" and "/count" belong to multicast, which a call does not use.
    return Connection(words[1], words[2].partition("/")[0])


def _read_attribute(text: str) -> tuple[str, str | None]:
    name, colon, value = text.partition(":")
    return name.strip(), value.strip() if colon else None


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
    return RtpMap(int(words[0]), encoding, int(rate), int(channels) if channels else 1)
