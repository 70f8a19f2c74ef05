"""A session: one INVITE usage, from the first INVITE to its end. What both directions have: the dialog that stands,
BYE, the requests within it, and how it ends.

    phase     incoming: session              outgoing: session
    offered   INVITE came, no final answer   INVITE sent, no final answer (or `cancel` asked for)
    up        2xx sent                       2xx received
    ending    BYE is sent, or will be when the ACK comes (RFC 3261 15: not before)
    over      told to the layer above; nothing more comes
"""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final

from engine.sip.acceptance import Acceptance
from engine.sip.bodies import sdp_of
from engine.sip.dialog import Dialog
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import AckReceived, EndedBy, FlowMoved, SessionEnded, SessionId
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.reason import reason_of
from engine.sip.refusal import method_not_allowed
from engine.sip.reinvite import Negotiation, come_later
from engine.sip.session_id import NIL
from engine.sip.session_timer import EXPIRED, SessionTimer, Terms, success_fields, terms_of_request, terms_of_response
from engine.sip.stack import Stack, capabilities
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction, ServerTransaction
from engine.sip.transaction_base import NOBODY

if TYPE_CHECKING:
    from engine.sip.refer import Referral
    from engine.sip.refer_out import SentReferral


class Phase(StrEnum):
    OFFERED = "offered"
    UP = "up"
    ENDING = "ending"
    OVER = "over"


class Session:
    """The half of a call that is the same in both directions."""

    __slots__ = (
        "_acceptance",
        "_bye_reason",
        "_dialog",
        "_expiry",
        "_lost_timer",
        "_stack",
        "id",
        "local_sdp",
        "negotiation",
        "phase",
        "referral",
        "sent_referrals",
    )

    outgoing: ClassVar[bool] = False
    """Whether we began it."""

    def __init__(self, stack: Stack, number: SessionId) -> None:
        self._stack = stack
        self.id = number
        self.phase = Phase.OFFERED
        self.negotiation: Negotiation | None = None
        """Re-INVITE and UPDATE; made when the dialog is confirmed, or before when one comes."""
        self.local_sdp = b""
        """What we described last, for a refresh that changes nothing."""
        self._dialog: Dialog | None = None
        self._acceptance: Acceptance | None = None
        """Our 2xx to the first INVITE, while its ACK has not come."""
        self._bye_reason: str | None = None
        """The Reason header of a BYE that waits for the ACK; None where no BYE waits."""
        self._lost_timer: Timer | None = None
        self._expiry: SessionTimer | None = None
        """Made where an interval was agreed."""
        self.referral: Referral | None = None
        """The peer's last REFER."""
        self.sent_referrals: tuple[SentReferral, ...] = ()
        """Ours that are under way."""

    @property
    def stack(self) -> Stack:
        return self._stack

    @property
    def dialog(self) -> Dialog | None:
        """The dialog that stands; of several early ones of an INVITE of ours, none."""
        return self._dialog

    @property
    def up(self) -> bool:
        """Whether the call is answered and not being hung up."""
        return self.phase is Phase.UP

    @property
    def open(self) -> bool:
        """Whether the call is not being hung up: it is up, or may still be."""
        return self.phase is Phase.OFFERED or self.phase is Phase.UP

    @property
    def half_open(self) -> bool:
        """Whether nothing shows that the peer is there; such a session gives way where there are too many."""
        return False

    def give_way(self, now: float) -> None:
        """End a half-open session, to make room."""

    # --- from the layer above ---

    def bye(self, now: float, reason_header: str = "") -> None:
        """Hang up. Raises LocalSipError where the session is not up."""
        if self.phase is not Phase.UP:
            raise LocalSipError(f"session {self.id} is {self.phase}, not up")
        self.phase = Phase.ENDING
        if self._acceptance is not None:
            self._bye_reason = reason_header
        elif self.referral is not None and self.referral.speaking:
            # Whoever asked for a transfer hears its outcome before we hang up on him.
            self._bye_reason = reason_header
            self.referral.let_finish(self, now)
        else:
            self._send_bye(now, reason_header)

    def last_word_said(self, now: float) -> None:
        """Nothing more is to be said of the peer's REFER."""
        if self._bye_reason is not None and self._acceptance is None and self.phase is Phase.ENDING:
            reason, self._bye_reason = self._bye_reason, None
            self._send_bye(now, reason)

    # --- from the dialog ---

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """A request of the peer within a dialog of this session. Raises RemoteSipError to refuse it."""
        handler = _IN_DIALOG.get(request.method) or self._stack.features.get(request.method)
        if handler is not None:
            handler(self, dialog, request, flow, now)
        elif request.method == "PRACK":
            self._prack_received(dialog, request, flow, now)
        else:
            raise method_not_allowed(request.method, in_dialog=True)

    def ack_received_for(self, number: int, ack: Request, now: float) -> None:
        """An ACK within the dialog."""
        acceptance = self._acceptance
        if acceptance is not None and acceptance.number == number:
            self.acknowledged(sdp_of(ack) if acceptance.late_offer else None, now)
        elif self.negotiation is not None:
            self.negotiation.acknowledge(number, ack, now)

    def acknowledged(self, sdp: bytes | None, now: float) -> None:
        """The first 2xx of ours needs no repetition any more."""
        if self._acceptance is None:
            return
        self._acceptance.stop()
        self._acceptance = None
        if self._bye_reason is not None:
            reason, self._bye_reason = self._bye_reason, None
            self._send_bye(now, reason)
        elif self.phase is Phase.UP and self._dialog is not None:
            self._stack.outbox.events.append(AckReceived(session=self.id, flow=self._dialog.flow, sdp=sdp))
            if self.negotiation is not None:
                self.negotiation.unblocked(now)

    def agreed_in(self, dialog: Dialog) -> bool:
        """Whether the first offer has its answer, so that another may follow (RFC 3311 5.1)."""
        return self.phase is Phase.UP

    def awaits_answer(self, dialog: Dialog) -> bool:
        """Whether the first offer was ours, and has no answer yet."""
        return False

    @property
    def settled(self) -> bool:
        """Whether the first INVITE has all of its messages, so that another may follow (RFC 3261 14.1)."""
        return self._acceptance is None

    @property
    def unacknowledged(self) -> Acceptance | None:
        return self._acceptance

    # --- the transaction user of BYE ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction.method == "BYE" and response.status >= 200:
            self.finish(EndedBy.LOCAL, now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if transaction.method == "BYE":
            self.finish(EndedBy.LOCAL, now)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        if transaction.method == "BYE":
            self.finish(EndedBy.CONNECTION_LOST, now)

    # --- the user of server transactions and of the 2xx ---

    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """CANCEL of the first INVITE; an outgoing session has none."""

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        self.ack_received_for(transaction.number, ack, now)

    def ack_missing(self, acceptance: Acceptance, now: float) -> None:
        """RFC 3261 13.3.1.4: the dialog is confirmed, the session ends by BYE."""
        self.give_up(EndedBy.ACK_TIMEOUT, now)

    # --- session timer (RFC 4028) ---

    def agree(self, request: Request, now: float) -> list[tuple[str, str]]:
        """What our 2xx to an INVITE or UPDATE says of the interval, which counts from now on."""
        terms = terms_of_request(request, self._stack.config)
        self._agree(terms, now)
        return [] if terms is None else success_fields(terms)

    def refreshed(self, response: Response, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of ours."""
        if self.phase is not Phase.UP:
            return
        terms = None
        if "Session-Expires" in response.headers.first:
            with suppress(RemoteSipError):
                terms = terms_of_response(response)
        self._agree(terms, now)

    def _agree(self, terms: Terms | None, now: float) -> None:
        if self._expiry is None:
            if terms is None:
                return
            self._expiry = SessionTimer(self._stack, self)
        self._expiry.agree(terms, now)

    def refresh_fields(self) -> list[tuple[str, str]]:
        """What a request of ours within the dialog says of the interval."""
        return [] if self._expiry is None else self._expiry.request_fields()

    def raise_interval(self, least: int) -> None:
        """422: the peer wants a longer one."""
        if self._expiry is not None:
            self._expiry.raise_interval(least)

    def refresh(self, now: float) -> None:
        """Half of the interval is over, and it is ours to refresh."""
        if self.phase is Phase.UP and self.negotiation is not None:
            self.negotiation.refresh(now)

    def expired(self, now: float) -> None:
        """Nobody refreshed in time (RFC 4028 10)."""
        self.give_up(EndedBy.SESSION_EXPIRED, now, EXPIRED)

    def described(self, sdp: bytes) -> None:
        """What we sent last of our media; a request that describes nothing leaves it."""
        if sdp:
            self.local_sdp = sdp

    def take_name(self, other: Session) -> None:
        """Name ourselves to this peer as the other one names itself to us."""
        mine = None if self._dialog is None else self._dialog.session_ids
        theirs = None if other._dialog is None else other._dialog.session_ids
        if mine is not None and theirs is not None and theirs.remote != NIL:
            mine.local = theirs.remote

    # --- ends ---

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A stream connection is gone. What stands goes on without: audio does not depend on it, a phone that comes
        back brings a new flow, and to lines and proxies one is made when something is to be said. A phone that did
        not come back in 64*T1 is gone."""
        dialog = self._dialog
        if self.phase is not Phase.UP or dialog is None or dialog.flow != flow:
            return
        if dialog.home_flow.connection and not dialog.routes:
            self._stack.heap.cancel(self._lost_timer)
            timeout = self._stack.config.timers.transaction
            self._lost_timer = self._stack.heap.start(now + timeout, self, "flow")

    def flow_moved(self, old: Flow, new: Flow) -> None:
        """The peer's registration came by another flow."""
        if self._dialog is None or self._dialog.flow != old:
            return
        self._dialog.flow = new
        if self.negotiation is not None:
            self.negotiation.flow_moved(old, new)
        if self.phase is Phase.UP and old.remote.host != new.remote.host:
            self._stack.outbox.events.append(FlowMoved(session=self.id, flow=new))

    def timer_rang(self, what: str, now: float) -> None:
        self._lost_timer = None
        if self._dialog is not None and not self._stack.outbox.reaches(self._dialog.flow):
            self.finish(EndedBy.CONNECTION_LOST, now)

    def give_up(self, by: EndedBy, now: float, reason_header: str = "") -> None:
        """End an established session at once, with a BYE whose fate nobody waits for (RFC 3261 12.2.1.2, 13.3.1.4)."""
        bye_sent = self.phase is Phase.ENDING and self._bye_reason is None
        if self._dialog is not None and not bye_sent:
            send_bye(self._stack, self._dialog, now, reason_header)
        self.finish(EndedBy.LOCAL if self.phase is Phase.ENDING else by, now)

    def finish(self, by: EndedBy, now: float, reason: str = "") -> None:
        """Close an established session and tell it, once."""
        if self.phase is Phase.OVER:
            return
        self.close(now)
        self._stack.outbox.events.append(SessionEnded(session=self.id, by=by, reason=reason))

    def close(self, now: float) -> None:
        """Forget everything; what transactions still bring is passed over. Each part that knows the session is let go,
        so that all of it is freed as soon as its last transaction is: garbage is collected seldom."""
        self.phase = Phase.OVER
        stack = self._stack
        stack.sessions.pop(self.id, None)
        stack.heap.cancel(self._lost_timer)
        if self._expiry is not None:
            self._expiry.close(now)
            self._expiry = None
        if self._acceptance is not None:
            self._acceptance.stop()
            self._acceptance = None
        if self.negotiation is not None:
            self.negotiation.close(now)
            self.negotiation = None
        if self.referral is not None:
            self.referral.session_closed(now)
            self.referral = None
        for sent in self.sent_referrals:
            sent.session_closed(now)
        if self._dialog is not None:
            stack.dialogs.remove(self._dialog)

    # --- inner ---

    def _begin(self, dialog: Dialog) -> None:
        self._dialog = dialog
        dialog.confirmed = True
        self.phase = Phase.UP
        if self.negotiation is None or self.negotiation.dialog is not dialog:
            self.negotiation = Negotiation(self._stack, self, dialog, we_called=self.outgoing)

    def _send_bye(self, now: float, reason_header: str) -> None:
        dialog = self._dialog
        if dialog is None:
            raise LocalSipError(f"session {self.id} has no dialog")
        if self.negotiation is not None:
            self.negotiation.close(now)
        if self._expiry is not None:
            self._expiry.close(now)
        stack = self._stack
        headers = [("Reason", reason_header)] if reason_header else []
        flow = stack.dialogs.flow_for(dialog)
        request = stack.dialogs.request(dialog, "BYE", headers=headers)
        stack.transactions.client(request, flow, self).start(now)

    def _bye_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        transaction = self._stack.admit(request, flow, None)
        transaction.respond(Response.build(request, 200), now)
        self._ended_by_peer(dialog, reason_of(request), now)

    def _ended_by_peer(self, dialog: Dialog, reason: str, now: float) -> None:
        by = EndedBy.LOCAL if self.phase is Phase.ENDING else EndedBy.REMOTE
        self.finish(by, now, reason)

    def _invite_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        if self.negotiation is None or self.phase is not Phase.UP:
            if self.phase is not Phase.OFFERED:
                raise refuse(481, f"the session is {self.phase}")
            # RFC 3261 14.2: an INVITE of ours is under way, or the one before is not answered.
            raise refuse(491, "our INVITE is under way") if self.outgoing else come_later(self._stack, "not answered")
        self.negotiation.invite_received(request, flow, now)

    def _update_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        if self.phase not in (Phase.OFFERED, Phase.UP):
            raise refuse(481, f"the session is {self.phase}")
        self.negotiation_in(dialog).update_received(request, flow, now)

    def negotiation_in(self, dialog: Dialog) -> Negotiation:
        """Of this dialog of the session. Raises RemoteSipError(500) where another of its dialogs has an offer under
        way."""
        if self.negotiation is None:
            self.negotiation = Negotiation(self._stack, self, dialog, we_called=self.outgoing)
        return self.negotiation

    def settled_dialog(self) -> Dialog | None:
        """The dialog in which an offer of ours may be made now; None where there is none, or several."""
        dialog = self._dialog
        return dialog if dialog is not None and self.agreed_in(dialog) else None

    def _prack_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        raise refuse(481, "no provisional response waits for a PRACK")

    def _options_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        headers = [("Allow", ALLOW), *capabilities(self._stack)]
        transaction = self._stack.admit(request, flow, None)
        transaction.respond(Response.build(request, 200, headers=headers), now)


_IN_DIALOG: Final = {
    "BYE": Session._bye_received,
    "INVITE": Session._invite_received,
    "OPTIONS": Session._options_received,
    "UPDATE": Session._update_received,
}


def send_bye(stack: Stack, dialog: Dialog, now: float, reason_header: str = "") -> None:
    """BYE for a dialog that no session stands behind."""
    flow = stack.dialogs.flow_for(dialog)
    headers = [("Reason", reason_header)] if reason_header else []
    stack.transactions.client(stack.dialogs.request(dialog, "BYE", headers=headers), flow, NOBODY).start(now)
