"""One subscription to the state of something, seen from us who notify (RFC 6665 4.2).

    SUBSCRIBE -> 200 -> NOTIFY (the state now) -> NOTIFY after each change -> ... -> NOTIFY (terminated)

NOTIFYs go one after the other, and not more than one a second (RFC 4235 3.10): changes that come faster are told
together, since each document is the state as it is when it leaves. A refresh is answered with the state at once. A
subscription ends by the watcher's word (Expires 0), by its time, and silently when a NOTIFY is refused or unanswered.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from engine.sip.dialog import Dialog, of_request
from engine.sip.errors import RemoteSipError
from engine.sip.event_state import CONTENT_TYPES, Package
from engine.sip.headers import parse_event
from engine.sip.limits import MAX_EVENT
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.refusal import Refusal

if TYPE_CHECKING:
    from engine.sip.flow import Flow
    from engine.sip.stack import Stack
    from engine.sip.timers import Timer
    from engine.sip.transaction import ClientTransaction

SPACING_S: Final = 1.0
"""Least time between two NOTIFYs that tell of changes."""
MIN_EXPIRES_S: Final = 60
MAX_EXPIRES_S: Final = 3600


class Subscription:
    """See the module. `documents` gives the state, by the number of the document."""

    __slots__ = (
        "_busy",
        "_dialog",
        "_documents",
        "_due",
        "_end",
        "_event",
        "_expires_at",
        "_expiry",
        "_gone",
        "_last",
        "_number",
        "_spacing",
        "_stack",
        "_version",
        "package",
        "resource",
        "watcher",
    )

    def __init__(
        self,
        stack: Stack,
        request: Request,
        flow: Flow,
        *,
        package: Package,
        resource: str,
        watcher: str,
        documents: Callable[[int], bytes],
        gone: Callable[[Subscription], None],
    ) -> None:
        """Raises RemoteSipError where no dialog can be made of the request."""
        tag = stack.ids.token()
        self._stack = stack
        self._dialog = of_request(request, tag, flow, self)
        if not self._dialog.remote_tag:
            raise refuse(400, "From has no tag")
        self._dialog.confirmed = True
        self.package = package
        self.resource = resource
        self.watcher = watcher
        self._documents = documents
        self._gone = gone
        self._number = parse_event(request.headers.get("Event") or "")[1]
        """`id` of the event, which tells subscriptions of one dialog apart; mostly empty."""
        self._event = (request.headers.get("Event") or "")[:MAX_EVENT]
        self._version = 0
        self._due = False
        """The state has changed since the last NOTIFY."""
        self._busy = False
        self._end = ""
        """Why it ends, once it does."""
        self._last = float("-inf")
        self._expires_at = 0.0
        self._expiry: Timer | None = None
        self._spacing: Timer | None = None

    def begin(self, request: Request, flow: Flow, expires: int, now: float) -> None:
        """Grant it. Raises RemoteSipError where there is no room for the transaction."""
        transaction = self._stack.admit(request, flow, None)
        transaction.to_tag = self._dialog.local_tag
        self._stack.dialogs.add(self._dialog)
        transaction.respond(self._granted(request, flow, expires), now)
        self._renew(expires, now)

    def changed(self, now: float) -> None:
        """The state is another than before."""
        self._due = True
        self._tell(now)

    # --- the user of the dialog ---

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        """A refresh, or the end. Raises RemoteSipError to refuse it."""
        if request.method != "SUBSCRIBE":
            raise Refusal(405, f"{request.method[:40]} within a subscription", (("Allow", "SUBSCRIBE"),))
        package, number = parse_event(request.headers.get("Event") or "")
        if package != self.package:
            raise Refusal(489, "another event within a subscription", (("Allow-Events", self.package),))
        if self._end or number != self._number:
            raise refuse(481, "no such subscription")
        expires = granted(request)
        dialog.refresh_target(request)
        transaction = self._stack.admit(request, flow, None)
        transaction.respond(self._granted(request, flow, expires), now)
        self._renew(expires, now)

    def ack_received_for(self, number: int, ack: Request, now: float) -> None:
        """There is no INVITE here."""

    # --- the user of NOTIFY, and of timers ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 300:
            self._refused(response, now)
        elif response.status >= 200:
            self._busy = False
            self._tell(now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._forget()

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._forget()

    def timer_rang(self, what: str, now: float) -> None:
        if what == "spacing":
            self._spacing = None
        else:
            self._expiry = None
            self._end = "timeout"
            self._due = True
        self._tell(now)

    # --- inner ---

    def _refused(self, response: Response, now: float) -> None:
        """A watcher that says when it can be told again is told then (RFC 6665 4.2.2)."""
        after: int | None = None
        with suppress(RemoteSipError):
            after = response.retry_after
        if after is None or response.status == 481 or self._end:
            self._forget()
            return
        self._busy, self._due = False, True
        self._stack.heap.cancel(self._spacing)
        self._spacing = self._stack.heap.start(now + max(after, SPACING_S), self, "spacing")

    def _granted(self, request: Request, flow: Flow, expires: int) -> Response:
        contact = self._stack.identity.of(flow).contact_for(request.request_uri)
        headers = [("Expires", str(expires)), ("Contact", contact)]
        return Response.build(request, 200, None, self._dialog.local_tag, headers)

    def _renew(self, expires: int, now: float) -> None:
        """Whoever asks is told the state at once, and hears of its changes for so long."""
        self._stack.heap.cancel(self._expiry)
        self._stack.heap.cancel(self._spacing)
        self._expiry = self._spacing = None
        self._expires_at = now + expires
        self._due = True
        self._last = float("-inf")
        if expires:
            self._expiry = self._stack.heap.start(self._expires_at, self, "expiry")
        else:
            self._end = "timeout"
        self._tell(now)

    def _tell(self, now: float) -> None:
        if self._busy or not self._due or (self._spacing is not None and not self._end):
            return
        wait = self._last + SPACING_S - now
        if wait > 0 and not self._end:
            self._spacing = self._stack.heap.start(now + wait, self, "spacing")
            return
        self._due, self._busy, self._last = False, True, now
        left = max(0, round(self._expires_at - now))
        state = f"terminated;reason={self._end}" if self._end else f"active;expires={left}"
        stack, dialog = self._stack, self._dialog
        flow = stack.dialogs.flow_for(dialog)
        headers = [
            ("Event", self._event),
            ("Subscription-State", state),
            ("Contact", stack.identity.of(dialog.flow).contact_for(dialog.remote_target)),
        ]
        body, kind = self._documents(self._version), CONTENT_TYPES[self.package]
        self._version += 1
        request = stack.dialogs.request(dialog, "NOTIFY", headers=headers, body=body, content_type=kind)
        if self._end:
            self._forget()
        stack.transactions.client(request, flow, self).start(now)

    def _forget(self) -> None:
        """Nothing more is said."""
        self._busy, self._due = True, False
        for timer in (self._expiry, self._spacing):
            self._stack.heap.cancel(timer)
        self._stack.dialogs.remove(self._dialog)
        self._gone(self)


def granted(request: Request) -> int:
    """For how long a SUBSCRIBE gets what it asks; 0 to end it, or to be told once. Raises RemoteSipError(423)."""
    asked = request.expires
    if asked is None:
        return MAX_EXPIRES_S
    if 0 < asked < MIN_EXPIRES_S:
        raise Refusal(423, f"{asked} s is too brief", (("Min-Expires", str(MIN_EXPIRES_S)),))
    return min(asked, MAX_EXPIRES_S)
