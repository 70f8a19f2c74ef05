"""REFER within a call (RFC 3515, 4488, 7647): a peer asks us to call somebody, and hears by NOTIFY how that goes.

A REFER makes a subscription inside the dialog of the call. It begins with our 2xx (and a first NOTIFY, 100) and ends
with the final status of the call that was asked for, or with its own time. NOTIFYs go one after the other, since over
UDP two that overtake each other would be refused for their CSeq; what is said while one is under way is said after it,
the latest only. The subscription outlives the call: a phone hangs up as soon as its REFER is taken (RFC 5057).

Only a party of the dialog may ask: whoever sends from where the dialog lives, or proves by digest who he is. Trunks are
known by their address. A REFER outside of dialogs is refused by `reception`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import ReferId, ReferReceived, SessionId
from engine.sip.headers import NameAddr, parse_event, parse_name_addr
from engine.sip.limits import MAX_REFERRED_BY
from engine.sip.message import Request, Response
from engine.sip.names import REASONS, refuse
from engine.sip.refusal import Refusal, check_required
from engine.sip.replaces import parse_replaces, replaced_by
from engine.sip.visible import dialled

if TYPE_CHECKING:
    from engine.sip.dialog import Dialog
    from engine.sip.flow import Flow
    from engine.sip.session import Session
    from engine.sip.stack import Stack
    from engine.sip.timers import Timer
    from engine.sip.transaction import ClientTransaction, ServerTransaction

SIPFRAG: Final = "message/sipfrag;version=2.0"
EXPIRES_S: Final = 300
"""How long a subscription to a REFER lasts at most: longer than any phone is let ring."""
_PATIENCE_S: Final = 2.0
"""How long a hang-up waits for the last NOTIFY to be confirmed."""


class Referral:
    """A REFER that came in, from its arrival to the last NOTIFY."""

    __slots__ = (
        "_busy",
        "_dialog",
        "_leaving",
        "_said",
        "_stack",
        "_subscribed",
        "_timer",
        "_transaction",
        "id",
        "number",
    )

    def __init__(
        self, stack: Stack, number: ReferId, dialog: Dialog, transaction: ServerTransaction, subscribed: bool
    ) -> None:
        self._stack = stack
        self.id = number
        self._dialog = dialog
        self.number = transaction.number
        """CSeq number of the REFER, the `id` of its events."""
        self._transaction: ServerTransaction | None = transaction
        """Until it is answered."""
        self._subscribed = subscribed
        self._said: tuple[int, str, bool] | None = None
        """Status, phrase and whether it is the last: what waits for the NOTIFY under way."""
        self._busy = False
        self._leaving: Session | None = None
        """The session that hangs up when all is said."""
        self._timer: Timer | None = None
        stack.referrals[number] = self

    # --- from the layer above ---

    def accept(self, now: float) -> None:
        """Answer 202. Raises LocalSipError where it was answered."""
        transaction = self._take()
        headers = [("Contact", self._stack.identity.of(transaction.flow).contact_for(transaction.request.request_uri))]
        if not self._subscribed:
            headers.append(("Refer-Sub", "false"))
        transaction.respond(Response.build(transaction.request, 202, headers=headers), now)
        if self._subscribed:
            self._timer = self._stack.heap.start(now + EXPIRES_S, self, "expires")
            self.tell(100, REASONS[100], now)

    def refuse(self, status: int, reason: str, now: float) -> None:
        """Refuse it. Raises LocalSipError where it was answered."""
        transaction = self._take()
        transaction.respond(Response.build(transaction.request, status, reason or None), now)
        self.close()

    def tell(self, status: int, reason: str, now: float) -> None:
        """Say how the call goes; a status of 200 or more is the last word."""
        if self._transaction is not None:
            raise LocalSipError(f"REFER {self.id} is not answered")
        final = status >= 200
        if final:
            self._stack.referrals.pop(self.id, None)
            self._stack.heap.cancel(self._timer)
        if self._subscribed:
            self._said = (status, reason or REASONS.get(status, "Unknown"), final)
            self._say(now)

    # --- from the session ---

    @property
    def speaking(self) -> bool:
        """Whether the outcome is known and has not been heard."""
        return self._subscribed and not self.open and (self._busy or self._said is not None)

    def let_finish(self, session: Session, now: float) -> None:
        """`last_word_said` of the session follows, soon."""
        self._leaving = session
        self._timer = self._stack.heap.start(now + _PATIENCE_S, self, "said")

    def session_closed(self, now: float) -> None:
        """The call is over; what was accepted goes on being told."""
        if self._leaving is not None:
            self._leaving = None
            self._stack.heap.cancel(self._timer)
        if self._transaction is not None:
            self.refuse(481, "", now)

    @property
    def open(self) -> bool:
        """Whether its outcome is still to be told."""
        return self.id in self._stack.referrals

    def subscribe_received(self, request: Request, flow: Flow, now: float) -> None:
        """Prolongs the subscription, or ends it with Expires 0 (RFC 6665 4.2.1)."""
        asked = request.expires
        left = EXPIRES_S if asked is None else min(asked, EXPIRES_S)
        contact = self._stack.identity.of(flow).contact_for(request.request_uri)
        headers = [("Expires", str(left)), ("Contact", contact)]
        self._stack.admit(request, flow, None).respond(Response.build(request, 200, headers=headers), now)
        self._stack.heap.cancel(self._timer)
        if left and self._subscribed:
            self._timer = self._stack.heap.start(now + left, self, "expires")
        else:
            self._subscribed = False

    # --- the user of NOTIFY, and of the timer ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 300:
            self._deaf(now)
        elif response.status >= 200:
            self._busy = False
            self._say(now)
            if not self.speaking:
                self._done(now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._deaf(now)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._deaf(now)

    def timer_rang(self, what: str, now: float) -> None:
        """Nothing final came in time: say so, once. Or the last NOTIFY is not confirmed while the call waits for it."""
        self._timer = None
        if what == "said":
            self._done(now)
            return
        self._stack.referrals.pop(self.id, None)
        if self._subscribed:
            self._said = (408, REASONS[408], True)
            self._say(now)

    def close(self) -> None:
        """Forget it."""
        self._stack.referrals.pop(self.id, None)
        self._stack.heap.cancel(self._timer)
        self._subscribed = False

    # --- inner ---

    def _take(self) -> ServerTransaction:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            raise LocalSipError(f"REFER {self.id} has been answered")
        return transaction

    def _deaf(self, now: float) -> None:
        """Whoever asked does not listen (any more)."""
        self._busy, self._subscribed = False, False
        self._said = None
        self._done(now)

    def _done(self, now: float) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            self._stack.heap.cancel(self._timer)
            leaving.last_word_said(now)

    def _say(self, now: float) -> None:
        if self._busy or self._said is None:
            return
        (status, reason, final), self._said = self._said, None
        self._busy = True
        stack, dialog = self._stack, self._dialog
        flow = stack.dialogs.flow_for(dialog)
        state = "terminated;reason=noresource" if final else f"active;expires={EXPIRES_S}"
        headers = [
            ("Event", f"refer;id={self.number}"),
            ("Subscription-State", state),
            ("Contact", stack.identity.of(dialog.flow).contact_for(dialog.remote_target)),
        ]
        body = f"SIP/2.0 {status} {reason}\r\n".encode()
        request = stack.dialogs.request(dialog, "NOTIFY", headers=headers, body=body, content_type=SIPFRAG)
        stack.transactions.client(request, flow, self).start(now)


def received(session: Session, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
    """A REFER within the dialog of a call. Raises RemoteSipError to refuse it."""
    stack = session.stack
    check_required(request)
    if request.body:
        raise Refusal(415, "REFER with a body", (("Accept", "application/sdp"),))
    by = _proof(stack, dialog, request, flow, now)
    if not session.up:
        # 481 would end an early dialog, which is none of REFER's business (RFC 5057 5.1).
        raise refuse(491 if session.open else 481, "the call is not up")
    if session.referral is not None and session.referral.open:
        raise refuse(491, "another REFER is under way")
    if len(stack.referrals) >= stack.config.limits.sessions:
        raise refuse(503, "too many REFER are under way")
    target = _refer_to(request)
    to_user = dialled(target.uri, stack.config.realm)
    replaced, wanted = _replaced(stack, target)
    referred_by = _referred_by(request)
    subscribed = (request.headers.get("Refer-Sub") or "true").partition(";")[0].strip().lower() != "false"
    dialog.refresh_target(request)
    transaction = stack.admit(request, flow, None)
    referral = Referral(stack, ReferId(next(stack.feature_numbers)), dialog, transaction, subscribed)
    session.referral = referral
    stack.outbox.events.append(
        ReferReceived(
            session=session.id,
            refer=referral.id,
            to_user=to_user,
            to_uri=str(target.uri).partition("?")[0],
            replaces_asked=wanted,
            replaces=replaced,
            referred_by=referred_by,
            by=by,
        )
    )


def subscribe_received(session: Session, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
    """A SUBSCRIBE within the dialog of a call: nothing but a REFER's subscription can be meant."""
    event, number = parse_event(request.headers.get("Event") or "")
    if event != "refer":
        raise Refusal(489, "no such event within a call", (("Allow-Events", "refer"),))
    referral = session.referral
    if referral is None or not referral.open or (number and number != str(referral.number)):
        raise refuse(481, "no such subscription")
    referral.subscribe_received(request, flow, now)


def _proof(stack: Stack, dialog: Dialog, request: Request, flow: Flow, now: float) -> str | None:
    """Who has proved by digest to be asking; None where the request came from where the dialog lives. For a phone that
    is to the port, since a home has one address for all who live there; a line may use several. Raises RemoteSipError
    for everybody else: the tags alone give nobody the right to place calls."""
    home = dialog.home_flow
    if flow.remote.host == home.remote.host and not dialog.pinned:
        return None
    if flow.remote == home.remote and flow.transport is home.transport:
        return None
    assert stack.admission is not None, "an endpoint has its admission"
    return stack.admission.party(request, flow, home, now)


def _refer_to(request: Request) -> NameAddr:
    """The one Refer-To (RFC 3515 2.4.2)."""
    values = request.headers.get_all("Refer-To")
    if len(values) != 1:
        raise refuse(400, f"{len(values)} Refer-To")
    target = parse_name_addr(values[0])
    uri = target.uri
    if not uri.is_sip and uri.scheme != "tel":
        raise refuse(416, f"Refer-To names a {uri.scheme[:20]} URI")
    if (uri.params.get("method") or "INVITE").upper() != "INVITE":
        raise refuse(501, "nothing but INVITE is sent on request")
    return target


def _replaced(stack: Stack, target: NameAddr) -> tuple[SessionId | None, bool]:
    """The session of ours that the call is to take the place of, and whether one was named at all."""
    for name, value in target.uri.headers.items():
        if name.lower() == "replaces":
            wanted = parse_replaces(value)
            try:
                return replaced_by(stack, wanted).id, True
            except RemoteSipError:
                return None, True
    return None, False


def _referred_by(request: Request) -> str:
    """Referred-By (RFC 3892), if it is one address; a signature that stands in the body is not asked for."""
    text = request.headers.get("Referred-By")
    if text is None or len(text) > MAX_REFERRED_BY:
        return ""
    try:
        return str(parse_name_addr(text))
    except (RemoteSipError, LocalSipError):
        return ""
