"""A call straight to one agent's phone, or to a number on a trunk, past any queue.

The caller is not answered before the called side is: he hears his own phone's ringback, and a refusal reaches him as
the refusal that it is. The order of things:

    both ports open -> place -> ringing, relayed -> answered -> answer the caller -> he confirms -> bridge

so that nothing rings for a caller without a port, and nobody is heard before both are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Phase
from engine.calls.events import FromTrunk, RemoteMedia
from engine.calls.ports import AgentPhone, TrunkNumber
from engine.calls.ports import Destination as LegDestination
from engine.calls.switchboard import CallLeg, Role
from engine.calls.talk import Talk
from engine.calls.turns import Turn
from engine.ids import AgentName

_NO_ANSWER: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)
_OWN_PHONE: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.BUSY, sip_code=486)
_NOBODY: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_ROUTE, sip_code=404)
_LOOP: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.LOOP, sip_code=482)
_NO_PORT: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_MEDIA_PORT, sip_code=503)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is called, and for how long."""

    destination: LegDestination
    ring_timeout_s: float

    @property
    def agent(self) -> AgentName | None:
        return self.destination.agent if isinstance(self.destination, AgentPhone) else None

    @property
    def who(self) -> str:
        match self.destination:
            case AgentPhone(agent=agent):
                return f"agent:{agent}"
            case TrunkNumber(trunk=trunk):
                return f"trunk:{trunk}"


class Direct(Talk):
    """One caller, one called side."""

    def __init__(self, call: Call, target: Target) -> None:
        super().__init__(call)
        self._target = target
        number = f"/{target.destination.number}" if isinstance(target.destination, TrunkNumber) else ""
        self.name = f"{target.who}{number}"
        self._far: CallLeg | None = None
        self._turn: Turn | None = None
        """Where this call is counted until it is answered."""

    def start(self, now: float) -> None:
        refusal = self._refusal() or self._refuse_loop()
        if refusal is not None:
            self.call.unreached(refusal, ENGINE, now)
            return
        agent = self._target.agent
        if agent is not None:
            self.call.engage(agent, now)
        if self.call.connected_at is None:
            self.call.waiting_since = now
        self.call.open_caller(now)
        self._far = self.call.add_far(Role.CALLED if agent is None else Role.AGENT, self._target.who, agent)

    def _refusal(self) -> EndCause | None:
        directory = self.call.board.directory
        match self._target.destination:
            case AgentPhone(agent=agent):
                if agent not in directory.agents:
                    return _NOBODY
                return _OWN_PHONE if self.call.has_phone_of(agent) else None
            case TrunkNumber(trunk=trunk):
                return None if trunk in directory.trunks else _NOBODY

    def _refuse_loop(self) -> EndCause | None:
        """A call from a line to a line may be one that went out by us before. Who hides his number is not counted."""
        call, destination = self.call, self._target.destination
        if not (isinstance(call.origin, FromTrunk) and isinstance(destination, TrunkNumber) and call.party.number):
            return None
        turn = (call.party.number, destination.trunk, destination.number)
        if not call.board.turns.enter(turn):
            return _LOOP
        self._turn = turn
        return None

    def _leave_turn(self) -> None:
        if self._turn is not None:
            self.call.board.turns.leave(self._turn)
            self._turn = None

    def _unreached(self, cause: EndCause, by: str, now: float) -> None:
        self._leave_turn()
        self.call.unreached(cause, by, now)

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        self._leave_turn()

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        call, far = self.call, self._far
        if far is None or far.port is None or call.caller.port is None:
            return
        call.board.timers.set(call.id, now + self._target.ring_timeout_s)
        call.board.place(far, self._target.destination, call.party, call.caller, now, carried=call.carried)

    def far_failed(self, leg: CallLeg, now: float) -> None:
        self._unreached(_NO_PORT, ENGINE, now)

    def far_ringing(self, leg: CallLeg, now: float) -> None:
        self.call.board.legs.ring(self.call.caller.id, now)

    def far_answered(self, leg: CallLeg, remote: RemoteMedia, now: float) -> None:
        self._leave_turn()
        self.call.board.timers.cancel(self.call.id)
        self.call.board.set_remote(leg, remote)
        self.call.name_session(leg)
        self.call.answer_caller(now, leg)

    def caller_up(self, now: float) -> None:
        assert self._far is not None, "the caller is answered after the far side"
        self.link(self._far)
        self.call.connected(self._far, now)

    def far_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        self._unreached(cause, leg.role, now)

    def replaceable(self, leg: CallLeg) -> bool:
        return super().replaceable(leg) or (leg is self._far and not leg.answered)

    def replaced(self, old: CallLeg, new: CallLeg, now: float) -> None:
        self._leave_turn()
        self._far = new

    def expired(self, now: float) -> None:
        self._unreached(_NO_ANSWER, ENGINE, now)

    def phase(self) -> Phase:
        if self.bridge is None:
            return Phase.RINGING
        return Phase.HELD if self.bridge.held else Phase.TALKING
