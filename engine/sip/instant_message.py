"""MESSAGE in page mode (RFC 3428), within a call and outside of one: text from an agent or a trunk, handed up, and text
that goes out. What a stranger sends is challenged, as his INVITE would be.

A MESSAGE that came in keeps its transaction until the layer above says what became of it. Whoever delivers by a further
MESSAGE knows that after 64*T1 at the latest, which would be too late for the sender, so that he is told 480 before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.sip.errors import LocalSipError
from engine.sip.events import MessageAnswered, MessageId, MessageReceived, Peer, TrunkPeer
from engine.sip.limits import MAX_MESSAGE_BYTES
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.refusal import Refusal, check_required
from engine.sip.request_out import message_request
from engine.sip.visible import dialled, visible

if TYPE_CHECKING:
    from engine.sip.dialog import Dialog
    from engine.sip.flow import Flow
    from engine.sip.session import Session
    from engine.sip.stack import Stack, Target
    from engine.sip.timers import Timer
    from engine.sip.transaction import ClientTransaction, ServerTransaction

PATIENCE_S: Final = 20.0
"""How long a sender waits for the word of the layer above."""
_PLAIN: Final = "text/plain"


class ReceivedMessage:
    """A MESSAGE whose sender waits for an answer."""

    __slots__ = ("_stack", "_timer", "_transaction", "id")

    def __init__(self, stack: Stack, transaction: ServerTransaction, now: float) -> None:
        self._stack = stack
        self._transaction = transaction
        self.id = MessageId(next(stack.feature_numbers))
        self._timer: Timer | None = stack.heap.start(now + PATIENCE_S, self, "patience")
        stack.messages[self.id] = self

    def answer(self, status: int, now: float) -> None:
        """Tell the sender what became of it. Raises LocalSipError for a status that is not final."""
        if status < 200:
            raise LocalSipError(f"{status} is no final status")
        self._stack.heap.cancel(self._timer)
        del self._stack.messages[self.id]
        self._transaction.respond(Response.build(self._transaction.request, status, None, self._stack.ids.token()), now)

    def timer_rang(self, what: str, now: float) -> None:
        self._timer = None
        self.answer(480, now)


class SentMessage:
    """The user of one MESSAGE of ours."""

    __slots__ = ("_number", "_stack")

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._number = MessageId(next(stack.feature_numbers))

    def start(self, target: Target, request: Request, now: float) -> MessageId:
        """Send it. Raises LocalSipError where it cannot be written."""
        self._stack.client(request, target, self).start(now)
        return self._number

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 200:
            self._tell(response.status)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._tell(None)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._tell(None)

    def _tell(self, status: int | None) -> None:
        self._stack.outbox.events.append(MessageAnswered(message=self._number, status=status))


def take(stack: Stack, request: Request, flow: Flow, peer: Peer, now: float) -> None:
    """A MESSAGE from a peer who is known. Raises RemoteSipError to refuse it: 413, 415, 420, 503."""
    check_required(request)
    _take(stack, request, flow, peer, None, now)


def received(session: Session, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
    """A MESSAGE within the dialog of a call. Raises RemoteSipError to refuse it."""
    check_required(request)
    _take(session.stack, request, flow, None, session, now)


def send(stack: Stack, target: Target, *, from_user: str | None, from_display: str, text: str, now: float) -> MessageId:
    """Send a text; MessageAnswered follows. Raises LocalSipError for one that is too long."""
    body = text.encode()
    if len(body) > MAX_MESSAGE_BYTES:
        raise LocalSipError(f"a text of {len(body)} bytes; at most {MAX_MESSAGE_BYTES} go into one MESSAGE")
    stack.transactions.require_room()
    request = message_request(stack, target, from_user=from_user, from_display=from_display, body=body)
    return SentMessage(stack).start(target, request, now)


def _take(stack: Stack, request: Request, flow: Flow, peer: Peer | None, session: Session | None, now: float) -> None:
    kind = request.content_type
    if kind != _PLAIN:
        raise Refusal(415, f"a MESSAGE of type {kind}", (("Accept", _PLAIN),))
    if len(request.body) > MAX_MESSAGE_BYTES:
        raise refuse(413, f"a MESSAGE of {len(request.body)} bytes")
    if len(stack.messages) >= stack.config.limits.messages:
        raise refuse(503, "too many MESSAGE wait")
    sender = request.from_
    from_user = visible(sender.uri.user or "")
    if peer is not None and not isinstance(peer, TrunkPeer):
        from_user = peer.user
    to_user = dialled(request.uri, stack.config.realm)
    message = ReceivedMessage(stack, stack.admit(request, flow, None), now)
    stack.outbox.events.append(
        MessageReceived(
            message=message.id,
            peer=peer,
            within=None if session is None else session.id,
            to_user=to_user,
            from_user=from_user,
            from_display=visible(sender.display),
            text=request.body.decode("utf-8", "replace"),
        )
    )
