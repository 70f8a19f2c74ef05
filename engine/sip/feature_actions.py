"""The actions of the endpoint that are no calls: transfer, keys, texts."""

from __future__ import annotations

from engine.sip import info, instant_message, refer_out
from engine.sip.dialog import Dialog
from engine.sip.errors import LocalSipError
from engine.sip.event_state import Package, StateSource
from engine.sip.events import MessageId, ReferId, SessionId
from engine.sip.refer import Referral
from engine.sip.replaces import Replaces
from engine.sip.session import Session
from engine.sip.stack import Stack, Target
from engine.sip.uri import SipUri


class FeatureActions:
    """A part of `Endpoint`. Each action raises LocalSipError where the session does not allow it."""

    _stack: Stack

    # --- actions: transfer, keys, texts ---

    def accept_refer(self, refer: ReferId, *, now: float) -> None:
        """Take ReferReceived: 202, and the first NOTIFY. `tell_refer` is to follow."""
        self._referral(refer).accept(now)

    def refuse_refer(self, refer: ReferId, status: int, reason: str = "", *, now: float) -> None:
        """Refuse ReferReceived with 300-699; nothing follows."""
        if not 300 <= status <= 699:
            raise LocalSipError(f"{status} is no status to refuse with")
        self._referral(refer).refuse(status, one_line(reason), now)

    def tell_refer(self, refer: ReferId, status: int, reason: str = "", *, now: float) -> None:
        """Say how the call goes that was asked for; a final status is the last word. It may come after the end of the
        session."""
        self._referral(refer).tell(status, one_line(reason), now)

    def refer(
        self,
        session: SessionId,
        to: SipUri,
        *,
        replaces: Replaces | None = None,
        referred_by: str = "",
        subscribe: bool = True,
        now: float,
    ) -> ReferId:
        """Ask the peer to call `to`, in the place of the dialog that `replaces` names; ReferAnswered follows, then
        ReferNotified up to the one that is over. Without `subscribe` the answer is all that is wanted (RFC 4488)."""
        found, dialog = self._standing(session)
        by = one_line(referred_by)
        return refer_out.send(found, dialog, to, replaces=replaces, referred_by=by, subscribe=subscribe, now=now)

    def send_key(self, session: SessionId, digit: str, duration_ms: int, *, now: float) -> None:
        """Send a key by INFO, to a peer that takes none by RTP."""
        found, dialog = self._standing(session)
        info.send_key(found, dialog, digit, duration_ms, now)

    def answer_message(self, message: MessageId, status: int, *, now: float) -> None:
        """Say what became of MessageReceived."""
        found = self._stack.messages.get(message)
        if found is None:
            raise LocalSipError(f"message {message} has been answered")
        found.answer(status, now)

    def send_message(
        self, target: Target, *, from_user: str, from_display: str = "", text: str, now: float
    ) -> MessageId:
        """Send a text of at most 1300 bytes; MessageAnswered follows."""
        display = one_line(from_display)
        return instant_message.send(self._stack, target, from_user=from_user, from_display=display, text=text, now=now)

    def serve_states(self, source: StateSource) -> set[str]:
        """Where subscriptions get the state from that they tell. Returns the users whose dialogs are watched, kept
        up to date: `state_changed` of others may be left out."""
        self._stack.notifier.source = source
        return self._stack.notifier.watched

    def state_changed(self, package: Package, resource: str, *, now: float) -> None:
        """The state is another than before: whoever watches it is told, at most once a second."""
        self._stack.notifier.changed(package, resource, now)

    def dialog_of(self, session: SessionId) -> Replaces:
        """The dialog of a session that is up, as its peer is to name it in an INVITE to us."""
        _, dialog = self._standing(session)
        return Replaces(call_id=dialog.call_id, to_tag=dialog.local_tag, from_tag=dialog.remote_tag)

    # --- inner ---

    def _standing(self, number: SessionId) -> tuple[Session, Dialog]:
        session = self._stack.sessions.get(number)
        if session is None or session.dialog is None or not session.up:
            raise LocalSipError(f"session {number} is not up")
        return session, session.dialog

    def _referral(self, number: ReferId) -> Referral:
        referral = self._stack.referrals.get(number)
        if referral is None:
            raise LocalSipError(f"REFER {number} is over")
        return referral


def one_line(text: str) -> str:
    """The text, if it fits into a header field. Raises LocalSipError for a line break."""
    if not text.isprintable():
        raise LocalSipError(f"text for a header field with a control character: {text[:80]!r}")
    return text
