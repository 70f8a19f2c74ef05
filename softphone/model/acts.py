"""What the phone itself has done, beside what the SIP stack reports: the other half of what changes the state."""

from __future__ import annotations

from dataclasses import dataclass

from softphone.sip.events import CallNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationAsked:
    """REGISTER has been sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnregistrationAsked:
    """REGISTER with expiry 0 has been sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationGivenUp:
    """The attempt, or the registration that stood, is over; another attempt may follow."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialled:
    """INVITE has been sent."""

    call: CallNumber
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSent:
    """200 has been sent; the caller's ACK confirms it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSent:
    """BYE, CANCEL or a refusal has been sent; the end is confirmed by `CallEnded`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldAsked:
    """An offer to hold, or to talk again, has been sent."""

    hold: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteSet:
    """The microphone has been switched."""

    muted: bool


Act = (
    RegistrationAsked | UnregistrationAsked | RegistrationGivenUp | Dialled | AnswerSent | EndSent | HoldAsked | MuteSet
)
