"""Offers and refreshes within a dialog, both ways, one at a time: re-INVITE (RFC 3261 14) and UPDATE (RFC 3311)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.sip.acceptance import Acceptance
from engine.sip.bodies import check_body, sdp_of
from engine.sip.dialog import Dialog
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import AckReceived, EndedBy, OfferAnswered, OfferReceived, OfferRefused
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW
from engine.sip.limits import MAX_OFFER_TRIES, MAX_OFFER_WAIT_S
from engine.sip.message import Request, Response
from engine.sip.names import REASONS
from engine.sip.prack_out import Confirmations, is_reliable
from engine.sip.refusal import Refusal, check_required
from engine.sip.session_headers import min_se_of
from engine.sip.session_timer import check_fields, check_interval
from engine.sip.stack import Stack
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction, ServerTransaction
from engine.sip.visible import visible

if TYPE_CHECKING:
    from engine.sip.session import Session

_GLARE_STEP_S: Final = 0.01
_RETRY_AFTER_BELOW_S: Final = 11
"""We ask for 0 to 10 s, at random (RFC 3261 14.2)."""


class _Asked(NamedTuple):
    """What we want to send."""

    method: str
    sdp: bytes
    silent: bool
    """A refresh, of which the layer above hears nothing."""


class Negotiation:
    """The one re-INVITE or UPDATE that may be under way, ours or theirs."""

    __slots__ = (
        "_acceptance",
        "_ack",
        "_asked",
        "_cancelled",
        "_confirmations",
        "_incoming",
        "_late_offer",
        "_next",
        "_outgoing",
        "_session",
        "_stack",
        "_timer",
        "_tries",
        "_we_called",
        "dialog",
    )

    def __init__(self, stack: Stack, session: Session, dialog: Dialog, *, we_called: bool) -> None:
        self._stack = stack
        self._session = session
        self.dialog = dialog
        self._we_called = we_called
        """We made the Call-ID: we wait the longer time after a glare (14.1)."""
        self._asked: _Asked | None = None
        """Our offer or refresh, from the asking to its outcome; sent when `_outgoing` is set."""
        self._next: _Asked | None = None
        """An offer that was asked for while a refresh is under way."""
        self._outgoing: ClientTransaction | None = None
        self._confirmations: Confirmations | None = None
        """Reliable provisional responses to our re-INVITE."""
        self._ack: tuple[int, bytes] = (0, b"")
        """CSeq number and bytes of our last ACK, for when its 2xx comes again."""
        self._tries = 0
        self._timer: Timer | None = None
        self._incoming: ServerTransaction | None = None
        """Their offer, until we answer it."""
        self._late_offer = False
        """It is a re-INVITE without one, which our 2xx has."""
        self._cancelled = False
        """They took it back before our answer, which is then passed over."""
        self._acceptance: Acceptance | None = None

    # --- ours ---

    def offer(self, sdp: bytes, now: float, *, method: str = "INVITE") -> None:
        """Send an offer, as soon as none other is under way. One of ours that could not be sent yet is forgotten for
        it. Raises LocalSipError where one of ours was sent."""
        asked = _Asked(method, sdp, silent=False)
        if self._asked is not None and self._asked.silent:
            self._next = asked
            return
        if self._asked is not None and self._outgoing is None:
            self._asked = asked
            return
        if self._asked is not None:
            raise LocalSipError(f"session {self._session.id} has an offer under way")
        self._ask(asked, now)

    def refresh(self, now: float) -> None:
        """Send what keeps the session from its end, unless what is under way does so: UPDATE where the peer takes it,
        else a re-INVITE with the same description (RFC 4028 7.4)."""
        if self._asked is None:
            if self.dialog.takes_update:
                self._ask(_Asked("UPDATE", b"", silent=True), now)
            else:
                self._ask(_Asked("INVITE", self._session.local_sdp, silent=True), now)

    def _ask(self, asked: _Asked, now: float) -> None:
        self._asked = asked
        self._tries = 0
        self.unblocked(now)

    def unblocked(self, now: float) -> None:
        """Send what waits, if nothing stands in its way (14.1)."""
        asked = self._asked
        if asked is None or self._outgoing is not None or self._timer is not None:
            return
        if self._incoming is not None or self._acceptance is not None or not self._session.settled:
            return
        headers = [("Allow", ALLOW), ("Supported", self._stack.offered), *self._session.refresh_fields()]
        flow = self._stack.dialogs.flow_for(self.dialog)
        request = self._stack.dialogs.request(self.dialog, asked.method, headers=headers, body=asked.sdp)
        self._confirmations = None
        self._outgoing = self._stack.transactions.client(request, flow, self)
        self._outgoing.start(now)

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        status = response.status
        if status < 200:
            self._provisional(transaction, response, now)
        elif status < 300:
            self._accepted(transaction, response, now)
        elif transaction is self._outgoing:
            self._outgoing = None
            self._failed(response, now)

    def _provisional(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """Only what must be confirmed is of interest (RFC 3262 4)."""
        if transaction is not self._outgoing or not is_reliable(response):
            return
        if self._confirmations is None:
            self._confirmations = Confirmations(self._stack, self.dialog, transaction.number, self._session)
        with suppress(RemoteSipError):
            if self._confirmations.take(response):
                self._confirmations.confirm(now)

    def _failed(self, response: Response, now: float) -> None:
        status, asked = response.status, self._asked
        if status in (481, 408) and self._session.up:
            self._session.give_up(EndedBy.DIALOG_GONE, now)
        elif asked is None or self._tries >= MAX_OFFER_TRIES:
            self._refused(status, response.reason, now)
        elif status in (405, 501) and asked.method == "UPDATE" and self._session.up:
            self._tries += 1
            self.dialog.allow = ""
            self._asked = asked._replace(method="INVITE", sdp=asked.sdp or self._session.local_sdp)
            self.unblocked(now)
        elif (delay := self._delay(response)) is not None:
            self._tries += 1
            self._timer = self._stack.heap.start(now + delay, self, "again")
        else:
            self._refused(status, response.reason, now)

    def _delay(self, response: Response) -> float | None:
        """How long to wait before the same is asked again; None where it is refused for good."""
        with suppress(RemoteSipError):
            if response.status == 422 and (least := min_se_of(response)) is not None:
                self._session.raise_interval(least)
                return 0.0
            after = response.retry_after
            if response.status in (500, 503) and after is not None and after <= MAX_OFFER_WAIT_S:
                return float(after)
        if response.status != 491:
            return None
        low, steps = (210, 190) if self._we_called else (0, 200)
        return (low + self._stack.random(steps + 1)) * _GLARE_STEP_S

    def _accepted(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        invite = transaction.method == "INVITE"
        if invite and self._ack[0] == transaction.number:
            self._stack.outbox.resend(transaction.flow, self._ack[1], "ACK")
        else:
            # An answer whose Contact cannot be read leaves the old one; it must have its ACK all the same.
            with suppress(RemoteSipError):
                self.dialog.refresh_target(response)
        if invite and self._ack[0] != transaction.number:
            headers = transaction.request.credentials
            ack = self._stack.dialogs.request(self.dialog, "ACK", number=transaction.number, headers=headers)
            self._ack = transaction.number, self._stack.outbox.send_request(transaction.flow, ack)
        if transaction is self._outgoing:
            asked, self._outgoing = self._asked, None
            self._session.refreshed(response, now)
            if asked is not None and not asked.silent:
                self._session.described(asked.sdp)
                sdp = sdp_of(response)
                self._stack.outbox.events.append(
                    OfferAnswered(session=self._session.id, sdp=sdp, flow=transaction.flow)
                )
            self._go_on(now)

    def _refused(self, status: int, reason: str, now: float) -> None:
        asked = self._asked
        if asked is not None and not asked.silent:
            self._stack.outbox.events.append(
                OfferRefused(session=self._session.id, status=status, reason=visible(reason))
            )
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """What was under way has its outcome: the next."""
        self._asked, following, self._next = None, self._next, None
        if following is not None:
            self._ask(following, now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is not self._outgoing:
            return
        self._outgoing = None
        if self._session.up:
            self._session.give_up(EndedBy.DIALOG_GONE, now)
        else:
            self._refused(408, REASONS[408], now)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is self._outgoing:
            self._outgoing = None
            self._refused(503, REASONS[503], now)

    def timer_rang(self, what: str, now: float) -> None:
        self._timer = None
        self.unblocked(now)

    # --- theirs ---

    def invite_received(self, request: Request, flow: Flow, now: float) -> None:
        """A re-INVITE. Raises RemoteSipError to refuse it."""
        self._check(request)
        if self._offers:
            raise Refusal(491, "our request is under way", ())
        self._check_free()
        self.dialog.refresh_target(request)
        # Whoever sends a re-INVITE has seen our 2xx; the ACK was lost or will come later.
        self._session.acknowledged(None, now)
        self._stop_acceptance()
        sdp = sdp_of(request)
        self._late_offer = sdp is None
        self._take(request, flow, sdp).try_soon(now)

    def update_received(self, request: Request, flow: Flow, now: float) -> None:
        """An UPDATE (RFC 3311 5.2). Raises RemoteSipError to refuse it."""
        self._check(request)
        sdp = sdp_of(request)
        if sdp is None:
            self.dialog.refresh_target(request)
            transaction = self._stack.admit(request, flow, self)
            transaction.respond(self._success(request, transaction.flow, b"", now), now)
            return
        if self._offers:
            raise Refusal(491, "our offer is under way", ())
        if not self._session.agreed_in(self.dialog):
            if self._session.awaits_answer(self.dialog):
                raise Refusal(491, "our first offer has no answer", ())
            raise come_later(self._stack, "the first offer has no answer")
        self._check_free()
        self.dialog.refresh_target(request)
        self._late_offer = False
        self._take(request, flow, sdp)

    def offered_by_prack(self, transaction: ServerTransaction, sdp: bytes, flow: Flow) -> None:
        """The PRACK of a provisional response that answered brings the next offer (RFC 3262 5)."""
        self._late_offer = False
        self._wait_for_answer(transaction, sdp, flow)

    def flow_moved(self, old: Flow, new: Flow) -> None:
        """What of ours waits for its answer is sent to where the peer is now."""
        if self._outgoing is not None and self._outgoing.flow == old:
            self._outgoing.redirect(new)

    @property
    def _offers(self) -> bool:
        """Whether a request of ours is under way beside which the peer may not offer (RFC 3261 14.2, RFC 3311 5.2)."""
        ours = self._outgoing
        return ours is not None and (ours.method == "INVITE" or bool(ours.request.body))

    @property
    def free(self) -> bool:
        """Whether no offer, of whomever, waits for its answer."""
        return self._incoming is None and self._outgoing is None

    def _check(self, request: Request) -> None:
        check_required(request, self._stack.understood)
        if request.body:
            check_body(request)
        check_fields(request)
        if "Session-Expires" in request.headers.first:
            check_interval(request, self._stack.config)

    def _check_free(self) -> None:
        if self._incoming is not None:
            raise come_later(self._stack, "an offer is being answered")
        unacknowledged = self._acceptance or self._session.unacknowledged
        if unacknowledged is not None and unacknowledged.late_offer:
            # Its answer may be on the way in an ACK (RFC 5407 3.1.4).
            raise Refusal(491, "the last offer has no answer", ())

    def _take(self, request: Request, flow: Flow, sdp: bytes | None) -> ServerTransaction:
        transaction = self._stack.admit(request, flow, self)
        self._wait_for_answer(transaction, sdp, flow)
        return transaction

    def _wait_for_answer(self, transaction: ServerTransaction, sdp: bytes | None, flow: Flow) -> None:
        self._incoming = transaction
        self._cancelled = False
        told = OfferReceived(session=self._session.id, flow=flow, sdp=sdp, dialog=self.dialog.remote_tag)
        self._stack.outbox.events.append(told)

    def answer(self, sdp: bytes, now: float) -> None:
        """Accept their offer. Raises LocalSipError where there is none."""
        transaction = self._take_incoming()
        if transaction is None:
            return
        transaction.respond(self._success(transaction.request, transaction.flow, sdp, now), now)
        self._session.described(sdp)
        if transaction.method == "INVITE":
            stack, late = self._stack, self._late_offer
            self._acceptance = Acceptance(stack.transactions, transaction, self._session, late_offer=late, now=now)
        else:
            self.unblocked(now)

    def _success(self, request: Request, flow: Flow, sdp: bytes, now: float) -> Response:
        contact = self._stack.identity.of(flow).contact_for(request.request_uri)
        headers = [("Contact", contact), ("Allow", ALLOW), ("Supported", self._stack.offered)]
        if self._session.up and request.method != "PRACK":
            headers += self._session.agree(request, now)
        return Response.build(request, 200, headers=headers, body=sdp)

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

    def acknowledge(self, number: int, ack: Request, now: float) -> None:
        """ACK of our 2xx to their re-INVITE, if it is that. Told only where it brings the answer to our offer."""
        acceptance = self._acceptance
        if acceptance is None or acceptance.number != number:
            return
        self._stop_acceptance()
        if acceptance.late_offer:
            sdp = sdp_of(ack)
            told = AckReceived(session=self._session.id, flow=self.dialog.flow, sdp=sdp)
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
        self._asked = self._next = None
        outgoing, self._outgoing = self._outgoing, None
        if outgoing is not None:
            outgoing.abandon_in(self._stack.config.timers.transaction, now)
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            self._cancelled = True
            incoming.respond(Response.build(incoming.request, 487), now)


def come_later(stack: Stack, why: str) -> Refusal:
    """An offer, or an INVITE, comes before the one before it has its answer (RFC 3261 14.2, RFC 3311 5.2)."""
    return Refusal(500, why, (("Retry-After", str(stack.random(_RETRY_AFTER_BELOW_S))),))
