"""REFER of ours (RFC 3515): the peer is asked to call somebody, and its NOTIFYs say how that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import ReferAnswered, ReferId, ReferNotified
from engine.sip.headers import parse_event
from engine.sip.limits import MAX_PHRASE, MAX_REFERRALS, MAX_REFERRED_S
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.refusal import Refusal
from engine.sip.uri import SipUri
from engine.sip.visible import visible

if TYPE_CHECKING:
    from engine.sip.dialog import Dialog
    from engine.sip.flow import Flow
    from engine.sip.replaces import Replaces
    from engine.sip.session import Session
    from engine.sip.stack import Stack
    from engine.sip.timers import Timer
    from engine.sip.transaction import ClientTransaction


class SentReferral:
    """A REFER that we sent, until its last NOTIFY."""

    __slots__ = ("_number", "_session", "_stack", "_timer", "id", "over")

    def __init__(self, stack: Stack, session: Session, number: ReferId) -> None:
        self._stack = stack
        self._session = session
        self.id = number
        self._number = 0
        self._timer: Timer | None = None
        self.over = False

    def start(self, dialog: Dialog, headers: list[tuple[str, str]], now: float) -> None:
        """Send it. Raises LocalSipError where it cannot be written."""
        stack = self._stack
        flow = stack.dialogs.flow_for(dialog)
        headers.append(("Contact", stack.identity.of(dialog.flow).contact_for(dialog.remote_target)))
        request = stack.dialogs.request(dialog, "REFER", headers=headers)
        self._number = dialog.local_sequence
        stack.transactions.client(request, flow, self).start(now)

    @property
    def number(self) -> int:
        """CSeq number: the `id` of the events."""
        return self._number

    # --- the user of the REFER ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        status = response.status
        if status < 200 or self.over:
            return
        self._stack.outbox.events.append(ReferAnswered(refer=self.id, status=status))
        if status >= 300:
            self._forget()
        elif (response.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false":
            self._end(now)
        elif self._timer is None:
            # RFC 6665 4.1.2.4, Timer N: a NOTIFY follows at once, or nothing is known of it.
            self._wait(self._stack.config.timers.transaction, now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._stack.outbox.events.append(ReferAnswered(refer=self.id, status=408))
        self._forget()

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._stack.outbox.events.append(ReferAnswered(refer=self.id, status=503))
        self._forget()

    # --- what comes of it ---

    def notified(self, request: Request, flow: Flow, now: float) -> None:
        """A NOTIFY of this subscription. Raises RemoteSipError where it cannot be read."""
        state, _, params = (request.headers.get("Subscription-State") or "").partition(";")
        if not state:
            raise refuse(400, "NOTIFY without Subscription-State")
        status, phrase = _read_sipfrag(request)
        self._stack.admit(request, flow, None).respond(Response.build(request, 200), now)
        over = state.strip().lower() == "terminated"
        told = ReferNotified(refer=self.id, status=status, reason=visible(phrase), over=over)
        self._stack.outbox.events.append(told)
        if over:
            self._forget()
        else:
            self._wait(_seconds(params), now)

    def session_closed(self, now: float) -> None:
        """The call is over, and with it the dialog that NOTIFY would come by."""
        self._end(now)

    def timer_rang(self, what: str, now: float) -> None:
        self._timer = None
        self._end(now)

    # --- inner ---

    def _wait(self, seconds: float, now: float) -> None:
        self._stack.heap.cancel(self._timer)
        self._timer = self._stack.heap.start(now + seconds, self, "expires")

    def _end(self, now: float) -> None:
        """No final word came, or will come."""
        if not self.over:
            self._stack.outbox.events.append(ReferNotified(refer=self.id, status=None, reason="", over=True))
            self._forget()

    def _forget(self) -> None:
        self.over = True
        self._stack.heap.cancel(self._timer)
        self._session.sent_referrals = tuple(each for each in self._session.sent_referrals if each is not self)


def send(
    session: Session,
    dialog: Dialog,
    uri: SipUri,
    *,
    replaces: Replaces | None,
    referred_by: str,
    subscribe: bool,
    now: float,
) -> ReferId:
    """Ask the peer of a call to call `uri`. Raises LocalSipError where too many are under way, and for what cannot be
    written."""
    if len(session.sent_referrals) >= MAX_REFERRALS:
        raise LocalSipError(f"session {session.id} has {MAX_REFERRALS} REFER under way")
    if replaces is not None:
        uri = SipUri(
            scheme=uri.scheme,
            user=uri.user,
            host=uri.host,
            port=uri.port,
            params=uri.params,
            headers={"Replaces": str(replaces)},
        )
    headers = [("Refer-To", f"<{uri}>")]
    if referred_by:
        headers.append(("Referred-By", referred_by))
    if not subscribe:
        headers += [("Refer-Sub", "false"), ("Supported", "norefersub")]
    referral = SentReferral(session.stack, session, ReferId(next(session.stack.feature_numbers)))
    referral.start(dialog, headers, now)
    session.sent_referrals = (*session.sent_referrals, referral)
    return referral.id


def notify_received(session: Session, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
    """A NOTIFY within the dialog of a call. Raises RemoteSipError: 489 for an event other than refer, 481 where we
    have asked for nothing (RFC 6665 4.1.3)."""
    event, number = parse_event(request.headers.get("Event") or "")
    if event != "refer":
        raise Refusal(489, "NOTIFY of an event that nobody subscribed to", (("Allow-Events", "refer"),))
    for referral in session.sent_referrals:
        # The first REFER of a dialog may be told of without its number (RFC 3515 2.4.6).
        if number in ("", str(referral.number)):
            referral.notified(request, flow, now)
            return
    raise refuse(481, "no such subscription")


def _read_sipfrag(request: Request) -> tuple[int | None, str]:
    """Status and phrase of a message/sipfrag (RFC 3420); None where the body has none."""
    try:
        kind = request.content_type
    except RemoteSipError:
        kind = None
    if kind != "message/sipfrag":
        return None, ""
    line = request.body.partition(b"\n")[0].decode("utf-8", "replace").strip()
    version, _, rest = line.partition(" ")
    digits, _, phrase = rest.partition(" ")
    if version != "SIP/2.0" or len(digits) != 3 or not digits.isdigit() or not digits.isascii():
        return None, ""
    return int(digits), phrase[:MAX_PHRASE]


def _seconds(params: str) -> float:
    """`expires` of Subscription-State."""
    for param in params.split(";"):
        name, _, value = param.strip().partition("=")
        if name.lower() == "expires" and value.isdigit() and value.isascii() and len(value) < 10:
            return float(min(int(value), MAX_REFERRED_S))
    return float(MAX_REFERRED_S)
