"""What a call does where it was routed to: the hooks that each kind of destination fills in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import RemoteMedia
from engine.calls.switchboard import CallLeg

if TYPE_CHECKING:
    from engine.calls.call import Call


class Phase(StrEnum):
    """Where a call stands, for people who watch."""

    SETUP = "setup"
    """The destination is being made ready; the caller hears nothing yet."""
    WAITING = "waiting"
    """In a queue."""
    RINGING = "ringing"
    """The called phone is being called."""
    TALKING = "talking"
    HELD = "held"
    """Talking, but one side has the other on hold."""
    SERVICE = "service"
    """The engine itself is at the other end: echo, announcement, feature code."""


NO_CODEC: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NOT_ACCEPTABLE, sip_code=488)


class Destination:
    """The behaviour of one call. `Call` calls these hooks, never after the call's end; a hook that does nothing here
    does nothing for destinations without need of it. The caller's leg is `call.caller`; any other leg is a far leg."""

    name: str
    """As `CallRouted.destination` names it."""

    def __init__(self, call: Call) -> None:
        self.call = call

    def start(self, now: float) -> None:
        """The call was routed here; nothing has been done for the caller. Opens a port for him, here."""
        self.call.open_caller(now)

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        """A leg, the caller's or a far one, has its port."""

    def far_failed(self, leg: CallLeg, now: float) -> None:
        """No port for a far leg; the call has dropped it. (The caller's own ends the call.)"""

    def caller_up(self, now: float) -> None:
        """The caller's leg is up and its media known."""

    def far_ringing(self, leg: CallLeg, now: float) -> None: ...

    def far_answered(self, leg: CallLeg, remote: RemoteMedia, now: float) -> None: ...

    def far_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        """A far leg is over; the call has dropped it."""

    def media_changed(self, leg: CallLeg, now: float) -> None:
        """The peer of an up leg changed its media; perhaps it holds us now."""

    def undecodable(self, leg: CallLeg, now: float) -> None:
        """The leg keeps a codec that we cannot decode, although that was needed."""
        self.call.unreached(NO_CODEC, "engine", now)

    def play_finished(self, leg: CallLeg, player: str, digit: str, now: float) -> None:
        """What the leg was played has come to its end, or was ended by this key of its peer."""

    def play_failed(self, leg: CallLeg, now: float) -> None:
        """What the leg should be played cannot be."""

    def expired(self, now: float) -> None:
        """The call's deadline, which this destination set, has come."""

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        """The call ends now, with this cause by this side; tell those outside who count on it."""

    # --- transfer ---

    def other(self, leg: CallLeg) -> CallLeg | None:
        """Who talks to this leg; None where nobody does."""
        return None

    def hearing(self) -> CallLeg | None:
        """The far leg that the caller hears and is heard by now; None while they are parted, or nobody talks."""
        return None

    def unlink(self) -> CallLeg | None:
        """Part the two who talk; the far leg of them, None where nobody talks."""
        return None

    def link(self, far: CallLeg) -> None:
        """Join the call's caller with this leg."""

    def left(self, leg: CallLeg, now: float) -> bool:
        """The leg's part is over though the call goes on, elsewhere. True where nothing here is left to be closed."""
        return True

    def replaceable(self, leg: CallLeg) -> bool:
        """Whether another leg may take the place of this one."""
        return self.other(leg) is not None

    def replaced(self, old: CallLeg, new: CallLeg, now: float) -> None:
        """That has happened, while nobody talked: the new one is up."""

    def caller_gone(self, cause: EndCause) -> EndCause:
        """What it means here that the caller's leg is over with this cause of its own."""
        if cause.reason is Reason.CALLER_HANGUP and self.call.answered_at is None:
            return EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=cause.sip_code)
        return cause

    def phase(self) -> Phase:
        return Phase.SETUP if self.call.answered_at is None else Phase.SERVICE


class _Over(Destination):
    """Of a call that has ended: the hooks that whoever ended it may still be in the middle of do nothing."""

    name = "over"

    def __init__(self) -> None: ...

    def start(self, now: float) -> None: ...

    def caller_gone(self, cause: EndCause) -> EndCause:
        return cause

    def phase(self) -> Phase:
        return Phase.SERVICE


OVER: Final = _Over()
"""What a call holds in the place of its destination, which holds the call."""
