"""What the API shows of SIP messages that passed."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api.base_view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedCallView(View):
    """One of the last calls."""

    call: str
    at: float | None
    """Seconds since the epoch."""
    origin: str
    caller: str
    called: str
    ended: str
    """Why it ended; empty while it lives."""
    call_ids: tuple[str, ...]
    """SIP Call-IDs of its legs, the caller's first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipMessageView(View):
    """One message."""

    at: float
    """Seconds since the epoch."""
    way: str
    """"in" or "out"."""
    transport: str
    local: str
    remote: str
    """host:port, IPv6 in brackets."""
    call_id: str
    title: str
    """Method or status with the CSeq."""
    sdp: str
    """Direction, codecs and address of its streams; empty without SDP."""
    again: bool
    """A repetition."""
    text: str
    """The whole message, secrets masked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceView(View):
    """The messages of a call, of an agent's registrations, or of strangers."""

    cut: bool
    """Whether the first messages of a leg may be missing."""
    messages: tuple[SipMessageView, ...]
    """In the order of time."""
