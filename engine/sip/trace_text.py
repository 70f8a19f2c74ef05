"""A traced message made ready for eyes: what it is in a few words, what its SDP says, and no secret in it.

Secrets are always masked, character by character so that every length stays right: the `response` of digest (and the
server's `rspauth`), from which a password can be guessed at leisure, the keys of SRTP (`a=crypto`, RFC 4568), and what
callers press (INFO), which may be the number of a card.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.flow import Flow
from engine.sip.message import Request, Response
from engine.sip.parser import ParseError, parse_datagram
from engine.sip.recorder import Trace
from engine.sip.sdp import parse_sdp

_SECRET: Final = re.compile(
    rb"(?im)"
    rb"(?:^(?:Proxy-)?Authorization\s*:|^(?:Proxy-)?Authentication-Info\s*:)(?:[^\r\n]|\r\n[ \t])*"
    rb"|^a=crypto:[^\r\n]*"
)
"""A field, with the lines that it is folded into, or a line of SDP, in which there may be secrets."""
_VALUE: Final = re.compile(rb'(?i)(?<![a-z0-9_-])((?:response|rspauth)\s*=\s*"?|inline:)([^",;\s|]+)')
_PRESSED: Final = re.compile(rb"(?im)(^Signal[ \t]*=[ \t]*|^)([0-9*#A-D]{1,2})(?=[ \t]*\r?$)")
"""A key in a body of INFO: named, or alone in its line."""
_PRINTABLE_BOUND: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """One message that passed."""

    at: float
    """Seconds since the epoch."""
    way: str
    """"in" or "out"."""
    flow: Flow
    data: bytes
    """Secrets masked."""
    call_id: str
    again: bool
    """The same bytes went that way before."""
    title: str
    """"INVITE 1", "200 OK (INVITE 1)", or what is wrong with it."""
    sdp: str
    """"sendrecv PCMU,PCMA 192.0.2.1:4000", empty without SDP."""


def passed(traces: Iterable[Trace]) -> list[Passed]:
    """The messages of these Call-IDs in the order of time."""
    found = []
    for trace in traces:
        seen: set[tuple[str, bytes]] = set()
        for at, way, flow, data in trace:
            title, sdp = describe(data)
            again = (way, data) in seen
            seen.add((way, data))
            found.append(
                Passed(
                    at=at,
                    way=way,
                    flow=flow,
                    data=masked(data),
                    call_id=trace.call_id,
                    again=again,
                    title=title,
                    sdp=sdp,
                )
            )
    return sorted(found, key=lambda each: each.at)


def masked(data: bytes) -> bytes:
    """The message without secrets, of the same length."""
    data = _SECRET.sub(lambda field: _VALUE.sub(_stars, field[0]), data)
    if data.startswith(b"INFO "):
        head, blank, body = data.partition(b"\r\n\r\n")
        if b"application/dtmf" in head.lower():
            data = head + blank + _PRESSED.sub(_stars, body)
    return data


def _stars(found: re.Match[bytes]) -> bytes:
    return found[1] + b"*" * len(found[2])


def describe(data: bytes) -> tuple[str, str]:
    """Title and SDP of a message; of one that cannot be read its first line."""
    try:
        message = parse_datagram(data)
        if not isinstance(message, Request | Response):
            return "keep-alive", ""
        cseq = message.cseq
        if isinstance(message, Request):
            title = f"{_shown(message.method)} {cseq.number}"
        else:
            title = f"{message.status} {_shown(message.reason)} ({_shown(cseq.method)} {cseq.number})"
        return title, _media(message.body) if message.content_type == "application/sdp" else ""
    except ParseError as error:
        first = data.partition(b"\r\n")[0].decode(errors="replace")
        return f"malformed: {_shown(first)!r}: {error}", ""
    except RemoteSipError as error:
        return f"malformed: {error}", ""


def _media(body: bytes) -> str:
    """Each stream in a few words."""
    try:
        session = parse_sdp(body)
    except RemoteSipError as error:
        return f"SDP: {error}"
    told = []
    for media in session.media:
        if media.port == 0:
            told.append(f"{_shown(media.kind)} refused")
            continue
        names = {str(number): mapping.encoding for number, mapping in media.rtpmap().items()}
        codecs = ",".join(names.get(each) or _STATIC.get(each, each) for each in media.formats)
        connection = session.connection_of(media)
        host = "?" if connection is None else connection.address
        kind = "" if media.kind == "audio" else f"{media.kind} "
        told.append(_shown(f"{kind}{session.direction_of(media)} {codecs} {_host(host)}:{media.port}"))
    return "; ".join(told) or "SDP without streams"


_STATIC: Final = {"0": "PCMU", "3": "GSM", "8": "PCMA", "9": "G722", "18": "G729"}
"""RFC 3551 6: those that need no rtpmap."""


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _shown(text: str) -> str:
    """Text of a stranger for a terminal: nothing that moves its cursor."""
    return "".join(char if char.isprintable() else "?" for char in text[:_PRINTABLE_BOUND])
