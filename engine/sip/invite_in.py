"""Calls that come in: the server's side of INVITE (RFC 3261 13.3)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from engine.sip.acceptance import Acceptance
from engine.sip.bodies import check_body, sdp_of
from engine.sip.carried import Carried
from engine.sip.dialog import Dialog, answers_way, of_request, way_back
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import (
    AgentPeer,
    EndedBy,
    InviteCancelled,
    InviteReceived,
    OfferAnswered,
    Peer,
    SessionId,
    TrunkPeer,
)
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW
from engine.sip.info import NO_PACKAGES
from engine.sip.limits import RETRY_AFTER_S
from engine.sip.message import Request, Response
from engine.sip.names import REASONS, refuse
from engine.sip.prack_in import ReliableProvisionals, answer_prack
from engine.sip.reason import reason_of
from engine.sip.session import Phase, Session
from engine.sip.session_headers import rack_of
from engine.sip.session_id import SessionIds, new_session_id
from engine.sip.stack import Stack
from engine.sip.timers import Timer
from engine.sip.transaction import ServerTransaction
from engine.sip.usage_fsm import ReliableInput, ReliableState
from engine.sip.visible import visible

_KEEP_RINGING_S: Final = 60.0
"""A provisional is repeated this often, so that no proxy's Timer C ends the call (RFC 3261 13.3.1.1)."""
_NO_PRACK: Final = 'SIP;cause=504;text="no PRACK"'
"""What the layer above hears of a caller who did not confirm a provisional response."""
_EXPIRED: Final = 'SIP;cause=487;text="the INVITE has expired"'
"""The same of one who wanted an answer sooner (Expires)."""
_NO_ROOM: Final = 'SIP;cause=503;text="too many calls"'
"""The same of one who has confirmed nothing, and gave way to another."""


class IncomingSession(Session):
    """A session that a peer began."""

    __slots__ = (
        "_answer",
        "_described",
        "_expiry_of_offer",
        "_keep_ringing",
        "_late_offer",
        "_proved",
        "_reliable",
        "_replaces",
        "_tag",
        "_transaction",
    )

    def __init__(
        self, stack: Stack, request: Request, flow: Flow, number: SessionId, replaces: SessionId | None = None
    ) -> None:
        """Raises RemoteSipError where no dialog can be made of the request or there is no room for it."""
        super().__init__(stack, number)
        self._replaces = replaces
        self._tag = stack.ids.token()
        dialog = of_request(request, self._tag, flow, self)
        self._keep_ringing: Timer | None = None
        self._expiry_of_offer: Timer | None = None
        """Until when the caller wants to hear a final answer, where he said so."""
        self._late_offer = False
        """The INVITE brought no offer, so that we make it."""
        self._reliable: ReliableProvisionals | None = None
        """Made for the first that goes out reliably."""
        self._described = False
        """The first offer and answer were made by a provisional response and its PRACK."""
        self._proved = False
        """Whether the INVITE itself shows that its sender is there: by a password, or by its connection."""
        self._answer: bytes | None = None
        """The layer above has answered, and the 2xx waits for a PRACK."""
        self._transaction = stack.admit(request, flow, self)
        self._transaction.to_tag = self._tag
        self._dialog = dialog
        stack.dialogs.add(dialog)
        stack.sessions[number] = self

    # --- from the layer above ---

    def progress(self, status: int, reason: str, sdp: bytes | None, now: float) -> None:
        """Send a provisional response. Raises LocalSipError after the final one."""
        self._require_offered()
        if not 101 <= status <= 199:
            raise LocalSipError(f"{status} is no provisional status that a call can be told")
        if self._wants_reliable():
            self._progress_reliably(status, reason, sdp, now)
        else:
            self.send_provisional(status, reason, sdp, (), now)

    def accept(self, sdp: bytes, now: float) -> None:
        """Send 200; where a provisional response with a description waits for its PRACK, then (RFC 3262 5). Raises
        LocalSipError after the final response."""
        self._require_offered()
        if self._answer is not None:
            raise LocalSipError(f"session {self.id} has been answered")
        self._answer = sdp
        if self._reliable is None or not self._reliable.handle(ReliableInput.SUCCESS, now):
            self.send_success(now)

    def reject(self, status: int, reason: str, headers: Sequence[tuple[str, str]], now: float) -> None:
        """Refuse the call. Raises LocalSipError after the final response."""
        self._require_offered()
        if not 300 <= status <= 699:
            raise LocalSipError(f"{status} is no status to refuse with")
        self._respond(status, reason, headers, b"", now)
        self.close(now)

    def bye(self, now: float, reason_header: str = "") -> None:
        if self.phase is Phase.OFFERED and self._answer is not None:
            # Answered, says the layer above; the caller has not heard of it.
            self._respond(480, "", (("Reason", reason_header),) if reason_header else (), b"", now)
            self.finish(EndedBy.LOCAL, now)
        else:
            super().bye(now, reason_header)

    # --- where there are too many sessions ---

    @property
    def half_open(self) -> bool:
        """The address of a datagram may be forged. Until PRACK, ACK or another request within the dialog has come,
        nobody knows whether there is a caller at all."""
        if self._proved or self._dialog is None or self._dialog.remote_sequence != self._transaction.number:
            return False
        return self.phase is Phase.OFFERED or (self.phase is Phase.UP and self._acceptance is not None)

    def give_way(self, now: float) -> None:
        if self.phase is Phase.OFFERED:
            self._respond(503, "", (("Retry-After", str(RETRY_AFTER_S)),), b"", now)
            self.close(now)
            self._stack.outbox.events.append(InviteCancelled(session=self.id, reason=_NO_ROOM))
        else:
            self.give_up(EndedBy.ACK_TIMEOUT, now)

    # --- reliable provisional responses (RFC 3262) ---

    def _wants_reliable(self) -> bool:
        """Whether provisional responses go out reliably: where the peer requires it, or can and we like to."""
        request = self._transaction.request
        first = request.headers.first
        if "Require" in first and request.requires("100rel"):
            return True
        return self._stack.rings_reliably and "Supported" in first and "100rel" in request.supported

    def _progress_reliably(self, status: int, reason: str, sdp: bytes | None, now: float) -> None:
        if sdp is None and self._late_offer and self._reliable is None:
            # The first of them would have to bring an offer (RFC 3261 13.2.1). Ringing is not worth one: it is not
            # said, the 2xx brings the offer.
            return
        if self._reliable is None:
            self._reliable = ReliableProvisionals(self._stack, self, self._transaction.number)
        self._reliable.send(status, reason, sdp, now)

    def send_provisional(
        self, status: int, reason: str, sdp: bytes | None, headers: Sequence[tuple[str, str]], now: float
    ) -> None:
        """Send one now, and again every minute."""
        self._respond(status, reason, [*self._contact(), *headers], sdp or b"", now)
        if headers and sdp:
            self.described(sdp)
        stack = self._stack
        stack.heap.cancel(self._keep_ringing)
        self._keep_ringing = stack.heap.start(now + _KEEP_RINGING_S, self, "provisional")

    def repeat_provisional(self) -> None:
        """No PRACK has come."""
        self._transaction.repeat_provisional()

    def send_success(self, now: float) -> None:
        """Send the 2xx that `accept` asked for. A description that was agreed before is not said again."""
        dialog, answer = self._dialog, self._answer
        if dialog is None or answer is None:
            raise LocalSipError(f"session {self.id} has no dialog")
        late = self._late_offer and not self._described
        sdp = b"" if self._described else answer
        self.described(sdp)
        fields = [*self._contact(), ("Allow", ALLOW), ("Supported", self._stack.offered), *self._stack.server]
        request = self._transaction.request
        first = request.headers.first
        if "Recv-Info" in first:
            fields.append(NO_PACKAGES)
        if "Supported" in first or "Session-Expires" in first:
            fields += self.agree(request, now)
        self._respond(200, "", fields, sdp, now)
        self._stop_ringing()
        self._begin(dialog)
        self._acceptance = Acceptance(self._stack.transactions, self._transaction, self, late_offer=late, now=now)

    def prack_missing(self, now: float) -> None:
        """RFC 3262 3: refuse the INVITE."""
        answered = self._answer is not None
        self._respond(504, "", (), b"", now)
        if answered:
            self.finish(EndedBy.ACK_TIMEOUT, now)
        else:
            self.close(now)
            self._stack.outbox.events.append(InviteCancelled(session=self.id, reason=_NO_PRACK))

    def _prack_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        reliable = self._reliable
        if reliable is None or not reliable.matches(rack_of(request)):
            raise refuse(481, "no provisional response waits for this PRACK")
        if request.body:
            check_body(request)
        sdp = sdp_of(request)
        transaction = self._stack.admit(request, flow, self)
        settles = reliable.described and not self._described and reliable.state is not ReliableState.ANSWERED
        if settles and self._late_offer:
            self._described = True
            answer_prack(transaction, now)
            self._stack.outbox.events.append(OfferAnswered(session=self.id, sdp=sdp))
        elif sdp is not None and (settles or self._described) and self.phase is Phase.OFFERED:
            self._described = True
            self._take_offer_of(transaction, sdp, dialog, flow, now)
        else:
            self._described = self._described or settles
            answer_prack(transaction, now)
        reliable.handle(ReliableInput.PRACK, now)

    def _take_offer_of(self, prack: ServerTransaction, sdp: bytes, dialog: Dialog, flow: Flow, now: float) -> None:
        """The offer of a PRACK is told, unless another is under way: then it confirms, and the offer is passed over."""
        negotiation = self.negotiation_in(dialog)
        if negotiation.free:
            negotiation.offered_by_prack(prack, sdp, flow)
        else:
            answer_prack(prack, now)

    def agreed_in(self, dialog: Dialog) -> bool:
        return self._described or super().agreed_in(dialog)

    def awaits_answer(self, dialog: Dialog) -> bool:
        reliable = self._reliable
        return self._late_offer and reliable is not None and reliable.described

    # --- from the stack ---

    def begin(self, peer: Peer, flow: Flow, called: str, carried: Carried, now: float) -> None:
        """Send 100 and tell the layer above of the call to the number `called`."""
        request = self._transaction.request
        if self._dialog is not None:
            if isinstance(peer, AgentPeer):
                self._dialog.pinned = True
            elif flow.connection:
                admission = self._stack.admission
                assert admission is not None, "an endpoint has its admission"
                self._dialog.home_flow = way_back(self._dialog, flow, admission.tls_name(peer))
            if isinstance(peer, TrunkPeer) and self._stack.retries.accounts.has(peer.name):
                # Our requests within the call are challenged as well (RFC 3261 22): the trunk's account has its name.
                self._dialog.account = peer.name
        self._proved = isinstance(peer, AgentPeer) or flow.connection != 0
        caller = request.from_
        user, display = caller.uri.user or "", caller.display
        if not (user.isprintable() and display.isprintable()):
            user, display = visible(user), visible(display)
        sdp = sdp_of(request)
        self._late_offer = sdp is None
        self._transaction.try_soon(now)
        if "Expires" in request.headers.first:
            self._note_expiry(request, now)
        if carried.session and self._dialog is not None:
            request.session_ids = SessionIds(new_session_id(self._stack.ids), carried.session)
            self._dialog.session_ids = request.session_ids
        self._stack.outbox.events.append(
            InviteReceived(
                session=self.id,
                peer=peer,
                flow=flow,
                call_id=request.call_id,
                to_user=called,
                from_user=user if isinstance(peer, TrunkPeer) else peer.user,
                from_display=display,
                carried=carried,
                replaces=self._replaces,
                sdp=sdp,
                hops=70 if request.max_forwards is None else request.max_forwards,
            )
        )

    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """The caller gave up. CANCEL has been answered."""
        if transaction is self._transaction and self.phase is Phase.OFFERED:
            self._withdrawn(reason_of(cancel), now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        if self.phase is not Phase.OFFERED or self._transaction.flow != flow:
            super().flow_lost(flow, now)
        elif flow.connection and self._dialog is not None and self._dialog.home_flow.connection == 0:
            # To a line one is made, at once: where it cannot be, the caller is gone, and no agent is to be called.
            self._transaction.answer_by(answers_way(self._transaction.request, flow, self._dialog.home_flow.name))
        else:
            self._withdrawn("", now)

    def timer_rang(self, what: str, now: float) -> None:
        if what == "offer":
            self._expiry_of_offer = None
            self._withdrawn(_EXPIRED, now)
            return
        if what != "provisional":
            super().timer_rang(what, now)
            return
        self._transaction.repeat_provisional()
        self._keep_ringing = self._stack.heap.start(now + _KEEP_RINGING_S, self, "provisional")

    def close(self, now: float) -> None:
        self._stop_ringing()
        if self._reliable is not None:
            if self._reliable.waits:
                self._transaction.unconfirmed = self._reliable.rseq
            self._reliable.close()
            self._reliable = None
        super().close(now)

    # --- inner ---

    def _require_offered(self) -> None:
        if self.phase is not Phase.OFFERED:
            raise LocalSipError(f"session {self.id} is {self.phase}, its final response was sent")

    def _contact(self) -> list[tuple[str, str]]:
        local, uri = self._stack.identity.of(self._transaction.flow), self._transaction.request.request_uri
        return [("Contact", local.contact_for(uri))]

    def _respond(self, status: int, reason: str, headers: Sequence[tuple[str, str]], body: bytes, now: float) -> None:
        reason = reason or REASONS.get(status, "Refused")
        request = self._transaction.request
        response = Response.build(request, status, reason, self._tag, headers, body)
        self._transaction.respond(response, now)

    def _withdrawn(self, reason: str, now: float) -> None:
        self._respond(487, "", (), b"", now)
        self.close(now)
        self._stack.outbox.events.append(InviteCancelled(session=self.id, reason=reason))

    def _ended_by_peer(self, dialog: Dialog, reason: str, now: float) -> None:
        # RFC 3261 15: the caller may send BYE on an early dialog instead of CANCEL.
        if self.phase is Phase.OFFERED:
            self._withdrawn(reason, now)
        else:
            super()._ended_by_peer(dialog, reason, now)

    def _note_expiry(self, request: Request, now: float) -> None:
        """RFC 3261 13.3.1: after so many seconds without a final answer the INVITE is refused with 487. A field that
        cannot be read says nothing."""
        with suppress(RemoteSipError):
            seconds = request.expires
            if seconds is not None:
                self._expiry_of_offer = self._stack.heap.start(now + seconds, self, "offer")

    def _stop_ringing(self) -> None:
        self._stack.heap.cancel(self._keep_ringing)
        self._keep_ringing = None
        if self._expiry_of_offer is not None:
            self._stack.heap.cancel(self._expiry_of_offer)
            self._expiry_of_offer = None
