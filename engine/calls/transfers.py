"""Who may transfer whom, and the three ways: blind, attended (RFC 5589's), and by taking a leg's place (pickup).

**Blind**: the number is routed in the context of whoever asks, as if he had dialled it, so that what he may not dial he
cannot send others to. **Attended**: whoever asks has two calls through us; the other sides of both are joined, and both
of his legs end. Where nobody talks in the second (a queue that he waits in, an announcement), the first one's other
side is sent there blindly. **Taking a leg's place**: a new call of the same agent or trunk takes over an end of a call:
his other phone, or a call that rings and is picked up. A trunk that is trusted may take any.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.calls.call import TRANSFERRED, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destinations import destination_for
from engine.calls.events import FromAgent, FromTrunk, Origin, TransferAsked
from engine.calls.joined import Joined
from engine.calls.log import CallMerged, TransferKind
from engine.calls.queued import Queued
from engine.calls.routing import NoRoute, Route, Router, ToFeature, ToQueue, ToReject
from engine.calls.switchboard import CallLeg, Switchboard
from engine.calls.transfer import BlindTransfer, let_go
from engine.ids import LegId, TransferId

_NOT_TALKING: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)
_UNDER_WAY: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=491)
_GONE: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.DIALOG_GONE, sip_code=481)
_FORBIDDEN: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)
_NOWHERE: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.NO_ROUTE, sip_code=404)
_SELF: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.REJECTED, sip_code=603)


class Transfers:
    """Works off requests for transfers."""

    def __init__(self, board: Switchboard, router: Router) -> None:
        self._board = board
        self._router = router

    def asked(self, event: TransferAsked, now: float) -> None:
        """A side of a call asks for a transfer."""
        found = self._board.owners.get(event.leg)
        if found is None:
            self._board.transfers.refuse(event.transfer, _GONE, now)
            return
        call, leg = found
        refusal = _UNDER_WAY if call.attempt is not None else None
        if refusal is None and call.destination.other(leg) is None:
            refusal = _NOT_TALKING
        if refusal is not None:
            self._board.transfers.refuse(event.transfer, refusal, now)
        elif event.replaces_asked:
            self._attended(event, call, leg, now)
        else:
            self._blind(event, call, leg, event.number, now)

    # --- blind ---

    def _blind(self, event: TransferAsked, call: Call, leg: CallLeg, number: str, now: float) -> None:
        origin, context = self._origin(leg)
        route = self._router.route(context=context, called=number, origin=origin)
        refusal = _refusal(call, leg, route)
        if refusal is not None:
            self._fail(event.transfer, refusal, now)
            return
        if event.referred_by:
            call.carried = replace(call.carried, referred_by=event.referred_by)
        attempt = BlindTransfer(call, leg, event.transfer, number=number, context=context)
        attempt.start(destination_for(call, route), now)

    def _origin(self, leg: CallLeg) -> tuple[Origin, str]:
        """Whose rights the transfer has, and the context that his calls enter."""
        directory = self._board.directory
        if leg.agent is not None:
            agent = directory.agents.get(leg.agent)
            return FromAgent(agent=leg.agent), "" if agent is None else agent.context
        assert leg.trunk is not None, "a leg is an agent's or a trunk's"
        trunk = directory.trunks.get(leg.trunk)
        return FromTrunk(trunk=leg.trunk), "" if trunk is None else trunk.context

    def _fail(self, transfer: TransferId, cause: EndCause, now: float) -> None:
        """Taken, tried and come to nothing at once: the two talk on."""
        self._board.transfers.accept(transfer, now)
        self._board.transfers.over(transfer, cause, now)

    # --- attended ---

    def _attended(self, event: TransferAsked, call: Call, leg: CallLeg, now: float) -> None:
        found = None if event.replaces is None else self._board.owners.get(event.replaces)
        if found is None:
            self._fail(event.transfer, _GONE, now)
            return
        second, theirs = found
        if theirs.who != leg.who:
            self._board.transfers.refuse(event.transfer, _FORBIDDEN, now)
        elif second is call or second.attempt is not None:
            self._board.transfers.refuse(event.transfer, _UNDER_WAY, now)
        elif (other := second.destination.other(theirs)) is not None:
            self._join(event.transfer, call, leg, second, theirs, other, now)
        elif theirs is second.caller:
            # He waits there himself, for somebody or something that takes callers: the other side goes in his place.
            self._blind(event, call, leg, second.called, now)
            if call.attempt is not None or call.destination.other(leg) is None:
                second.finish(TRANSFERRED, theirs.role, now)
        else:
            self._fail(event.transfer, _NOT_TALKING, now)

    def _join(
        self,
        transfer: TransferId,
        call: Call,
        leg: CallLeg,
        second: Call,
        theirs: CallLeg,
        other: CallLeg,
        now: float,
    ) -> None:
        board, home = self._board, call.destination
        board.transfers.accept(transfer, now)
        far = home.unlink()
        assert far is not None, "they talk"
        if leg is call.caller:
            call.turn_round(far)
        second.destination.unlink()
        board.log(second.id, CallMerged(into=call.id, leg=other.id), now)
        second.surrender(other)
        call.adopt(other)
        if other.agent is not None and other.agent not in call.engaged:
            call.engage(other.agent, now)
        board.transfers.over(transfer, None, now)
        let_go(call, home, leg, TransferKind.ATTENDED, to=other.who, other=second.id, now=now)
        call.drop(leg, TRANSFERRED, now)
        call.destination = Joined(call, other)
        call.destination.link(other)
        call.connected(other, now)
        second.finish(TRANSFERRED, theirs.role, now)

    # --- taking a leg's place ---

    def may_replace(self, origin: Origin, wanted: LegId) -> EndCause | None:
        """Why this origin may not have the place of that leg; None where it may: an agent or a trunk its own, a trunk
        that is trusted any."""
        found = self._board.owners.get(wanted)
        if found is None:
            return _GONE
        call, leg = found
        if not self._is_own(leg, origin):
            return _FORBIDDEN
        return _UNDER_WAY if call.attempt is not None or not call.destination.replaceable(leg) else None

    def _is_own(self, leg: CallLeg, origin: Origin) -> bool:
        if isinstance(origin, FromAgent):
            return leg.agent == origin.agent
        trunk = self._board.directory.trunks.get(origin.trunk)
        return leg.trunk == origin.trunk or (trunk is not None and trunk.trusted)


def _refusal(call: Call, leg: CallLeg, route: Route) -> EndCause | None:
    """Why nobody can be sent there; None where it can be tried."""
    match route:
        case NoRoute(forbidden=forbidden):
            return _FORBIDDEN if forbidden else _NOWHERE
        case ToReject(status=status):
            return EndCause(outcome=Outcome.CLIENT, reason=Reason.DIALPLAN_REJECT, sip_code=status)
        case ToFeature():
            # Codes are for the agent who dials them.
            return _FORBIDDEN
        case ToQueue() if leg is call.caller and isinstance(call.destination, Queued):
            # The agent of a queue's call cannot wait in a queue himself.
            return _SELF
        case _:
            return None
