"""Bytes to messages, from datagrams and from streams.

Only what a look-up needs is read at once: the start line, the names of the fields, CSeq and Content-Length. Values
parse when they are asked for (`Message`). Nothing but RemoteSipError leaves this module, whatever the bytes are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.grammar import TOKEN
from engine.sip.headers import parse_cseq
from engine.sip.limits import (
    MAX_BODY_BYTES,
    MAX_CONTENT_LENGTH_DIGITS,
    MAX_HEAD_BYTES,
    MAX_HEADER_FIELDS,
    MAX_KEEPALIVE_BYTES,
)
from engine.sip.message import Headers, Message, Request, Response
from engine.sip.names import CANONICAL, METHODS, REASONS

_END_OF_HEAD: Final = b"\r\n\r\n"
_SINGLE: Final = ("Call-ID", "CSeq", "From", "To", "Max-Forwards")
"""Fields of which a second makes the message ambiguous (RFC 3261 7.3.1): which one a look-up takes must not be left to
chance. Content-Length is another, seen to with the framing."""
_STATUSES: Final = {f"{status} ": status for status in range(100, 700)}
_KNOWN: Final = CANONICAL.get
_REQUIRED: Final = frozenset({"Via", "From", "To", "Call-ID", "CSeq"})


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepAlive:
    """Bytes that only keep a NAT binding or a connection open (RFC 5626 3.5.1)."""

    ping: bool
    """True for CRLFCRLF, which a stream's server answers with CRLF."""


class ParseError(RemoteSipError):
    """A message that cannot be used. `message` is what was read, where that is enough to answer it (Via, From, To,
    Call-ID and CSeq are there), else None. A malformed response is dropped."""

    def __init__(self, text: str, *, status_hint: int = 400, message: Message | None = None) -> None:
        super().__init__(text, status_hint=status_hint, reason=REASONS[status_hint])
        self.message = message


Framed = Request | Response | KeepAlive | ParseError
"""What a stream is cut into."""


def parse_datagram(data: bytes) -> Request | Response | KeepAlive:
    """One datagram. Octets past Content-Length are dropped (RFC 3261 18.3). Raises ParseError: 400 for what is
    malformed or cut short, 505 for another version, 513 for a head over the limit."""
    if len(data) <= MAX_KEEPALIVE_BYTES:
        return KeepAlive(ping=data == _END_OF_HEAD)
    if data[0] in b"\r\n":
        # RFC 3261 7.5: empty lines before the start line are passed over.
        data = data.lstrip(b"\r\n")
        if not data:
            return KeepAlive(ping=True)
    head, end, body = data.partition(_END_OF_HEAD)
    if not end or len(head) + len(end) > MAX_HEAD_BYTES:
        raise _headless(data)
    message, length, error = _read_head(head)
    if error is not None:
        try:
            raise error
        finally:
            del error  # else our frame would hold the error, whose traceback holds our frame
    if length is not None:
        if length > len(body):
            raise _error(f"body has {len(body)} octets, Content-Length says {length}", message)
        body = body[:length]
    message.body = body
    message.octets = data
    return message


def _headless(data: bytes) -> ParseError:
    if len(data) > MAX_HEAD_BYTES:
        return ParseError("header fields are over the limit", status_hint=513)
    message, _, error = _read_head(data[:-2] if data.endswith(b"\r\n") else data)
    return error or _error("no empty line after the header fields", message)


class BrokenStream(ParseError):
    """Where the next message begins cannot be known: answer `message` if it is there and close the connection."""

    def __init__(self, cause: ParseError, items: list[Framed]) -> None:
        super().__init__(str(cause), status_hint=cause.status_hint, message=cause.message)
        self.items = items
        """What the same bytes brought before the break; handle it first."""


class StreamFramer:
    """Cuts a stream into messages by Content-Length (RFC 3261 18.3, 7.5). Holds at most one message's bytes."""

    __slots__ = ("_after_line_end", "_awaited", "_broken", "_buffer", "_max_body", "_max_head", "_searched")

    def __init__(self, max_head: int = MAX_HEAD_BYTES, max_body: int = MAX_BODY_BYTES) -> None:
        self._max_head = max_head
        self._max_body = max_body
        self._buffer = bytearray()
        self._searched = 0
        """Up to here the buffer holds no end of a head, so that a slow sender costs no second search."""
        self._awaited: tuple[Request | Response | ParseError, int] | None = None
        """A head that was read, and the length of its body."""
        self._after_line_end = False
        """The stream stood still after a lone CRLF: another one completes a ping."""
        self._broken: ParseError | None = None

    @property
    def held(self) -> int:
        """Bytes of a message that has begun and is not complete, one for a head whose body is awaited."""
        return len(self._buffer) + (self._awaited is not None)

    def feed(self, data: bytes) -> list[Framed]:
        """What is complete now. A ParseError among the items is a malformed message of known length; the stream goes
        on. Raises BrokenStream where it cannot, and again at every further call."""
        items: list[Framed] = []
        if self._broken is None:
            self._buffer += data
            try:
                while self._step(items):
                    pass
            except ParseError as error:
                self._broken = error.with_traceback(None)  # it holds this frame, which holds us
                self._buffer.clear()
        if self._broken is not None:
            raise BrokenStream(self._broken, items)
        return items

    def _step(self, items: list[Framed]) -> bool:
        buffer = self._buffer
        if self._awaited is not None:
            item, length = self._awaited
            if len(buffer) < length:
                return False
            message = item.message if isinstance(item, ParseError) else item
            if message is not None:
                message.body = bytes(buffer[:length])
                message.octets += message.body
            del buffer[:length]
            self._awaited = None
            items.append(item)
            return True
        if not buffer:
            return False
        if buffer[0] in b"\r\n":
            return self._skip_line_ends(items)
        self._after_line_end = False
        end = buffer.find(_END_OF_HEAD, max(0, self._searched - 3), self._max_head)
        if end < 0:
            if len(buffer) >= self._max_head:
                raise ParseError("header fields are over the limit", status_hint=513)
            self._searched = len(buffer)
            return False
        head = bytes(buffer[:end])
        del buffer[: end + 4]
        self._searched = 0
        self._awaited = self._frame(head)
        return True

    def _frame(self, head: bytes) -> tuple[Request | Response | ParseError, int]:
        message, length, error = _read_head(head)
        message.octets = head + _END_OF_HEAD
        try:
            if length is None:
                # RFC 3261 20.14: on a stream the field must be there.
                raise error or _error("no Content-Length on a stream", message)
            if length > self._max_body:
                raise error or _error(f"body of {length} octets is over the limit", message, 513)
            return error or message, length
        finally:
            del error  # see `parse_datagram`

    def _skip_line_ends(self, items: list[Framed]) -> bool:
        """A run of CRLF between messages: stray (RFC 3261 7.5), a ping or a pong (RFC 5626 4.4.1)."""
        buffer = self._buffer
        run = len(buffer) - len(buffer.lstrip(b"\r\n"))
        if run == len(buffer) and buffer[-1:] == b"\r":
            run -= 1
            if run == 0:
                return False
        ping = run >= len(_END_OF_HEAD) or self._after_line_end
        del buffer[:run]
        self._after_line_end = not ping and not buffer
        items.append(KeepAlive(ping=ping))
        return bool(buffer)


def _read_head(head: bytes) -> tuple[Request | Response, int | None, ParseError | None]:
    """Start line and fields, without the empty line: the message, still without its body; Content-Length where it can
    be relied on; and what is wrong."""
    try:
        text = head.decode()
    except UnicodeDecodeError:
        # RFC 3261 7 demands UTF-8, yet old gateways send names in Latin-1. Every octet string is valid Latin-1, so that
        # no lone surrogate reaches the layers above.
        text = head.decode("latin-1")
    lines = text.split("\r\n")
    start = lines.pop(0)
    if text.count("\n") != len(lines) or text.count("\r") != len(lines):
        # A bare CR or LF could end a line for the next reader and not for us.
        return _unread(start), None, ParseError("bare CR or LF in the header")
    if len(lines) > MAX_HEADER_FIELDS:
        return _unread(start), None, ParseError("more header fields than the limit", status_hint=513)
    headers, problem = _read_fields(text, lines)
    length, fault = _take_length(headers)
    message, status = _read_start(start, headers)
    return message, length, _examine(message, status, headers, problem or fault)


def _unread(start: str) -> Request | Response:
    return _read_start(start, Headers())[0]


def _read_fields(text: str, lines: list[str]) -> tuple[Headers, str]:
    """The fields, and what is wrong, or nothing. `text` is the whole head."""
    if "\t" in text or ":  " in text or " \r\n" in text or text[-1:] == " ":
        return _read_odd_fields(lines)
    first: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(": ")
        key = _KNOWN(name)
        if key is None or not colon:
            return _read_odd_fields(lines)
        first[key] = value
    if len(first) != len(lines):
        return _read_odd_fields(lines)
    return Headers.of(first), ""


def _read_odd_fields(lines: list[str]) -> tuple[Headers, str]:
    """As `_read_fields`, for everything that is allowed: names that repeat or that we do not know, folded lines, white
    space in any place or in none."""
    problem = ""
    fields: list[tuple[str, str]] = []
    for line in _unfold(lines):
        name, colon, value = line.partition(":")
        key = _canonical(name) if colon else None
        if key is None:
            problem = f"not a header field: {line[:80]!r}"
            continue
        fields.append((key, value.strip(" \t")))
    return Headers.of_all(fields), problem


def _unfold(lines: list[str]) -> list[str]:
    """Joins continuation lines to their field with one space (RFC 3261 7.3.1)."""
    fields: list[list[str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and fields:
            fields[-1].append(line.strip(" \t"))
        else:
            fields.append([line])
    return [" ".join(field) for field in fields]


def _canonical(name: str) -> str | None:
    bare = name.rstrip(" \t")
    known = CANONICAL.get(bare) or CANONICAL.get(bare.lower())
    if known is not None:
        return known
    return bare.title() if TOKEN.fullmatch(bare) else None


def _take_length(headers: Headers) -> tuple[int | None, str]:
    """Takes Content-Length off the fields: its value, None where it is absent or of no use, and what is wrong."""
    values = headers.take("Content-Length")
    if not values:
        return None, ""
    if len(values) > 1:
        return None, "Content-Length is there more than once"
    digits = values[0]
    if digits.isascii() and digits.isdigit() and len(digits) <= MAX_CONTENT_LENGTH_DIGITS:
        return int(digits), ""
    return None, f"not a Content-Length: {digits[:80]!r}"


def _examine(message: Request | Response, status: int, headers: Headers, problem: str) -> ParseError | None:
    """What makes the message unusable before any value is asked for (RFC 3261 8.1.1, 8.2, 18.1)."""
    present = headers.first.keys()
    if not present >= _REQUIRED:
        return ParseError(f"missing: {', '.join(sorted(_REQUIRED - present))}", status_hint=status or 400)
    if status:
        return _error("start line cannot be used", message, status)
    if headers.repeats:
        problem = next((f"{key} is there more than once" for key in _SINGLE if len(headers.get_all(key)) > 1), problem)
    if problem:
        return _error(problem, message)
    try:
        cseq = headers.typed["CSeq"] = parse_cseq(headers.first["CSeq"])
    except RemoteSipError as error:
        return _error(str(error), message)
    method = cseq.method
    if isinstance(message, Request) and method != message.method:
        return _error(f"CSeq is of {method[:40]}, the request of {message.method[:40]}", message)
    return None


def _read_start(line: str, headers: Headers) -> tuple[Request | Response, int]:
    """The message with its start line read, and the status to refuse it with (0: none)."""
    if line.startswith("SIP/2.0 "):
        status = _STATUSES.get(line[8:12])
        if status is not None:
            return Response(status, line[12:], headers), 0
        return Response(0, "", headers), 400
    parts = line.split(" ")
    if len(parts) == 3 and parts[2] == "SIP/2.0" and parts[1] and "\t" not in parts[1]:
        method = parts[0]
        if method in METHODS or TOKEN.fullmatch(method):
            return Request(method, parts[1], headers), 0
    return _read_odd_start(line, headers)


def _read_odd_start(line: str, headers: Headers) -> tuple[Request | Response, int]:
    """Whatever is not written as everybody writes it (RFC 3261 7.1, 7.2): the version is compared without regard to
    case, and one that is not ours is refused with 505 (21.5.6)."""
    if line[:4].upper() == "SIP/":
        if line[:8].upper() == "SIP/2.0 ":
            return _read_start("SIP/2.0 " + line[8:], headers)
        return Response(0, "", headers), 505
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    request = Request(method, uri, headers)
    plain = TOKEN.fullmatch(method) is not None and uri != "" and " " not in uri and "\t" not in uri
    if plain and version.upper() == "SIP/2.0":
        return request, 0
    name, slash, number = version.partition("/")
    if plain and name.upper() == "SIP" and slash and number.replace(".", "", 1).isdecimal():
        return request, 505
    return request, 400


def _error(text: str, message: Message, status: int = 400) -> ParseError:
    return ParseError(text, status_hint=status, message=message)
