"""Conferences as an operator sees them: who is in them; to mute a member, and to put one out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.calls.call import ENGINE
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.conference import Conference
from engine.calls.switchboard import Switchboard
from engine.errors import NotFound
from engine.ids import CallId

_PUT_OUT = EndCause(outcome=Outcome.SUCCESS, reason=Reason.OPERATOR, sip_code=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMember:
    """One member as it stands."""

    call: CallId
    who: str
    """"agent:NAME" or "trunk:NAME"."""
    caller: str
    caller_display: str
    muted: bool
    """By an operator."""
    holding: bool
    """Its phone has put the conference on hold."""
    joined_at: float
    """Monotonic seconds."""


class Conferences:
    """See the module. Every method raises NotFound for a conference or member that is not there."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def names(self) -> tuple[str, ...]:
        """Of conferences that somebody is in."""
        return tuple(name for name, coming in self._board.conferences.items() if _joined(coming))

    def members(self, name: str) -> tuple[LiveMember, ...]:
        """In the order in which they came."""
        return tuple(_live(member) for member in self._conference(name).values())

    def mute(self, name: str, call: CallId, muted: bool, now: float, by: str) -> None:
        """Let the others hear a member no more, or again; `by` names the way ("api", "cli")."""
        self._member(name, call).mute(muted, by, now)

    def kick(self, name: str, call: CallId, now: float) -> None:
        """End a member's call."""
        self._member(name, call).call.finish(_PUT_OUT, ENGINE, now)

    def _conference(self, name: str) -> dict[CallId, Conference]:
        found = _joined(self._board.conferences.get(name, {}))
        if not found:
            raise NotFound(f"nobody is in a conference {name!r}")
        return found

    def _member(self, name: str, call: CallId) -> Conference:
        found = self._conference(name).get(call)
        if found is None:
            raise NotFound(f"call {call!r} is not in conference {name!r}")
        return found


def _joined(coming: Mapping[CallId, Conference]) -> dict[CallId, Conference]:
    return {call: member for call, member in coming.items() if member.joined_at is not None}


def _live(member: Conference) -> LiveMember:
    call = member.call
    return LiveMember(
        call=call.id,
        who=call.caller.who,
        caller=call.party.number,
        caller_display=call.party.display,
        muted=member.muted,
        holding=call.caller.holding,
        joined_at=call.started if member.joined_at is None else member.joined_at,
    )
