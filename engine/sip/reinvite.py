"""Re-INVITE within a session, both ways, one at a time (RFC 3261 14)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from engine.sip.acceptance import Acceptance
from engine.sip.dialog import Dialog
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import AckReceived, EndedBy, OfferAnswered, OfferReceived, OfferRefused
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW
from engine.sip.message import Request, Response
from engine.sip.names import REASONS
from engine.sip.refusal import Refusal, check_understood, sdp_of
from engine.sip.stack import Stack
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction, ServerTransaction

if TYPE_CHECKING:
    from engine.sip.session import Session

_GLARE_STEP_S: Final = 0.01
_TRIES: Final = 5
"""491 in a row after which our offer counts as refused."""
_RETRY_AFTER_MOST_S: Final = 11


class Negotiation:
    """The one re-INVITE that may be under way, ours or theirs."""

    __slots__ = (
        "_acceptance",
        "_ack",
        "_cancelled",
        "_dialog",
        "_incoming",
        "_offer",
        "_outgoing",
        "_session",
        "_stack",
        "_timer",
        "_tries",
        "we_called",
    )

    def __init__(self, stack: Stack, session: Session, dialog: Dialog) -> None:
        self._stack = stack
        self._session = session
        self._dialog = dialog
        self.we_called = True
        """We made the Call-ID: we wait the longer time after a glare (14.1)."""
        self._offer: bytes | None = None
        """Our offer, from `offer` to its outcome; sent when `_outgoing` is set."""
        self._outgoing: ClientTransaction | None = None
        self._ack: tuple[int, bytes] = (0, b"")
        """CSeq number and bytes of our last ACK, for when its 2xx comes again."""
        self._tries = 0
        self._timer: Timer | None = None
        self._incoming: ServerTransaction | None = None
        """Their re-INVITE, until we answer it."""
        self._cancelled = False
        """They took it back before our answer, which is then passed over."""
        self._acceptance: Acceptance | None = None

    # --- ours ---

    def offer(self, sdp: bytes, now: float) -> None:
        """Send a re-INVITE, as soon as none other is under way. Raises LocalSipError where one of ours is."""
        if self._offer is not None:
            raise LocalSipError(f"session {self._session.id} has an offer under way")
        self._offer = sdp
        self._tries = 0
        self.unblocked(now)

    def unblocked(self, now: float) -> None:
        """Send the waiting offer, if nothing stands in its way (14.1)."""
        waiting = self._offer is not None and self._outgoing is None and self._timer is None
        blocked = self._incoming is not None or self._acceptance is not None or not self._session.settled
        if not waiting or blocked:
            return
        flow = self._stack.dialogs.flow_for(self._dialog)
        request = self._stack.dialogs.request(
            self._dialog, "INVITE", headers=[("Allow", ALLOW)], body=self._offer or b""
        )
        self._outgoing = self._stack.transactions.client(request, flow, self)
        self._outgoing.start(now)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            return
        if status < 300:
            self._accepted(transaction, response, now)
        elif transaction is self._outgoing:
            self._outgoing = None
            if status == 491 and self._tries < _TRIES:
                self._tries += 1
                low, steps = (210, 190) if self.we_called else (0, 200)
                delay = (low + self._stack.random(steps + 1)) * _GLARE_STEP_S
                self._timer = self._stack.heap.start(now + delay, self, "491")
            elif status in (481, 408):
                self._session.give_up(EndedBy.DIALOG_GONE, now)
            else:
                self._refused(status, response.reason)

    def _accepted(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        number = transaction.number
        if self._ack[0] != number:
            # An answer whose Contact cannot be read leaves the old one; it must have its ACK all the same.
            with suppress(RemoteSipError):
                self._dialog.refresh_target(response)
            ack = self._stack.dialogs.request(self._dialog, "ACK", number=number)
            self._ack = number, self._stack.outbox.send_request(self._stack.dialogs.flow_for(self._dialog), ack)
        else:
            self._stack.outbox.resend(self._dialog.flow, self._ack[1], "ACK")
        if transaction is self._outgoing:
            self._outgoing = self._offer = None
            sdp = sdp_of(response)
            self._stack.outbox.events.append(OfferAnswered(session=self._session.id, sdp=sdp))

    def _refused(self, status: int, reason: str) -> None:
        self._offer = None
        self._stack.outbox.events.append(OfferRefused(session=self._session.id, status=status, reason=reason))

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is self._outgoing:
            self._outgoing = None
            self._session.give_up(EndedBy.DIALOG_GONE, now)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is self._outgoing:
            self._outgoing = None
            self._refused(503, REASONS[503])

    def timer_rang(self, what: str, now: float) -> None:
        self._timer = None
        self.unblocked(now)

    # --- theirs ---

    def invite_received(self, request: Request, flow: Flow, now: float) -> None:
        """A re-INVITE. Raises RemoteSipError to refuse it."""
        check_understood(request)
        if self._outgoing is not None:
            raise Refusal(491, "our re-INVITE is under way", ())
        if self._incoming is not None:
            after = str(self._stack.random(_RETRY_AFTER_MOST_S))
            raise Refusal(500, "a re-INVITE is being answered", (("Retry-After", after),))
        unacknowledged = self._acceptance or self._session.unacknowledged
        if unacknowledged is not None and unacknowledged.late_offer:
            # Its answer may be on the way in an ACK (RFC 5407 3.1.4).
            raise Refusal(491, "the last offer has no answer", ())
        self._dialog.refresh_target(request)
        # Whoever sends a re-INVITE has seen our 2xx; the ACK was lost or will come later.
        self._session.acknowledged(None, now)
        self._stop_acceptance()
        self._incoming = self._stack.admit(request, flow, self)
        self._cancelled = False
        self._incoming.respond(Response.build(request, 100), now)
        sdp = sdp_of(request)
        self._stack.outbox.events.append(OfferReceived(session=self._session.id, flow=flow, sdp=sdp))

    def answer(self, sdp: bytes, now: float) -> None:
        """Accept their offer. Raises LocalSipError where there is none."""
        transaction = self._take_incoming()
        if transaction is None:
            return
        request = transaction.request
        contact = self._stack.identity.of(transaction.flow).contact_for(request.request_uri)
        headers = [("Contact", contact), ("Allow", ALLOW)]
        late = not request.body
        transaction.respond(Response.build(request, 200, headers=headers, body=sdp), now)
        self._acceptance = Acceptance(self._stack.transactions, transaction, self._session, late_offer=late, now=now)

    def refuse(self, status: int, reason: str, now: float) -> None:
        """Refuse their offer; the session stays as it was. Raises LocalSipError where there is none."""
        transaction = self._take_incoming()
        if transaction is not None:
            transaction.respond(Response.build(transaction.request, status, reason or None), now)
            self.unblocked(now)

    def _take_incoming(self) -> ServerTransaction | None:
        """None where they took it back meanwhile, which the layer above could not know."""
        transaction, self._incoming = self._incoming, None
        if transaction is None and not self._cancelled:
            raise LocalSipError(f"session {self._session.id} has no offer to answer")
        self._cancelled = False
        return transaction

    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        if transaction is self._incoming:
            self._incoming = None
            self._cancelled = True
            transaction.respond(Response.build(transaction.request, 487), now)
            self.unblocked(now)

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        self._session.ack_received_for(transaction.number, ack, now)

    def response_failed(self, transaction: ServerTransaction, now: float) -> None:
        """The session hears of the flow by itself."""

    def acknowledge(self, number: int, ack: Request, now: float) -> None:
        """ACK of our 2xx to their re-INVITE, if it is that. Told only where it brings the answer to our offer."""
        acceptance = self._acceptance
        if acceptance is None or acceptance.number != number:
            return
        self._stop_acceptance()
        if acceptance.late_offer:
            sdp = sdp_of(ack)
            told = AckReceived(session=self._session.id, flow=self._dialog.flow, sdp=sdp)
            self._stack.outbox.events.append(told)
        self.unblocked(now)

    def _stop_acceptance(self) -> None:
        if self._acceptance is not None:
            self._acceptance.stop()
            self._acceptance = None

    def close(self, now: float) -> None:
        """The session ends: nothing stays armed, and nobody is left without an answer."""
        self._stack.heap.cancel(self._timer)
        self._timer = None
        self._stop_acceptance()
        self._offer = None
        outgoing, self._outgoing = self._outgoing, None
        if outgoing is not None:
            outgoing.abandon_in(self._stack.config.timers.transaction, now)
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._cancelled = True
            incoming.respond(Response.build(incoming.request, 487), now)
