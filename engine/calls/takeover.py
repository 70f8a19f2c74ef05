"""A call that comes to take the place of a leg: an agent's other phone, or a pickup (RFC 3891)."""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, TRANSFERRED, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination
from engine.calls.log import CallMerged
from engine.calls.switchboard import CallLeg
from engine.ids import LegId

_GONE: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.DIALOG_GONE, sip_code=481)


class Takeover(Destination):
    """Answers the new leg and moves it to where the old one was; the call that it came with ends then."""

    def __init__(self, call: Call, wanted: LegId) -> None:
        super().__init__(call)
        self._wanted = wanted
        self.name = f"leg:{wanted}"

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        if self._wanted in self.call.board.owners:
            self.call.answer_caller(now)
        else:
            self.call.finish(_GONE, ENGINE, now)

    def caller_up(self, now: float) -> None:
        found = self.call.board.owners.get(self._wanted)
        if found is None or found[0].attempt is not None or not found[0].destination.replaceable(found[1]):
            self.call.finish(_GONE, ENGINE, now)
            return
        theirs, old = found
        new = self.call.caller
        self.call.board.log(self.call.id, CallMerged(into=theirs.id, leg=new.id), now)
        self.call.surrender(new)
        theirs.replace_leg(old, new, now)
        self.call.finish(TRANSFERRED, new.role, now)
