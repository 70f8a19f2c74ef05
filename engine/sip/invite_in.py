"""Calls that come in: the server's side of INVITE (RFC 3261 13.3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.sip.acceptance import Acceptance
from engine.sip.carried import Carried
from engine.sip.dialog import of_request
from engine.sip.errors import LocalSipError
from engine.sip.events import InviteCancelled, InviteReceived, Peer, SessionId, TrunkPeer
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW
from engine.sip.info import NO_PACKAGES
from engine.sip.message import Request, Response
from engine.sip.names import REASONS, refuse
from engine.sip.refusal import sdp_of
from engine.sip.session import Phase, Session, reason_of
from engine.sip.session_id import SessionIds, new_session_id
from engine.sip.stack import Stack
from engine.sip.timers import Timer
from engine.sip.transaction import ServerTransaction

_KEEP_RINGING_S: Final = 60.0
"""A provisional is repeated this often, so that no proxy's Timer C ends the call (RFC 3261 13.3.1.1)."""


class IncomingSession(Session):
    """A session that a peer began."""

    __slots__ = ("_keep_ringing", "_replaces", "_tag", "_transaction")

    def __init__(
        self, stack: Stack, request: Request, flow: Flow, number: SessionId, replaces: SessionId | None = None
    ) -> None:
        """Raises RemoteSipError where no dialog can be made of the request or there is no room for it."""
        super().__init__(stack, number)
        self._replaces = replaces
        self._tag = stack.ids.token()
        dialog = of_request(request, self._tag, flow, self)
        if not dialog.remote_tag:
            raise refuse(400, "From has no tag")
        self._keep_ringing: Timer | None = None
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
        self._respond(status, reason, self._contact(), sdp or b"", now)
        stack = self._stack
        stack.heap.cancel(self._keep_ringing)
        self._keep_ringing = stack.heap.start(now + _KEEP_RINGING_S, self, "provisional")

    def accept(self, sdp: bytes, now: float) -> None:
        """Send 200. Raises LocalSipError after the final response."""
        self._require_offered()
        dialog = self._dialog
        if dialog is None:
            raise LocalSipError(f"session {self.id} has no dialog")
        late = not self._transaction.request.body
        headers = [*self._contact(), ("Allow", ALLOW), *self._stack.server]
        if "Recv-Info" in self._transaction.request.headers.first:
            headers.append(NO_PACKAGES)
        self._respond(200, "", headers, sdp, now)
        self._stop_ringing()
        self._begin(dialog)
        if self.negotiation is not None:
            self.negotiation.we_called = False
        self._acceptance = Acceptance(self._stack.transactions, self._transaction, self, late_offer=late, now=now)

    def reject(self, status: int, reason: str, headers: Sequence[tuple[str, str]], now: float) -> None:
        """Refuse the call. Raises LocalSipError after the final response."""
        self._require_offered()
        if not 300 <= status <= 699:
            raise LocalSipError(f"{status} is no status to refuse with")
        self._respond(status, reason, headers, b"", now)
        self.close(now)

    # --- from the stack ---

    def begin(self, peer: Peer, flow: Flow, carried: Carried, now: float) -> None:
        """Send 100 and tell the layer above of the call."""
        request = self._transaction.request
        if isinstance(peer, TrunkPeer) and self._dialog is not None and self._stack.retries.accounts.has(peer.name):
            # Our requests within the call are challenged as well (RFC 3261 22): the trunk's account has its name.
            self._dialog.account = peer.name
        caller = request.from_
        self._transaction.respond(Response.build(request, 100), now)
        if carried.session and self._dialog is not None:
            self._dialog.session_ids = SessionIds(new_session_id(self._stack.ids), carried.session)
        self._stack.outbox.events.append(
            InviteReceived(
                session=self.id,
                peer=peer,
                flow=flow,
                call_id=request.call_id,
                to_user=request.uri.user or "",
                from_user=(caller.uri.user or "") if isinstance(peer, TrunkPeer) else peer.user,
                from_display=caller.display,
                sdp=sdp_of(request),
                carried=carried,
                replaces=self._replaces,
            )
        )

    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """The caller gave up. CANCEL has been answered."""
        if transaction is self._transaction and self.phase is Phase.OFFERED:
            self._withdrawn(reason_of(cancel), now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        if self.phase is Phase.OFFERED and self._transaction.flow == flow:
            self._withdrawn("", now)
        else:
            super().flow_lost(flow, now)

    def timer_rang(self, what: str, now: float) -> None:
        if what != "provisional":
            super().timer_rang(what, now)
            return
        self._transaction.repeat_provisional()
        self._keep_ringing = self._stack.heap.start(now + _KEEP_RINGING_S, self, "provisional")

    def close(self, now: float) -> None:
        self._stop_ringing()
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
        if self._dialog is not None and self._dialog.session_ids is not None:
            headers = [*headers, ("Session-ID", str(self._dialog.session_ids))]
        response = Response.build(request, status, reason, self._tag, headers, body)
        self._transaction.respond(response, now)

    def _withdrawn(self, reason: str, now: float) -> None:
        self._respond(487, "", (), b"", now)
        self.close(now)
        self._stack.outbox.events.append(InviteCancelled(session=self.id, reason=reason))

    def _ended_by_peer(self, reason: str, now: float) -> None:
        # RFC 3261 15: the caller may send BYE on an early dialog instead of CANCEL.
        if self.phase is Phase.OFFERED:
            self._withdrawn(reason, now)
        else:
            super()._ended_by_peer(reason, now)

    def _stop_ringing(self) -> None:
        self._stack.heap.cancel(self._keep_ringing)
        self._keep_ringing = None
