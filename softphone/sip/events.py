"""What the SIP stack tells the phone, in words that any stack could use."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

CallNumber = NewType("CallNumber", int)
"""Calls of one run of the phone, counted from 1; never used twice."""


class MediaState(StrEnum):
    """Who may hear whom in a call, after the last offer and answer."""

    ACTIVE = "active"
    LOCAL_HOLD = "local_hold"
    """This side put the call on hold."""
    REMOTE_HOLD = "remote_hold"
    """The other side did; it may still play music."""
    NONE = "none"
    """No media agreed, or the stream failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The server has accepted the registration."""

    expires: int
    """Seconds it stands without a refresh; the stack refreshes it in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unregistered:
    """The server has confirmed that this phone no longer wants calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationFailed:
    """The server refused, or did not answer; the phone tries again by itself."""

    code: int
    """SIP status; 408 and 503 also stand for silence and an unreachable server."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLost:
    """The TCP connection that carried the registration is gone, and the way back for calls with it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingCall:
    """Somebody calls; nothing has been answered yet."""

    call: CallNumber
    uri: str
    display: str
    """Name shown by the caller, empty if none."""
    trusted: bool = True
    """Whether it came from the host that took this phone's registration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The called side of our call answered provisionally (180 Ringing, 183 with early media)."""

    call: CallNumber
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The call is up on both sides: answered and acknowledged."""

    call: CallNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaChanged:
    """Offer and answer changed what flows."""

    call: CallNumber
    state: MediaState
    codec: str
    """As in SDP, such as PCMU/8000; empty with no media."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRefused:
    """The other side did not accept our hold or resume; the call goes on as it was."""

    call: CallNumber
    code: int
    """491 means that both offered at once, and that one may try again (RFC 3261, section 14.1)."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitReceived:
    """The other side pressed a key (RFC 4733)."""

    call: CallNumber
    digit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEnded:
    """The call is over, or never came about."""

    call: CallNumber
    code: int
    """200 after a normal end, else the status that ended it."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something in the stack or in our callbacks went wrong; the phone goes on."""

    message: str


BackendEvent = (
    Registered
    | Unregistered
    | RegistrationFailed
    | ConnectionLost
    | IncomingCall
    | Progress
    | Confirmed
    | MediaChanged
    | UpdateRefused
    | DigitReceived
    | CallEnded
    | Fault
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """The stream's health since the call, or its last change of media, began (RFC 3550, section 6.4)."""

    received: int
    """Packets received."""
    lost: int
    """Packets missing on the way here."""
    remote_lost: int
    """Packets missing on the way there, as the other side reports."""
    jitter_ms: float
    """Interarrival jitter here, as last estimated."""
    rtt_ms: float | None
    """Round trip by RTCP; None until the first report has come back (about five seconds)."""

    @property
    def loss_percent(self) -> float:
        """Share of packets that did not arrive here."""
        expected = self.received + self.lost
        return 100.0 * self.lost / expected if expected else 0.0
