"""What the phone knows, as one frozen value, and how each event changes it.

There is at most one call; a second caller is refused before it gets here. The phases of the call:

    incoming --AnswerSent--> answering --Confirmed--> talking
    dialling --Progress----> ringing   --Confirmed--> talking      (dialling may be confirmed without ringing)
    any of them --EndSent--> ending    --CallEnded--> no call      (CallEnded ends every other phase too)

An event about a call that is not the present one changes nothing: it is late news of a call that has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from softphone.model import acts
from softphone.sip import events
from softphone.sip.events import CallNumber, MediaState


class RegistrationStatus(StrEnum):
    """Where the registration stands."""

    OFF = "off"
    """Not wanted."""
    PENDING = "pending"
    REGISTERED = "registered"
    LEAVING = "leaving"
    """Being withdrawn."""
    FAILED = "failed"
    """Wanted, not there; tried again later."""


class Direction(StrEnum):
    """Who called."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class CallPhase(StrEnum):
    """How far the call is; see the picture above."""

    INCOMING = "incoming"
    ANSWERING = "answering"
    DIALLING = "dialling"
    RINGING = "ringing"
    TALKING = "talking"
    ENDING = "ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationView:
    """The registration as shown."""

    status: RegistrationStatus = RegistrationStatus.OFF
    expires: int = 0
    """Seconds granted, while registered."""
    code: int = 0
    reason: str = ""
    """Why it failed, while failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """The call as shown."""

    call: CallNumber
    direction: Direction
    remote: str
    display: str = ""
    phase: CallPhase
    media: MediaState = MediaState.NONE
    codec: str = ""
    muted: bool = False
    hold_wanted: bool = False
    """What this side asked for last; `media` says what holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneState:
    """Everything a window would draw."""

    registration: RegistrationView = RegistrationView()
    call: CallView | None = None


Event = events.BackendEvent | acts.Act


def reduce(state: PhoneState, event: Event) -> PhoneState:
    """Return the state after `event`; an event without meaning here returns the same state."""
    reaction = _REACTIONS.get(type(event))
    if reaction is None:
        return state
    number = getattr(event, "call", None)
    if number is not None and not isinstance(event, events.IncomingCall | acts.Dialled):
        call = state.call
        if call is None or call.call != number:
            return state
    return reaction(state, event)


def _registration(state: PhoneState, status: RegistrationStatus, **fields: Any) -> PhoneState:
    return replace(state, registration=RegistrationView(status=status, **fields))


def _call(state: PhoneState, **fields: Any) -> PhoneState:
    return state if state.call is None else replace(state, call=replace(state.call, **fields))


def _incoming(state: PhoneState, event: events.IncomingCall) -> PhoneState:
    if state.call is not None:
        return state
    call = CallView(
        call=event.call,
        direction=Direction.INCOMING,
        remote=event.uri,
        display=event.display,
        phase=CallPhase.INCOMING,
    )
    return replace(state, call=call)


def _dialled(state: PhoneState, event: acts.Dialled) -> PhoneState:
    call = CallView(call=event.call, direction=Direction.OUTGOING, remote=event.uri, phase=CallPhase.DIALLING)
    return replace(state, call=call)


def _progress(state: PhoneState, event: events.Progress) -> PhoneState:
    del event
    dialling = state.call is not None and state.call.phase is CallPhase.DIALLING
    return _call(state, phase=CallPhase.RINGING) if dialling else state


def _confirmed(state: PhoneState, event: events.Confirmed) -> PhoneState:
    del event
    ending = state.call is not None and state.call.phase is CallPhase.ENDING
    return state if ending else _call(state, phase=CallPhase.TALKING)


def _refused(state: PhoneState, event: events.UpdateRefused) -> PhoneState:
    del event
    held = state.call is not None and state.call.media is MediaState.LOCAL_HOLD
    return _call(state, hold_wanted=held)


_REACTIONS: dict[type, Callable[[PhoneState, Any], PhoneState]] = {
    acts.RegistrationAsked: lambda s, e: _registration(s, RegistrationStatus.PENDING),
    acts.UnregistrationAsked: lambda s, e: _registration(s, RegistrationStatus.LEAVING),
    events.Registered: lambda s, e: _registration(s, RegistrationStatus.REGISTERED, expires=e.expires),
    events.Unregistered: lambda s, e: _registration(s, RegistrationStatus.OFF),
    acts.RegistrationGivenUp: lambda s, e: _registration(s, RegistrationStatus.FAILED, code=e.code, reason=e.reason),
    events.IncomingCall: _incoming,
    events.Progress: _progress,
    events.Confirmed: _confirmed,
    events.MediaChanged: lambda s, e: _call(s, media=e.state, codec=e.codec),
    events.UpdateRefused: _refused,
    events.CallEnded: lambda s, e: replace(s, call=None),
    acts.Dialled: _dialled,
    acts.AnswerSent: lambda s, e: _call(s, phase=CallPhase.ANSWERING),
    acts.EndSent: lambda s, e: _call(s, phase=CallPhase.ENDING),
    acts.HoldAsked: lambda s, e: _call(s, hold_wanted=e.hold),
    acts.MuteSet: lambda s, e: _call(s, muted=e.muted),
}
"""Event -> what it does. `Fault` and `DigitReceived` are told, not kept; `RegistrationFailed` and `ConnectionLost`
become `RegistrationGivenUp` where they matter."""
