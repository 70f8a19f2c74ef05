"""Calls that go out: the client's side of INVITE (RFC 3261 13.2), its forks, and CANCEL (9.1)."""

from __future__ import annotations

from engine.sip.dialog import Dialog, of_response
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import EndedBy, InviteAccepted, InviteFailed, ProgressReceived, SessionId
from engine.sip.flow import Flow
from engine.sip.fsm import State
from engine.sip.message import Headers, Request, Response
from engine.sip.names import REASONS
from engine.sip.refusal import sdp_of
from engine.sip.session import NOBODY, Phase, Session, send_bye
from engine.sip.stack import Stack, Target
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction


class OutgoingSession(Session):
    """A session that we began."""

    __slots__ = (
        "_acks",
        "_cancel_reason",
        "_cancel_sent",
        "_cancel_timer",
        "_early",
        "_late_offer",
        "_tag",
        "_transaction",
    )

    outgoing = True

    def __init__(self, stack: Stack, number: SessionId, request: Request, tag: str, target: Target) -> None:
        """Raises LocalSipError where the target has a route that is no address."""
        super().__init__(stack, number)
        self._tag = tag
        self._transaction = stack.client(request, target, self)
        self._early: dict[str, Dialog] = {}
        """By the peer's tag: one for each place that a proxy forked our INVITE to."""
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
        if self.phase is not Phase.UP or dialog is None or self.settled:
            return False
        self._send_ack(dialog, sdp)
        if self.negotiation is not None:
            self.negotiation.unblocked(now)
        return True

    @property
    def settled(self) -> bool:
        return self._dialog is not None and self._dialog.remote_tag in self._acks

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
        elif self.phase is Phase.OFFERED:
            self._failed(response.status, response.reason, now, retry_after=_retry_after(response))

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

    def give_up(self, by: EndedBy, now: float) -> None:
        self._settle()
        super().give_up(by, now)

    def bye(self, now: float, reason_header: str = "") -> None:
        self._settle()
        super().bye(now, reason_header)

    def close(self, now: float) -> None:
        super().close(now)
        self._stack.heap.cancel(self._cancel_timer)
        self._cancel_timer = None
        for dialog in self._early.values():
            self._stack.dialogs.remove(dialog)
        self._early.clear()

    # --- inner ---

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
            tag = response.to_tag
            if tag and tag not in self._early and len(self._early) < self._stack.config.limits.forks:
                dialog = of_response(self._transaction, self._tag, response, self, early=True)
                self._early[tag] = dialog
                self._stack.dialogs.add(dialog)
            sdp = sdp_of(response)
            self._stack.outbox.events.append(ProgressReceived(session=self.id, status=response.status, sdp=sdp))

    def _success_received(self, response: Response, now: float) -> None:
        tag = response.to_tag or ""
        dialog = self._dialog
        if tag in self._acks:
            self._stack.outbox.resend(self._transaction.flow, self._acks[tag], "ACK")
        elif self.phase is Phase.OFFERED and self._cancel_reason is None:
            self._confirmed(response, tag, now)
        elif dialog is None or dialog.remote_tag != tag:
            self._decline(response, tag, now)

    def _confirmed(self, response: Response, tag: str, now: float) -> None:
        dialog = self._dialog_of(response)
        early = self._early.pop(tag, None)
        if early is not None:
            dialog.remote_sequence = early.remote_sequence
        for other in self._early.values():
            self._stack.dialogs.remove(other)
        self._early.clear()
        self._stack.dialogs.add(dialog)
        self._begin(dialog)
        if not self._late_offer:
            self._send_ack(dialog, b"")
        sdp = sdp_of(response)
        flow = self._transaction.flow
        self._stack.outbox.events.append(InviteAccepted(session=self.id, flow=flow, sdp=sdp))

    def _decline(self, response: Response, tag: str, now: float) -> None:
        """Another fork, or a 2xx that crossed our CANCEL: ACK and BYE at once (RFC 3261 13.2.2.4, 9.1)."""
        if len(self._acks) >= self._stack.config.limits.forks:
            return
        dialog = self._dialog_of(response)
        self._send_ack(dialog, b"")
        send_bye(self._stack, dialog, now)
        if self.phase is Phase.OFFERED:
            self._failed(487, REASONS[487], now)

    def _dialog_of(self, response: Response) -> Dialog:
        """The dialog that a 2xx confirms. Made from the 2xx and not from the early one, since target and route set are
        the 2xx's (RFC 3261 13.2.2.4). One that cannot be read still has to be acknowledged: then without Contact and
        routes."""
        try:
            return of_response(self._transaction, self._tag, response, self)
        except RemoteSipError:
            plain = Headers([("To", response.headers.get("To") or "")])
            return of_response(self._transaction, self._tag, Response(response.status, "", plain), self)

    def _send_ack(self, dialog: Dialog, sdp: bytes) -> None:
        ack = self._stack.dialogs.request(dialog, "ACK", number=self._transaction.number, body=sdp)
        self._acks[dialog.remote_tag] = self._stack.outbox.send_request(self._stack.dialogs.flow_for(dialog), ack)

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
        self, status: int, reason: str, now: float, *, retry_after: int | None = None, timed_out: bool = False
    ) -> None:
        self.close(now)
        self._stack.outbox.events.append(
            InviteFailed(session=self.id, status=status, reason=reason, retry_after=retry_after, timed_out=timed_out)
        )


def _retry_after(response: Response) -> int | None:
    try:
        return response.retry_after
    except RemoteSipError:
        return None
