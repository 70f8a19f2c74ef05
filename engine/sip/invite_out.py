"""Calls that go out: the client's side of INVITE (RFC 3261 13.2), its forks, and CANCEL (9.1)."""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.sip.bodies import sdp_of
from engine.sip.dialog import Dialog, of_response
from engine.sip.drops import UNMATCHED
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import EndedBy, InviteAccepted, InviteFailed, ProgressReceived, SessionId
from engine.sip.flow import Flow
from engine.sip.fsm import State
from engine.sip.message import Request, Response
from engine.sip.names import REASONS
from engine.sip.prack_out import Confirmations, is_reliable
from engine.sip.reason import reason_of
from engine.sip.refusal import Refusal
from engine.sip.reinvite import Negotiation
from engine.sip.retry import RETRIED, MayFollow, Retries
from engine.sip.session import Phase, Session, send_bye
from engine.sip.stack import Stack, Target
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction
from engine.sip.transaction_base import NOBODY
from engine.sip.visible import visible

_EARLY_DIALOG_TERMINATED: Final = 199


class OutgoingSession(Session):
    """A session that we began."""

    __slots__ = (
        "_acks",
        "_cancel_reason",
        "_cancel_sent",
        "_cancel_timer",
        "_confirmations",
        "_early",
        "_early_sdp",
        "_late_offer",
        "_may_follow",
        "_negotiations",
        "_owed",
        "_redirects",
        "_retries",
        "_spent",
        "_tag",
        "_transaction",
    )

    outgoing = True

    def __init__(
        self,
        stack: Stack,
        number: SessionId,
        request: Request,
        tag: str,
        target: Target,
        redirects: int = 0,
        may_follow: MayFollow | None = None,
    ) -> None:
        """Raises LocalSipError where the target has a route that is no address."""
        super().__init__(stack, number)
        self._retries: Retries | None = None
        """Made for the first refusal that may be answered by another INVITE."""
        self._redirects = redirects
        """3xx that may be followed."""
        self._may_follow = may_follow
        self.local_sdp = request.body
        self._tag = tag
        self._transaction = stack.client(request, target, self)
        self._early: dict[str, Dialog] = {}
        """By the peer's tag: one for each place that a proxy forked our INVITE to."""
        self._early_sdp: dict[str, bytes] = {}
        """By the peer's tag: what it described last in a provisional response that was not reliable."""
        self._confirmations: dict[str, Confirmations] = {}
        """By the peer's tag: where provisional responses are reliable."""
        self._negotiations: dict[str, Negotiation] = {}
        """By the peer's tag: where an offer came in an early dialog, or was made there."""
        self._owed: deque[Confirmations] = deque()
        """Reliable provisional responses that brought an offer: their PRACK waits for our answer."""
        self._spent: dict[str, int] = {}
        """By the peer's tag: the last CSeq number that was used in an early dialog which is forgotten."""
        self._acks: dict[str, bytes] = {}
        """By the peer's tag: what is sent again when a 2xx comes again."""
        self._late_offer = not request.body
        """The 2xx brings the offer, and the ACK waits for our answer."""
        self._cancel_reason: str | None = None
        """Reason header of the CANCEL that was asked for; None where none was."""
        self._cancel_sent = False
        self._cancel_timer: Timer | None = None
        stack.sessions[number] = self

    # --- from the layer above ---

    def start(self, now: float) -> None:
        """Send the INVITE. Raises LocalSipError where it cannot be written."""
        try:
            self._transaction.start(now)
        except LocalSipError:
            self.close(now)
            raise

    def cancel(self, now: float, reason_header: str = "") -> None:
        """Take the INVITE back; asked for twice, once is enough. Raises LocalSipError after the final response."""
        if self.phase is not Phase.OFFERED:
            raise LocalSipError(f"session {self.id} is {self.phase}, its final response has come")
        if self._cancel_reason is None:
            self._cancel_reason = reason_header
            transaction = self._transaction
            transaction.settle()
            if transaction.unsent:
                transaction.abandon(now)
                self._failed(487, REASONS[487], now)
            elif transaction.state is State.PROCEEDING:
                self._send_cancel(now)

    def answer(self, sdp: bytes, now: float) -> bool:
        """Send the ACK with the answer to the offer that the 2xx brought. False where no such waits."""
        dialog = self._dialog
        if self._owed:
            self.described(sdp)
            self._owed.popleft().answer(now, sdp)
            return True
        if self.phase is not Phase.UP or dialog is None or self.settled:
            return False
        self.described(sdp)
        self._send_ack(dialog, sdp)
        if self.negotiation is not None:
            self.negotiation.unblocked(now)
        return True

    @property
    def call_id(self) -> str:
        """Of our INVITE, and of everything after it."""
        return self._transaction.request.call_id

    @property
    def settled(self) -> bool:
        if self.phase is Phase.OFFERED:
            return True
        return self._dialog is not None and self._dialog.remote_tag in self._acks

    def agreed_in(self, dialog: Dialog) -> bool:
        if self.phase is not Phase.OFFERED:
            return super().agreed_in(dialog)
        found = self._confirmations.get(dialog.remote_tag)
        return found is not None and found.sdp is not None and (found.answered or not self._late_offer)

    def awaits_answer(self, dialog: Dialog) -> bool:
        return self.phase is Phase.OFFERED and not self._late_offer and not self.agreed_in(dialog)

    def settled_dialog(self) -> Dialog | None:
        if self.phase is not Phase.OFFERED:
            return super().settled_dialog()
        found = [each for each in self._early.values() if self.agreed_in(each)]
        return found[0] if len(found) == 1 else None

    def negotiation_in(self, dialog: Dialog) -> Negotiation:
        if self.phase is not Phase.OFFERED:
            return super().negotiation_in(dialog)
        if self.negotiation is not None and self.negotiation.dialog is not dialog and not self.negotiation.free:
            raise Refusal(500, "another place has an offer under way", (("Retry-After", "2"),))
        found = self._negotiations.get(dialog.remote_tag)
        if found is None:
            found = Negotiation(self._stack, self, dialog, we_called=True)
            self._negotiations[dialog.remote_tag] = found
        self.negotiation = found
        return found

    @property
    def replied(self) -> bool:
        """Whether the peer has been heard, be it only with 100."""
        return self._transaction.state is not State.CALLING or self.phase is not Phase.OFFERED

    # --- the transaction user ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction is not self._transaction:
            super().response_received(transaction, response, now)
        elif response.status < 200:
            self._provisional_received(response, now)
        elif response.status < 300:
            self._success_received(response, now)
        elif self.phase is Phase.OFFERED and not (self._may_try_again(response) and self._try_again(response, now)):
            self._failed(response.status, visible(response.reason), now, response=response)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is not self._transaction:
            super().request_timed_out(transaction, now)
        elif self.phase is Phase.OFFERED:
            self._failed(408, REASONS[408], now, timed_out=True)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is not self._transaction:
            super().request_failed(transaction, now)
        elif self.phase is Phase.OFFERED:
            self._failed(503, REASONS[503], now)

    def timer_rang(self, what: str, now: float) -> None:
        if what != "cancel":
            super().timer_rang(what, now)
            return
        # RFC 3261 9.1: after 64*T1 the transaction counts as cancelled, whether the peer says so or not.
        self._cancel_timer = None
        self._transaction.abandon(now)
        self._failed(408, REASONS[408], now, timed_out=True)

    def flow_lost(self, flow: Flow, now: float) -> None:
        # While the INVITE waits its transaction hears of the flow, and says so.
        if self.phase is not Phase.OFFERED:
            super().flow_lost(flow, now)

    def give_up(self, by: EndedBy, now: float, reason_header: str = "") -> None:
        self._settle()
        super().give_up(by, now, reason_header)

    def bye(self, now: float, reason_header: str = "") -> None:
        self._settle()
        super().bye(now, reason_header)

    def close(self, now: float) -> None:
        super().close(now)
        self._stack.heap.cancel(self._cancel_timer)
        self._cancel_timer = None
        self._drop_all_early(now)

    # --- inner ---

    def _may_try_again(self, response: Response) -> bool:
        return response.status in RETRIED or self._retries is not None

    def _settle(self) -> None:
        """The offer of the 2xx gets no answer any more, but its ACK."""
        if self.phase is Phase.UP and self._dialog is not None and not self.settled:
            self._send_ack(self._dialog, b"")

    def _provisional_received(self, response: Response, now: float) -> None:
        if self.phase is not Phase.OFFERED:
            return
        if self._cancel_reason is not None:
            self._send_cancel(now)
        elif response.status > 100:
            tag = response.to_tag or ""
            if tag and tag not in self._early and len(self._early) < self._stack.config.limits.forks:
                dialog = of_response(self._transaction, self._tag, response, self)
                self._early[tag] = dialog
                self._stack.dialogs.add(dialog)
            if "RSeq" in response.headers.first and is_reliable(response):
                self._reliable_received(response, tag, now)
                return
            sdp = sdp_of(response)
            if sdp is not None and tag in self._early:
                self._early_sdp[tag] = sdp
            if response.status == _EARLY_DIALOG_TERMINATED:
                self._drop_early(tag, now)
            status = response.status
            told = ProgressReceived(session=self.id, status=status, sdp=sdp, dialog=tag)
            self._stack.outbox.events.append(told)

    def _reliable_received(self, response: Response, tag: str, now: float) -> None:
        """One that wants a PRACK (RFC 3262 4). Of a dialog that we have no room for it gets none."""
        dialog = self._early.get(tag)
        if dialog is None:
            return
        found = self._confirmations.get(tag)
        if found is None:
            # One that cannot be routed back keeps the target of the INVITE.
            dialog.route_by(response)
            found = Confirmations(self._stack, dialog, self._transaction.number, self)
            self._confirmations[tag] = found
        if not found.take(response):
            self._stack.transactions.drops[UNMATCHED] += 1
            return
        sdp = sdp_of(response)
        first = sdp is not None and found.sdp is None
        if first:
            found.sdp = sdp
        if first and self._late_offer:
            self._owed.append(found)
        else:
            found.confirm(now)
        status = response.status
        told = ProgressReceived(session=self.id, status=status, sdp=sdp, reliable=True, dialog=tag)
        self._stack.outbox.events.append(told)

    def _ended_by_peer(self, dialog: Dialog, reason: str, now: float) -> None:
        """A place that was called may not hang up before it has answered (RFC 3261 15); of one that does all the same
        nothing more is expected. The others ring on; after the last the INVITE is taken back."""
        if self.phase is not Phase.OFFERED:
            super()._ended_by_peer(dialog, reason, now)
            return
        self._drop_early(dialog.remote_tag, now)
        if not self._early:
            self.cancel(now)

    def _drop_early(self, tag: str, now: float) -> None:
        """One place of several has ended its dialog (RFC 6228)."""
        dialog = self._early.pop(tag, None)
        if dialog is not None:
            self._stack.dialogs.remove(dialog)
            if dialog.local_sequence > self._transaction.number:
                self._spent[tag] = dialog.local_sequence
        negotiation = self._negotiations.pop(tag, None)
        if negotiation is not None:
            negotiation.close(now)

    def _drop_all_early(self, now: float) -> None:
        for tag in list(self._early):
            self._drop_early(tag, now)
        self._owed.clear()
        self._confirmations.clear()
        self._early_sdp.clear()

    def _success_received(self, response: Response, now: float) -> None:
        tag = response.to_tag or ""
        dialog = self._dialog
        if tag in self._acks:
            self._stack.outbox.resend(self._transaction.flow, self._acks[tag], "ACK")
        elif self.phase is Phase.OFFERED and self._cancel_reason is None:
            self._confirmed(response, tag, now)
        elif (dialog is None or dialog.remote_tag != tag) and len(self._acks) < self._stack.config.limits.forks:
            # Another fork, or a 2xx that crossed our CANCEL (RFC 3261 13.2.2.4, 9.1).
            declined = of_response(self._transaction, self._tag, response, self)
            declined.route_by(response)
            self._drop_early(tag, now)
            declined.local_sequence = max(declined.local_sequence, self._spent.get(tag, 0))
            self._decline(declined, now, 487)

    def _confirmed(self, response: Response, tag: str, now: float) -> None:
        dialog = self._early.get(tag) or of_response(self._transaction, self._tag, response, self)
        if not dialog.route_by(response):
            # Whom no request can be sent to for sure cannot be kept in a call (RFC 3261 12.1.2).
            self._decline(dialog, now, 502)
            return
        if self._early.pop(tag, None) is None:
            self._stack.dialogs.add(dialog)
        sdp = sdp_of(response)
        owes_answer = self._late_offer
        if self._confirmations or self._early_sdp:
            found = self._confirmations.get(tag)
            if found is None or found.sdp is None:
                sdp = sdp or self._early_sdp.get(tag)
            elif owes_answer and found.answered:
                sdp, owes_answer = None, False
            else:
                sdp = found.sdp
        self.negotiation = self._negotiations.pop(tag, None)
        self._drop_all_early(now)
        self._begin(dialog)
        if not owes_answer:
            self._send_ack(dialog, b"")
        if "Session-Expires" in response.headers.first:
            self.refreshed(response, now)
        flow = self._transaction.flow
        self._stack.outbox.events.append(InviteAccepted(session=self.id, flow=flow, sdp=sdp, dialog=tag))

    def _try_again(self, response: Response, now: float) -> bool:
        """Answer a refusal with another INVITE, where it says how; False where it does not."""
        if self._cancel_reason is not None:
            return False
        if self._retries is None:
            self._retries = Retries(self._stack, self._redirects, self._may_follow)
        transaction = self._transaction
        again = self._retries.after(response, transaction.request, transaction.flow, now)
        if again is None:
            return False
        self._drop_all_early(now)
        self._transaction = self._stack.client(*again, self)
        self._transaction.start(now)
        return True

    def _decline(self, dialog: Dialog, now: float, status: int) -> None:
        """ACK and BYE at once. `status` is what becomes of the call where nothing else does."""
        self._send_ack(dialog, b"")
        send_bye(self._stack, dialog, now, self._cancel_reason or "")
        if self.phase is Phase.OFFERED:
            self._failed(status, REASONS[status], now)

    def _send_ack(self, dialog: Dialog, sdp: bytes) -> None:
        number, invite = self._transaction.number, self._transaction.request
        signed = "Authorization" in invite.headers.first or "Proxy-Authorization" in invite.headers.first
        headers = invite.credentials if signed else ()
        ack = self._stack.dialogs.request(dialog, "ACK", number=number, headers=headers, body=sdp)
        self._acks[dialog.remote_tag] = self._stack.outbox.send_request(dialog.flow, ack)

    def _send_cancel(self, now: float) -> None:
        if self._cancel_sent:
            return
        self._cancel_sent = True
        cancel = self._transaction.cancel_request()
        if self._cancel_reason:
            cancel.headers.add("Reason", self._cancel_reason)
        stack = self._stack
        self._cancel_timer = stack.heap.start(now + stack.config.timers.transaction, self, "cancel")
        stack.transactions.client(cancel, self._transaction.flow, NOBODY).start(now)

    def _failed(
        self, status: int, reason: str, now: float, *, response: Response | None = None, timed_out: bool = False
    ) -> None:
        self.close(now)
        self._stack.outbox.events.append(
            InviteFailed(
                session=self.id,
                status=status,
                reason=reason,
                retry_after=None if response is None else _retry_after(response),
                timed_out=timed_out,
                reason_header="" if response is None else reason_of(response),
            )
        )


def _retry_after(response: Response) -> int | None:
    try:
        return response.retry_after
    except RemoteSipError:
        return None
