"""A caller in a queue: answered at once, played music, then connected to the agent whose phone answers the ACD's offer.

The ACD decides whom to ring and when to stop; this file carries it out. One agent's leg per offer:

    MakeOffer -> port -> place -> ringing -> answered -> offer_answered? -> bridge
                                                     \\-> too late: hang up

A caller enters the queue only when the leg is up: whoever sent an INVITE and vanished costs nobody's time, no agent's
ring timeout runs while nothing rings, and the caller's codec, which the agent's phone is offered first, is known.
"""

from __future__ import annotations

from typing import Final

from engine.calls.call import CANCELLED, ELSEWHERE, ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Phase
from engine.calls.events import RemoteMedia
from engine.calls.music import Music
from engine.calls.ports import AgentPhone, LeaveReason, MakeOffer, OfferResult, ReleaseReason, WithdrawReason
from engine.calls.switchboard import CallLeg, Role
from engine.calls.talk import Talk
from engine.errors import NotFound
from engine.ids import LegId, OfferId, QueueName

_BY_STATUS: Final[dict[int, OfferResult]] = {
    480: OfferResult.REJECTED,  # what phones say with "do not disturb" set: a person's wish, not a dead line
    486: OfferResult.BUSY,
    600: OfferResult.BUSY,
    302: OfferResult.REJECTED,  # the phone is forwarded; a queue's offer is for the person at this phone
    403: OfferResult.REJECTED,
    603: OfferResult.REJECTED,
    607: OfferResult.REJECTED,
}
"""What an agent's phone means by refusing. Every other status, and no status at all, is UNREACHABLE: that phone cannot
be used now, and nobody has seen it ring."""

_RELEASES: Final[dict[ReleaseReason, EndCause]] = {
    ReleaseReason.TIMEOUT: EndCause(outcome=Outcome.UPSTREAM, reason=Reason.QUEUE_TIMEOUT),
    ReleaseReason.FULL: EndCause(outcome=Outcome.UPSTREAM, reason=Reason.QUEUE_FULL),
    ReleaseReason.QUEUE_REMOVED: EndCause(outcome=Outcome.SERVER, reason=Reason.OPERATOR),
}

_NOT_ANSWERED: Final = EndCause(outcome=Outcome.UPSTREAM, reason=Reason.NO_ANSWER, sip_code=480)

_UNKNOWN_QUEUE: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.NO_ROUTE, sip_code=404)


def offer_result(cause: EndCause) -> OfferResult:
    """What the ACD is told about an agent's leg that ended unanswered with this cause."""
    return _BY_STATUS.get(cause.sip_code or 0, OfferResult.UNREACHABLE)


class Queued(Talk):
    """One caller in one queue."""

    def __init__(self, call: Call, queue: QueueName) -> None:
        wanted = call.board.directory.queues.get(queue)
        super().__init__(call, Music(call, wanted.music if wanted is not None else ""))
        self.name = f"queue:{queue}"
        call.queue = queue
        self._offers: dict[OfferId, CallLeg] = {}
        self._by_leg: dict[LegId, OfferId] = {}
        self._talker: CallLeg | None = None
        """Whom the ACD has put the caller through to, until one of the two leaves."""
        self._waiting = False

    # --- the caller ---

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        if leg is not self.call.caller:
            self._place(leg, now)
            return
        call = self.call
        assert call.queue is not None
        try:
            room = call.board.queues.has_room(call.queue)
        except NotFound:
            call.unreached(_UNKNOWN_QUEUE, ENGINE, now)
            return
        if room:
            call.answer_caller(now)
        elif call.attempt is not None:
            call.unreached(_RELEASES[ReleaseReason.FULL], ENGINE, now)
        else:
            # Refused as busy, rather than answered and hung up on.
            self._enter(now)

    def caller_up(self, now: float) -> None:
        self._music.start(self.call.caller)
        self._enter(now)

    def _enter(self, now: float) -> None:
        call = self.call
        assert call.queue is not None
        call.board.queued[call.id] = self
        self._waiting = True
        if call.connected_at is None:
            call.waiting_since = now
        try:
            call.board.queues.enter(call.id, call.queue, call.party, now)
        except NotFound:
            # Removed while the caller was being answered.
            self._waiting = False
            call.finish(_UNKNOWN_QUEUE, ENGINE, now)

    # --- what the ACD decides ---

    def offer(self, made: MakeOffer, now: float) -> None:
        """Ring this agent."""
        leg = self.call.add_far(Role.AGENT, f"agent:{made.agent}", made.agent)
        self._offers[made.offer] = leg
        self._by_leg[leg.id] = made.offer
        self.call.board.offers[made.offer] = self

    def withdraw(self, offer: OfferId, reason: WithdrawReason, now: float) -> None:
        """Stop ringing."""
        leg = self._offers[offer]
        self._forget(leg)
        match reason:
            case WithdrawReason.ANSWERED_ELSEWHERE:
                self.call.drop(leg, ELSEWHERE, now)
            case WithdrawReason.RING_TIMEOUT:
                self.call.drop(leg, _NOT_ANSWERED, now, text=self._after_no_answer(leg))
            case _:
                self.call.drop(leg, CANCELLED, now)

    def _after_no_answer(self, leg: CallLeg) -> str:
        """What the agent's phone is told: that the call was missed, and how the agent stands now."""
        assert leg.agent is not None, "offers are to agents"
        status = self.call.board.statuses.status(leg.agent)
        return f"no answer in time; now {status}" if status.by_engine else "no answer in time"

    def release(self, reason: ReleaseReason, now: float) -> None:
        """The ACD has let go of the caller."""
        self._waiting = False
        self.call.finish(_RELEASES[reason], ENGINE, now)

    # --- the agents' legs ---

    def _place(self, leg: CallLeg, now: float) -> None:
        call = self.call
        assert leg.agent is not None, "offers are to agents"
        phone = AgentPhone(agent=leg.agent, answers=call.board.config.auto_answer)
        call.board.place(leg, phone, call.party, call.caller, now, carried=call.carried)

    def far_failed(self, leg: CallLeg, now: float) -> None:
        self.call.board.queues.offer_failed(self._forget(leg), OfferResult.FAILED, now)

    def far_ringing(self, leg: CallLeg, now: float) -> None:
        self.call.board.queues.offer_ringing(self._by_leg[leg.id], now)

    def far_answered(self, leg: CallLeg, remote: RemoteMedia, now: float) -> None:
        board = self.call.board
        if not board.queues.offer_answered(self._forget(leg), now):
            self.call.drop(leg, CANCELLED, now)
            return
        board.set_remote(leg, remote)
        self._waiting, self._talker = False, leg
        self.call.name_session(leg)
        self.link(leg)
        self.call.connected(leg, now)

    def far_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        if leg.id in self._by_leg:
            queues, retry = self.call.board.queues, cause.retry_after_s
            queues.offer_failed(self._forget(leg), offer_result(cause), now, retry_after_s=retry)
        else:
            self.call.finish(cause, leg.role, now)

    # --- transfer ---

    def left(self, leg: CallLeg, now: float) -> bool:
        if leg is not self._talker:
            return self._talker is None
        self._talker = None
        self.call.board.queued.pop(self.call.id, None)
        self.call.board.queues.talk_ended(self.call.id, now)
        return True

    def replaceable(self, leg: CallLeg) -> bool:
        waits = self._waiting and leg is self.call.caller
        return waits or leg.id in self._by_leg or super().replaceable(leg)

    def replaced(self, old: CallLeg, new: CallLeg, now: float) -> None:
        if old is self._talker:
            self._talker = new
        elif (offer := self._by_leg.pop(old.id, None)) is not None:
            self._by_leg[new.id], self._offers[offer] = offer, new
        elif self._waiting:
            self._music.start(new)

    def _forget(self, leg: CallLeg) -> OfferId:
        offer = self._by_leg.pop(leg.id)
        del self._offers[offer]
        del self.call.board.offers[offer]
        return offer

    # --- the end ---

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        for leg in tuple(self._offers.values()):
            self._forget(leg)
        self.call.board.queued.pop(self.call.id, None)
        if self._talker is not None:
            self._talker = None
            self.call.board.queues.talk_ended(self.call.id, now)
        elif self._waiting:
            # A line that fell silent is ended by us, but it is the caller who has gone.
            gone = ended_by != ENGINE or cause.outcome is Outcome.CLIENT
            self.call.board.queues.leave(self.call.id, LeaveReason.CALLER_GONE if gone else LeaveReason.ENDED, now)

    def caller_gone(self, cause: EndCause) -> EndCause:
        if cause.reason is Reason.CALLER_HANGUP and self._talker is None:
            return EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED, sip_code=cause.sip_code)
        return cause

    def phase(self) -> Phase:
        if self._talker is not None:
            return Phase.HELD if self.bridge is None or self.bridge.held else Phase.TALKING
        return Phase.WAITING if self._waiting else Phase.SETUP
