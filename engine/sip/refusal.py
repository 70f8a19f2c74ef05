"""Refusals that say in a header field what would have been accepted."""

from __future__ import annotations

from engine.sip.errors import RemoteSipError
from engine.sip.identity import ALLOW, ALLOW_ALL, SUPPORTED
from engine.sip.message import Request, Response
from engine.sip.names import REASONS


class Refusal(RemoteSipError):
    """A RemoteSipError with header fields for the response."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(text, status_hint=status, reason=REASONS[status])
        self.headers = headers


class Silence(RemoteSipError):
    """A request that gets no answer at all."""


def method_not_allowed(method: str, *, in_dialog: bool) -> Refusal:
    """405 with the methods that are (RFC 3261 8.2.1)."""
    return Refusal(405, f"{method[:40]} is not for us", (("Allow", ALLOW if in_dialog else ALLOW_ALL),))


def check_required(request: Request) -> None:
    """Whether the request requires no extension that we do not know. Raises Refusal(420) (RFC 3261 8.2.2.3)."""
    if "Require" in request.headers.first and (tags := [tag for tag in request.require if tag not in SUPPORTED]):
        raise Refusal(420, f"extensions are required: {', '.join(tags)[:80]}", (("Unsupported", ", ".join(tags)),))


def check_understood(request: Request) -> None:
    """Whether the request wants nothing that we do not know. Raises Refusal: 420 for an extension, 415 for a body other
    than SDP (RFC 3261 8.2.3)."""
    check_required(request)
    if request.body and (kind := request.content_type) != "application/sdp":
        raise Refusal(415, f"body of type {kind}", (("Accept", "application/sdp"),))


def sdp_of(message: Request | Response) -> bytes | None:
    """The body where it is SDP, else None: also where it is empty or its type cannot be read."""
    if not message.body:
        return None
    try:
        return message.body if message.content_type == "application/sdp" else None
    except RemoteSipError:
        return None
