"""The actions of the endpoint on calls: invite, answer, refuse, hang up, offer anew; and OPTIONS beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.sip.carried import NOTHING, Carried
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import PingId, SessionId
from engine.sip.feature_actions import one_line
from engine.sip.invite_in import IncomingSession
from engine.sip.invite_out import OutgoingSession
from engine.sip.ping import Ping
from engine.sip.reinvite import Negotiation
from engine.sip.request_out import MAX_FORWARDS, invite_request, options_request
from engine.sip.retry import MayFollow
from engine.sip.session import Phase, Session
from engine.sip.stack import Stack, Target


class CallActions:
    """A part of `Endpoint`. Each action raises LocalSipError where the session does not allow it."""

    _stack: Stack
    _ping_numbers: Iterator[int]

    # --- actions: calls ---

    def invite(
        self,
        target: Target,
        *,
        from_user: str,
        from_display: str = "",
        from_host: str | None = None,
        to_user: str | None = None,
        sdp: bytes | None,
        headers: Sequence[tuple[str, str]] = (),
        carried: Carried = NOTHING,
        max_forwards: int = MAX_FORWARDS,
        redirects: int = 0,
        may_follow: MayFollow | None = None,
        now: float,
    ) -> SessionId:
        """Call somebody, with what another leg `carried` along. Without `sdp` the peer is asked for an offer, which
        `answer_offer` answers after InviteAccepted. A call that came from elsewhere has one less of `max_forwards` than
        `InviteReceived.hops`; so many `redirects` (3xx) are followed, to where `may_follow` lets them. Raises
        LocalSipError for what cannot be written, and where there is no room."""
        stack = self._stack
        stack.transactions.require_room()
        tag = stack.ids.token()
        request = invite_request(
            stack,
            target,
            tag=tag,
            from_user=from_user,
            from_display=from_display,
            from_host=from_host,
            to_user=to_user,
            sdp=sdp,
            headers=headers,
            carried=carried,
            max_forwards=max_forwards,
        )
        try:
            number = stack.admit_session(now)
        except RemoteSipError as error:
            raise LocalSipError(str(error)) from None
        OutgoingSession(stack, number, request, tag, target, redirects, may_follow).start(now)
        return number

    def progress(
        self, session: SessionId, status: int, reason: str = "", sdp: bytes | None = None, *, now: float
    ) -> None:
        """Send a provisional response (101-199)."""
        self._incoming(session).progress(status, one_line(reason), sdp, now)

    def accept(self, session: SessionId, sdp: bytes, *, now: float) -> None:
        """Answer with 200; AckReceived follows, or SessionEnded."""
        self._incoming(session).accept(sdp, now)

    def reject(
        self,
        session: SessionId,
        status: int,
        reason: str = "",
        headers: Sequence[tuple[str, str]] = (),
        *,
        now: float,
    ) -> None:
        """Refuse with 300-699; no event follows."""
        self._incoming(session).reject(status, one_line(reason), headers, now)

    def cancel(self, session: SessionId, *, now: float, reason_header: str = "") -> None:
        """Take our INVITE back; InviteFailed follows. CANCEL waits for the first provisional response."""
        found = self._session(session)
        if not isinstance(found, OutgoingSession):
            raise LocalSipError(f"session {session} came in; it is rejected, not cancelled")
        found.cancel(now, one_line(reason_header))

    def replied(self, session: SessionId) -> bool:
        """Whether our INVITE was answered at all, be it only with 100, which is not told otherwise."""
        found = self._stack.sessions.get(session)
        return not isinstance(found, OutgoingSession) or found.replied

    def bye(self, session: SessionId, *, now: float, reason_header: str = "") -> None:
        """Hang up; SessionEnded follows."""
        self._session(session).bye(now, one_line(reason_header))

    def offer(self, session: SessionId, sdp: bytes, *, now: float) -> None:
        """Send a re-INVITE, as soon as no other is under way; OfferAnswered or OfferRefused follows. One that waits for
        that, or to be sent again after a 491, is replaced."""
        self._negotiation(session, Phase.UP).offer(sdp, now)

    def update(self, session: SessionId, sdp: bytes, *, now: float) -> None:
        """Send an offer by UPDATE (RFC 3311): also before the call is answered, where a reliable provisional response
        has settled the first offer. OfferAnswered or OfferRefused follows. Raises LocalSipError too where the peer does
        not take UPDATE."""
        found = self._session(session)
        dialog = found.settled_dialog()
        if dialog is None or not dialog.takes_update:
            raise LocalSipError(f"session {session} takes no UPDATE now")
        found.negotiation_in(dialog).offer(sdp, now, method="UPDATE")

    def answer_offer(self, session: SessionId, sdp: bytes, *, now: float) -> None:
        """Answer OfferReceived (where it came without SDP, with our offer, and AckReceived brings the answer); or the
        offer that came with InviteAccepted or a reliable ProgressReceived, where `invite` had none."""
        found = self._session(session)
        if not (isinstance(found, OutgoingSession) and found.answer(sdp, now)):
            self._negotiation(session).answer(sdp, now)

    def refuse_offer(self, session: SessionId, status: int, reason: str = "", *, now: float) -> None:
        """Refuse OfferReceived; the session stays as it was."""
        self._negotiation(session).refuse(status, one_line(reason), now)

    def terminate(self, session: SessionId, *, now: float) -> None:
        """End the session by whatever ends it in its state: reject with 503, cancel or BYE; nothing where that is under
        way."""
        found = self._session(session)
        if found.phase is Phase.UP:
            found.bye(now)
        elif found.phase is Phase.OFFERED and isinstance(found, IncomingSession):
            found.reject(503, "", (), now)
        elif found.phase is Phase.OFFERED and isinstance(found, OutgoingSession):
            found.cancel(now)

    def name_session(self, session: SessionId, other: SessionId) -> None:
        """The ends of these two sessions talk to each other: from now on we name ourselves to the first by the UUID
        that the second's end told us, where both have one (RFC 7989 7)."""
        one, far = self._stack.sessions.get(session), self._stack.sessions.get(other)
        if one is not None and far is not None:
            one.take_name(far)

    def ping(self, target: Target, *, now: float) -> PingId:
        """Ask whether anybody is there (OPTIONS); PingAnswered follows."""
        stack = self._stack
        stack.transactions.require_room()
        number = PingId(next(self._ping_numbers))
        request = options_request(stack, target)
        stack.client(request, target, Ping(stack.outbox, number)).start(now)
        return number

    # --- inner ---

    def _session(self, number: SessionId) -> Session:
        session = self._stack.sessions.get(number)
        if session is None:
            raise LocalSipError(f"session {number} is over")
        return session

    def _incoming(self, number: SessionId) -> IncomingSession:
        session = self._session(number)
        if not isinstance(session, IncomingSession):
            raise LocalSipError(f"session {number} went out; it has no response to send")
        return session

    def _negotiation(self, number: SessionId, *phases: Phase) -> Negotiation:
        session = self._session(number)
        if session.phase not in (phases or (Phase.OFFERED, Phase.UP)) or session.negotiation is None:
            raise LocalSipError(f"session {number} is {session.phase}, not up")
        return session.negotiation
