"""What a torture case is: a message of our own, the RFC's section and name for its kind, and what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.sip.errors import RemoteSipError
from engine.sip.message import Request, Response
from engine.sip.parser import KeepAlive, parse_datagram

Message = Request | Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """`name` is that of the RFC's own file, so that the RFC's octets run against the same outcome."""

    name: str
    section: str
    data: bytes
    refused: int | None = None
    """The status of the error, or None for a message that must be taken."""
    answerable: bool = True
    """Whether enough was read to answer a request that is refused."""
    holds: Callable[[Message], bool] | None = None
    """What must be true of our own message once it is parsed."""


def sip(*lines: str, body: str = "", length: str | None = "right") -> bytes:
    """Joins lines with CRLF, puts Content-Length last unless `length` says otherwise."""
    octets = body.encode()
    if length == "right":
        lines = (*lines, f"Content-Length: {len(octets)}")
    elif length is not None:
        lines = (*lines, f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + octets


def sdp(*media: str) -> str:
    """A small session description."""
    head = ("v=0", "o=ann 42 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0")
    return "\r\n".join((*head, *(media or ("m=audio 30000 RTP/AVP 0",)))) + "\r\n"


def outcome(data: bytes) -> tuple[int | None, Message | None]:
    """Parses everything there is: the status of the refusal or None, and the message as far as it was read."""
    try:
        message = parse_datagram(data)
    except RemoteSipError as error:
        found = getattr(error, "message", None)
        return error.status_hint, found if isinstance(found, Request | Response) else None
    assert not isinstance(message, KeepAlive)
    try:
        message.check()
    except RemoteSipError as error:
        return error.status_hint, message
    return None, message
