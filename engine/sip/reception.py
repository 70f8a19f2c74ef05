"""What happens to a message that came in: the one way from the parser to transactions, dialogs and usages."""

from __future__ import annotations

from typing import Final

from engine.sip import instant_message
from engine.sip.admission import Admission
from engine.sip.bodies import check_answerable, check_body
from engine.sip.dialog import dialog_name
from engine.sip.drops import MALFORMED, UNANSWERABLE
from engine.sip.errors import RemoteSipError
from engine.sip.events import AbandonedEnded
from engine.sip.flow import Flow
from engine.sip.identity import ALLOW_ALL, Reliable
from engine.sip.invite_in import IncomingSession
from engine.sip.limits import RETRY_AFTER_S
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.recorder import Kind
from engine.sip.refusal import Refusal, Silence, check_required, method_not_allowed
from engine.sip.registrar import Registrar
from engine.sip.replaces import replaced_by_invite
from engine.sip.session_timer import check_fields, check_interval
from engine.sip.stack import Stack, capabilities
from engine.sip.transaction import server_key


class Reception:
    """Dispatches by method; outside of dialogs only what `_OUTSIDE` names is served."""

    __slots__ = ("_admission", "_registrar", "_stack")

    def __init__(self, stack: Stack, admission: Admission, registrar: Registrar) -> None:
        self._stack = stack
        self._admission = admission
        self._registrar = registrar

    def receive(self, message: Request | Response, flow: Flow, now: float) -> None:
        """One message. A request that the RFC forbids is answered, a response dropped; nothing is raised for it."""
        outbox = self._stack.outbox
        if isinstance(message, Response):
            try:
                outbox.received(flow, message)
                self._stack.transactions.receive_response(message, now)
            except RemoteSipError:
                self._stack.transactions.drops[MALFORMED] += 1
            return
        outbox.received(flow, message)
        try:
            message.note_source(flow.remote.host, flow.remote.port)
            self._request(message, flow, now)
        except RemoteSipError as error:
            self.refuse(message, flow, error)

    def refuse(self, request: Request, flow: Flow, error: RemoteSipError) -> None:
        """Answer a request with what is wrong with it, if it can be answered at all."""
        if isinstance(error, Silence):
            return
        headers = error.headers if isinstance(error, Refusal) else ()
        try:
            self._stack.reply(request, flow, error.status_hint, headers=headers)
        except RemoteSipError:
            self._stack.transactions.drops[UNANSWERABLE] += 1

    def _request(self, request: Request, flow: Flow, now: float) -> None:
        stack = self._stack
        method = request.method
        key = server_key(request)
        if stack.transactions.absorb(request, key, now):
            return
        if "Replaces" in request.headers.first and method not in _MAY_REPLACE:
            raise refuse(400, f"Replaces in {method} (RFC 3891 3)")
        if method == "CANCEL":
            self._cancel(request, flow, now)
        elif request.to_tag is None or method == "REGISTER":
            serve = _OUTSIDE.get(method)
            if serve is None:
                if method in _WITHIN:
                    raise refuse(481, f"{method} of no dialog")
                raise method_not_allowed(method, in_dialog=False)
            serve(self, request, flow, now)
        else:
            self._within_dialog(request, flow, now)

    def _within_dialog(self, request: Request, flow: Flow, now: float) -> None:
        dialog = self._stack.dialogs.find(request)
        if dialog is None:
            if request.method == "PRACK" and self._stack.transactions.refused_unconfirmed(request):
                self._stack.reply(request, flow, 200)
            elif request.method != "ACK":
                self._abandoned(request, flow)
        elif request.method == "ACK":
            dialog.flow = flow
            dialog.user.ack_received_for(request.cseq.number, request, now)
        else:
            try:
                if dialog.session_ids is not None:
                    dialog.session_ids.hear(request.headers.first.get("Session-ID"))
                    request.session_ids = dialog.session_ids
                dialog.take_sequence(request)
                if "Require" in request.headers.first:
                    check_required(request, self._stack.understood)
                dialog.flow = flow
                dialog.user.request_received(dialog, request, flow, now)
            except RemoteSipError as error:
                # With a transaction, since the repeated request would be refused for its CSeq number.
                headers = error.headers if isinstance(error, Refusal) else ()
                response = Response.build(request, error.status_hint, headers=headers)
                self._stack.admit(request, flow, None).respond(response, now)

    def _abandoned(self, request: Request, flow: Flow) -> None:
        """A request within a dialog that we do not know. Those of the process before us are hung up in, like any; to
        whatever else is said there, 481 would have the peer hang up (RFC 5057 5.1), who talks on."""
        stack = self._stack
        name = dialog_name(request.call_id, request.to_tag or "", request.from_tag or "")
        if name not in stack.abandoned:
            raise refuse(481, "no such dialog")
        if request.method != "BYE":
            raise Refusal(500, "the server was restarted", (("Retry-After", str(RETRY_AFTER_S)),))
        stack.reply(request, flow, 200)
        stack.outbox.events.append(AbandonedEnded(dialog=name))

    def _cancel(self, request: Request, flow: Flow, now: float) -> None:
        """RFC 3261 9.2. Answered without a transaction: a repeated CANCEL finds the INVITE still there. It changes
        nothing for any other method."""
        transaction = self._stack.transactions.cancel(server_key(request))
        if transaction is None:
            raise refuse(481, "nothing to cancel")
        self._stack.reply(request, flow, 200, to_tag=transaction.to_tag)
        if transaction.method == "INVITE" and not transaction.answered and transaction.user is not None:
            transaction.user.cancelled(transaction, request, now)

    def _invite(self, request: Request, flow: Flow, now: float) -> None:
        peer = self._admission.caller(request, flow, now)
        if request.max_forwards == 0:
            # We are the last hop of this leg, but a call that goes on from us would go round for ever.
            raise refuse(483, "Max-Forwards is used up")
        self._check_invite(request)
        _check_addresses(request)
        called = self._admission.called(request, peer)
        replaces = replaced_by_invite(self._stack, request) if "Replaces" in request.headers.first else None
        session = IncomingSession(self._stack, request, flow, self._stack.admit_session(now), replaces)
        if (recorder := self._stack.outbox.recorder) is not None:
            recorder.keep(request.call_id, Kind.CALL)
        session.begin(peer, flow, called, self._admission.carried(request, peer), now)

    def _check_invite(self, request: Request) -> None:
        """Whether the call asks for nothing that we do not do. Raises RemoteSipError."""
        stack, first = self._stack, request.headers.first
        check_required(request, stack.understood)
        if request.body:
            check_body(request)
        if "Accept" in first:
            check_answerable(request)
        check_fields(request)
        if "Session-Expires" in first:
            check_interval(request, stack.config)
        if stack.config.reliable is not Reliable.ALWAYS:
            return
        if "100rel" not in request.supported and not request.requires("100rel"):
            raise Refusal(421, "100rel is required", (("Require", "100rel"),))

    def _register(self, request: Request, flow: Flow, now: float) -> None:
        self._registrar.register(self._admission.agent(request, flow, now), request, flow, now)

    def _options(self, request: Request, flow: Flow, now: float) -> None:
        request.check()
        check_required(request)
        headers = [("Allow", ALLOW_ALL)]
        if self._stack.allowance is None:
            # Strangers get a short answer, rather than one that has to be cut.
            headers += capabilities(self._stack)
            headers += self._stack.server
        self._stack.reply(request, flow, 200, headers=headers)

    def _message(self, request: Request, flow: Flow, now: float) -> None:
        instant_message.take(self._stack, request, flow, self._admission.caller(request, flow, now), now)

    def _subscribe(self, request: Request, flow: Flow, now: float) -> None:
        self._stack.notifier.subscribe(request, flow, self._admission.caller(request, flow, now), now)

    def _refer(self, request: Request, flow: Flow, now: float) -> None:
        """Whoever wants a call transferred is in it, and asks within it (RFC 3515 5.1: nobody else is trusted)."""
        raise refuse(403, "REFER outside of a call")

    def _notify(self, request: Request, flow: Flow, now: float) -> None:
        raise refuse(481, "NOTIFY of no subscription")

    def _nothing(self, request: Request, flow: Flow, now: float) -> None:
        """An ACK that belongs to nothing, such as that of a challenge, which was sent without state."""


def _check_addresses(request: Request) -> None:
    """Whether there is no malformed one among those of an INVITE: refused before there is state. Raises
    RemoteSipError."""
    if request.uri.headers:
        raise refuse(400, "header fields in the Request-URI (RFC 3261 19.1.1)")
    request.from_.uri, request.to.uri  # noqa: B018  # they are read now


_MAY_REPLACE: Final = frozenset({"INVITE", "ACK"})
"""No ACK is ever answered."""
_WITHIN: Final = frozenset({"BYE", "INFO", "PRACK", "UPDATE"})
"""Methods that have no meaning without a dialog."""
_OUTSIDE: Final = {
    "INVITE": Reception._invite,
    "REGISTER": Reception._register,
    "OPTIONS": Reception._options,
    "ACK": Reception._nothing,
    "MESSAGE": Reception._message,
    "SUBSCRIBE": Reception._subscribe,
    "REFER": Reception._refer,
    "NOTIFY": Reception._notify,
}
