"""What a message carries: the session description in its body, alone or as a part of several (RFC 5621)."""

from __future__ import annotations

from typing import Final

from engine.sip.errors import RemoteSipError
from engine.sip.headers import parse_media_type, parse_params
from engine.sip.identity import ACCEPT
from engine.sip.limits import MAX_BODY_PARTS
from engine.sip.message import Request, Response
from engine.sip.names import canonical, refuse
from engine.sip.refusal import Refusal

SDP: Final = "application/sdp"
_ENCRYPTED: Final = frozenset({"application/pkcs7-mime", "multipart/encrypted"})
_PLAIN: Final = frozenset({"", "identity"})
_RANGES: Final = frozenset({SDP, "application/*", "*/*"})


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description, else None: also where the body is empty, of another type, or cannot be read."""
    body = message.body
    if not body:
        return None
    first = message.headers.first
    if "Content-Encoding" in first and first["Content-Encoding"].lower() not in _PLAIN:
        return None
    if first.get("Content-Type") == SDP:
        return body
    try:
        kind = message.content_type or ""
        if kind == SDP:
            return body
        return _read_parts(message)[0] if kind.startswith("multipart/") else None
    except RemoteSipError:
        return None


def check_body(request: Request) -> None:
    """Whether we can do with the body what the sender asks. Raises Refusal: 415 with what would be read, for a type
    (RFC 3261 8.2.3), a part of several (RFC 5621 3) or an encoding that is not; RemoteSipError(493) for what is
    encrypted."""
    first = request.headers.first
    if "Content-Encoding" in first and first["Content-Encoding"].lower() not in _PLAIN:
        raise Refusal(415, f"encoding {first['Content-Encoding'][:40]}", (("Accept-Encoding", "identity"),))
    if first.get("Content-Type") == SDP:
        return
    kind = request.content_type or ""
    if kind in _ENCRYPTED:
        raise refuse(493, f"body of type {kind}")
    unread = kind or "none"
    if kind.startswith("multipart/"):
        found, unread = _read_parts(request)
        if found is not None and kind == "multipart/alternative":
            # Whoever offers alternatives wants the one that is understood (RFC 2046 5.1.4).
            unread = ""
    elif kind == SDP or _optional(first.get("Content-Disposition", "")):
        return
    if unread:
        raise Refusal(415, f"body of type {unread[:40]}", (("Accept", ACCEPT),))


def check_answerable(request: Request) -> None:
    """Whether the sender takes a session description in the answer. Raises RemoteSipError(406) where its Accept has
    none (RFC 3261 21.4.7); a request without Accept takes one (20.1)."""
    for item in request.headers.values("Accept"):
        kind, _, params = item.partition(";")
        if kind.strip().lower() in _RANGES and not _worthless(params):
            return
    raise refuse(406, "no session description is accepted")


def _worthless(params: str) -> bool:
    quality = (parse_params(f";{params}") if params else {}).get("q") or "1"
    return quality.strip("0.") == ""


def _read_parts(message: Request | Response) -> tuple[bytes | None, str]:
    """The first description among the parts, and the type of a part that we cannot read though the sender demands it.
    Raises RemoteSipError for a body that cannot be taken apart."""
    _, params = parse_media_type(message.headers.one_text("Content-Type"))
    boundary = params.get("boundary")
    if not boundary or len(boundary) > 70:
        raise refuse(400, "multipart body without a boundary (RFC 2046 5.1.1)")
    # RFC 2046 5.1.1: each delimiter begins a line, and its line break belongs to it.
    pieces = (b"\r\n" + message.body).split(b"\r\n--" + boundary.encode(), MAX_BODY_PARTS + 1)[1:]
    sdp: bytes | None = None
    unread = ""
    for piece in pieces:
        if piece.startswith(b"--"):
            return sdp, unread
        head, end, content = piece.partition(b"\r\n\r\n")
        if not end or head.lstrip(b" \t")[:2] not in (b"", b"\r\n"):
            raise refuse(400, "a part of the body has no end of its head")
        fields = _fields(head)
        kind = fields.get("Content-Type", "text/plain").partition(";")[0].strip().lower()
        plain = fields.get("Content-Encoding", "").lower() in _PLAIN
        if kind == SDP and plain and sdp is None:
            sdp = content
        elif not _optional(fields.get("Content-Disposition", "")):
            unread = unread or kind
    raise refuse(400, f"multipart body without an end, or with more than {MAX_BODY_PARTS} parts")


def _fields(head: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon and name.strip().isascii() and name.strip().replace("-", "").isalnum():
            found[canonical(name.strip())] = value.strip()
    return found


def _optional(disposition: str) -> bool:
    """Whether a body may be passed over (RFC 3261 20.11: "required" where nothing is said)."""
    if not disposition:
        return False
    try:
        params = parse_params(";" + disposition.partition(";")[2]) if ";" in disposition else {}
    except RemoteSipError:
        return False
    return (params.get("handling") or "").lower() == "optional"
