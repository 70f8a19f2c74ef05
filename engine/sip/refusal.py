"""Refusals that say in a header field what would have been accepted."""

from __future__ import annotations

from engine.sip.errors import RemoteSipError
from engine.sip.identity import ALLOW, ALLOW_ALL, SUPPORTED
from engine.sip.message import Request
from engine.sip.names import METHODS, REASONS


class Refusal(RemoteSipError):
    """A RemoteSipError with header fields for the response."""

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...]) -> None:
        super().__init__(text, status_hint=status, reason=REASONS[status])
        self.headers = headers


class Silence(RemoteSipError):
    """A request that gets no answer at all."""


def method_not_allowed(method: str, *, in_dialog: bool) -> Refusal:
    """405 with the methods that are (RFC 3261 8.2.1); 501 for one that is no method of SIP's at all (21.5.2)."""
    status = 405 if method in METHODS else 501
    return Refusal(status, f"{method[:40]} is not for us", (("Allow", ALLOW if in_dialog else ALLOW_ALL),))


def check_required(request: Request, supported: frozenset[str] = SUPPORTED) -> None:
    """Whether the request requires no extension that we do not know. Raises Refusal(420), which names it
    (RFC 3261 8.2.2.3)."""
    if "Require" not in request.headers.first:
        return
    unknown = ", ".join([tag for tag in request.require if tag.lower() not in supported])
    if unknown:
        raise Refusal(420, f"extensions are required: {unknown[:80]}", (("Unsupported", unknown),))
