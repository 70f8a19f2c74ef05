"""Client and server transactions: the tables of `engine.sip.fsm`, run, with the effects that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.sip.errors import LocalSipError
from engine.sip.flow import NOWHERE, Flow, Transport
from engine.sip.fsm import INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER, Input, Machine, State
from engine.sip.headers import MAGIC_COOKIE
from engine.sip.message import Headers, Request, Response
from engine.sip.transaction_base import (
    NOBODY,
    Attempts,
    ClientKey,
    ClientUser,
    Compiled,
    ServerKey,
    ServerUser,
    Transaction,
)

if TYPE_CHECKING:
    from engine.sip.transactions import Transactions

__all__ = [
    "ClientKey",
    "ClientTransaction",
    "ClientUser",
    "ServerKey",
    "ServerTransaction",
    "ServerUser",
    "derive",
    "server_key",
]


class ClientTransaction(Transaction):
    """A request of ours. Made by `Transactions.client`; nothing is sent before `start`, so that the user can note
    it."""

    __slots__ = ("_ack", "_data", "attempts", "key", "number", "request", "sent_at", "sent_by", "user")

    def __init__(self, layer: Transactions, request: Request, flow: Flow, user: ClientUser, sent_by: str) -> None:
        if request.method == "INVITE":
            super().__init__(layer, _COMPILED_INVITE_CLIENT, State.CALLING, flow)
        else:
            super().__init__(layer, _COMPILED_NON_INVITE_CLIENT, State.TRYING, flow)
        self.user = user
        self.attempts: Attempts | None = None
        """What is tried before the user hears of a failure; None for most."""
        self.sent_at = 0.0
        self._set(request, sent_by)
        self._data = b""
        self._ack = b""

    def _set(self, request: Request, sent_by: str) -> None:
        first = request.headers.first
        self.request = request
        self.sent_by = sent_by
        """As in our Via; a response must bring it back."""
        # Both texts are ours: the branch is the Via's last parameter, and the number stands first.
        self.key: ClientKey = (first.get("Via", "").rpartition(";branch=")[2], request.method)
        self.number = int(first.get("CSeq", "0").partition(" ")[0])
        """CSeq number."""

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def lingers(self) -> bool:
        """Whether it only waits for repetitions of a final response that its user has. After a 2xx to INVITE there may
        be others (RFC 6026 7.2), so that one stays."""
        return self.state is State.COMPLETED

    @property
    def unsent(self) -> bool:
        """Whether its target is still being located."""
        return self.flow is NOWHERE

    def start(self, now: float) -> None:
        """Send the request and arm the timers. Raises LocalSipError where it cannot be written; the transaction is
        gone then."""
        self.sent_at = now
        timers, invite = self._layer.timers, self.state is State.CALLING
        if self.flow is NOWHERE:
            self.start_lifetime(Input.TIMER_B if invite else Input.TIMER_F, timers.transaction, now)
            if self.attempts is not None:
                self.attempts.begin(self)
            return
        request, layer = self.request, self._layer
        try:
            data = request.to_bytes()
            if len(data) > layer.retries.rules.udp_max_request and self._may_grow(now):
                data = request.to_bytes()
            self._data = layer.outbox.send_written(self.flow, request, data)
        except LocalSipError:
            self._leave()
            self._let_go()
            raise
        if not self._data:
            self.handle(Input.TRANSPORT_ERROR, now)
            return
        if not self.flow.transport.reliable:
            self.start_retransmit(Input.TIMER_A if invite else Input.TIMER_E, timers.t1, now)
        wait = timers.transaction if self.attempts is None else self.attempts.wait_s(self, now)
        self.start_lifetime(Input.TIMER_B if invite else Input.TIMER_F, wait, now)

    def _may_grow(self, now: float) -> bool:
        """RFC 3261 18.1.1: whether the request, too long for a datagram, goes by TCP now."""
        if self.flow.transport is not Transport.UDP or self.request.pinned:
            return False
        return self._layer.retries.by_stream(self, now)

    def again(self, request: Request, flow: Flow, sent_by: str, now: float) -> None:
        """Send another form of the request, or send it elsewhere. For the network that is a new transaction, with the
        branch that is in the request; the user keeps hold of this one. Raises LocalSipError as `start`."""
        if self.state is State.COMPLETED and self.method == "INVITE":
            self._leave_behind()
        elif self._layer.clients.get(self.key) is self:
            self._leave()
        self.stop_timers()
        self._set(request, sent_by)
        self.state = State.CALLING if request.method == "INVITE" else State.TRYING
        self.flow = flow
        self._data = self._ack = b""
        self._unsent = False
        self.enlist()
        self._layer.outbox.note_request(flow)
        user = self.user
        try:
            self.start(now)
        except LocalSipError:
            # Unlike whoever starts a request, he who waits has not heard of it.
            self.user = user
            raise

    def redirect(self, flow: Flow) -> None:
        """The peer's datagrams come from elsewhere by the same listener of ours: repeat the request there, if nobody
        has answered it. (What went by a stream has its own ends: a failure of the connection.)"""
        before = self.flow
        same = (flow.transport, flow.local) == (before.transport, before.local)
        if same and not flow.transport.reliable and self.state in (State.CALLING, State.TRYING):
            self.flow = flow
            self.send_again(self._data, self.request.method)

    def _leave_behind(self) -> None:
        """Who acknowledges the refusal when it comes again (RFC 3261 17.1.1.3)."""
        rest = self.copy(self.user)
        rest.state, rest._ack = self.state, self._ack
        rest._lifetime, self._lifetime = self._lifetime, None
        if rest._lifetime is not None:
            rest._lifetime.owner = rest
        rest.enlist()

    def copy(self, user: ClientUser) -> ClientTransaction:
        """The same try, without timers, for another user; `enlist` gives it the answers."""
        return ClientTransaction(self._layer, self.request, self.flow, user, self.sent_by)

    def enlist(self) -> None:
        """From now on responses to this branch come here."""
        self._layer.clients[self.key] = self

    def fail(self, now: float) -> None:
        """There is no way to send it."""
        self.handle(Input.TRANSPORT_ERROR, now)

    def settle(self) -> None:
        """Nothing more is to be tried: the next final answer is the last."""
        attempts, self.attempts = self.attempts, None
        if attempts is not None:
            attempts.given_up()

    def abandon(self, now: float) -> None:
        self.settle()
        super().abandon(now)

    def abandon_in(self, delay: float, now: float) -> None:
        self.settle()
        super().abandon_in(delay, now)

    def receive(self, response: Response, now: float) -> None:
        """A response that was matched to this transaction."""
        status = response.status
        what = Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.FAILURE
        self.handle(what, now, response)

    def _leave(self) -> None:
        self._layer.clients.pop(self.key, None)

    def _let_go(self) -> None:
        self.user = NOBODY

    def cancel_request(self) -> Request:
        """The CANCEL of this INVITE (RFC 3261 9.1)."""
        return derive(self.request, "CANCEL", self.number, self.request.headers.get("To") or "")

    # Effects.

    def pass_response(self, response: Response, now: float) -> None:
        if self.attempts is not None and self.attempts.answered(self, response, now):
            return
        self.user.response_received(self, response, now)

    def send_ack(self, response: Response, now: float) -> None:
        if self._ack:
            self.send_again(self._ack, "ACK")
            return
        ack = derive(self.request, "ACK", self.number, response.headers.get("To") or "")
        self._ack = self._layer.outbox.send_request(self.flow, ack)
        self._unsent = not self._ack

    def resend_request(self, _: None, now: float) -> None:
        self.send_again(self._data, self.request.method)

    def tell_timeout(self, _: None, now: float) -> None:
        if self.attempts is not None and self.attempts.failed(self, now):
            return
        self.user.request_timed_out(self, now)

    def tell_transport_error(self, _: None, now: float) -> None:
        if self.attempts is not None and self.attempts.failed(self, now):
            return
        self.user.request_failed(self, now)

    def restart_a(self, _: None, now: float) -> None:
        self.start_retransmit(Input.TIMER_A, self._interval * 2, now)

    def restart_e(self, _: None, now: float) -> None:
        t2 = self._layer.timers.t2
        interval = t2 if self.state is State.PROCEEDING else min(self._interval * 2, t2)
        self.start_retransmit(Input.TIMER_E, interval, now)

    def start_d(self, _: Response, now: float) -> None:
        self.start_cleanup(Input.TIMER_D, 0 if self.flow.transport.reliable else self._layer.timers.completed, now)

    def start_k(self, _: Response, now: float) -> None:
        self.start_cleanup(Input.TIMER_K, 0 if self.flow.transport.reliable else self._layer.timers.t4, now)

    def start_m(self, _: Response, now: float) -> None:
        self.start_cleanup(Input.TIMER_M, self._layer.timers.transaction, now)


class ServerTransaction(Transaction):
    """A request of the peer that is being answered. Made by `Transactions.server`."""

    __slots__ = ("_data", "_key", "_merge_key", "_request", "method", "number", "to_tag", "unconfirmed", "user")

    def __init__(
        self, layer: Transactions, request: Request, key: ServerKey, merge_key: ServerKey | None, flow: Flow
    ) -> None:
        if request.method == "INVITE":
            super().__init__(layer, _COMPILED_INVITE_SERVER, State.PROCEEDING, flow)
        else:
            super().__init__(layer, _COMPILED_NON_INVITE_SERVER, State.TRYING, flow)
        self._request: Request | None = request
        self.method = request.method
        self.number = request.cseq.number
        """CSeq number."""
        self.to_tag: str | None = None
        """The tag of our responses, where a usage has chosen one; the 200 to CANCEL has the same (RFC 3261 9.2)."""
        self.unconfirmed = 0
        """RSeq of a provisional response whose PRACK had not come when the INVITE was refused; 0 for none."""
        self.user: ServerUser | None = None
        """Told of what comes later; None where nobody waits for it."""
        self._key = key
        self._merge_key = merge_key
        self._data = b""

    @property
    def request(self) -> Request:
        """The request, until its final response: what stays half a minute for repetitions should be small. Raises
        LocalSipError afterwards."""
        if self._request is None:
            raise LocalSipError(f"{self.method} has been answered")
        return self._request

    @property
    def answered(self) -> bool:
        """Whether a final response was sent."""
        return self.state not in (State.PROCEEDING, State.TRYING)

    def try_soon(self, now: float) -> None:
        """Send 100, unless another response leaves as soon as it (RFC 3261 17.2.1: only who will not answer within
        200 ms owes it)."""
        self._layer.untried.append((self, now))

    @property
    def silent(self) -> bool:
        """Whether nothing was answered yet, and something still can be."""
        return not self._data and self.state is State.PROCEEDING

    @property
    def lingers(self) -> bool:
        """Whether it only waits for repetitions of what was answered. An INVITE outside of dialogs that was accepted
        stays: a repetition would be taken for another call."""
        state = self.state
        if state is State.ACCEPTED:
            return self._merge_key is None
        return state is State.COMPLETED or state is State.CONFIRMED

    def respond(self, response: Response, now: float) -> None:
        """Send a response, provisional or final. Raises LocalSipError where it cannot be written."""
        self._data = response.to_bytes()
        status = response.status
        what = Input.PROVISIONAL if status < 200 else Input.SUCCESS if status < 300 else Input.FAILURE
        if status >= 200:
            self._request = None
        self.handle(what, now, response)

    def repeat_success(self, now: float) -> None:
        """Send the 2xx again, which is its user's task (RFC 3261 13.3.1.4)."""
        if not self._layer.outbox.resend(self.flow, self._data, "INVITE"):
            self.handle(Input.TRANSPORT_ERROR, now)

    def repeat_provisional(self) -> None:
        """Send the last provisional again, so that no proxy gives up (RFC 3261 13.3.1.1)."""
        self._layer.outbox.resend(self.flow, self._data, "INVITE")

    def answer_by(self, flow: Flow) -> None:
        """Answer by another flow from now on, the last provisional once more."""
        self.flow = flow
        self._layer.outbox.note_use(flow)
        self.repeat_provisional()

    def _leave(self) -> None:
        self._layer.forget(self._key, self._merge_key)

    def _let_go(self) -> None:
        self.user = None

    # Effects.

    def send_response(self, response: Response, now: float) -> None:
        self._unsent = not self._layer.outbox.send_response(self.flow, response, self._data, self.method)

    def resend_response(self, _: Request | None, now: float) -> None:
        if self._data:
            self.send_again(self._data, self.method)

    def pass_ack(self, ack: Request, now: float) -> None:
        if self.user is not None:
            self.user.ack_received(self, ack, now)

    def tell_timeout(self, _: None, now: float) -> None:
        self._layer.unacknowledged += 1

    def start_g_h(self, _: Response, now: float) -> None:
        timers = self._layer.timers
        if not self.flow.transport.reliable:
            self.start_retransmit(Input.TIMER_G, timers.t1, now)
        self.start_cleanup(Input.TIMER_H, timers.transaction, now)

    def restart_g(self, _: None, now: float) -> None:
        self.start_retransmit(Input.TIMER_G, min(self._interval * 2, self._layer.timers.t2), now)

    def start_i(self, _: Request, now: float) -> None:
        self.start_cleanup(Input.TIMER_I, 0 if self.flow.transport.reliable else self._layer.timers.t4, now)

    def start_j(self, _: Response, now: float) -> None:
        self.start_cleanup(Input.TIMER_J, 0 if self.flow.transport.reliable else self._layer.timers.transaction, now)

    def start_l(self, _: Response, now: float) -> None:
        self.start_cleanup(Input.TIMER_L, self._layer.timers.transaction, now)


def _compile(machine: Machine, side: type[Transaction]) -> Compiled:
    """The table with each effect's name replaced by the function, so that a step is one look-up."""
    return {
        pair: (transition.to, tuple(getattr(side, effect) for effect in transition.effects))
        for pair, transition in machine.items()
    }


_COMPILED_INVITE_CLIENT: Final = _compile(INVITE_CLIENT, ClientTransaction)
_COMPILED_NON_INVITE_CLIENT: Final = _compile(NON_INVITE_CLIENT, ClientTransaction)
_COMPILED_INVITE_SERVER: Final = _compile(INVITE_SERVER, ServerTransaction)
_COMPILED_NON_INVITE_SERVER: Final = _compile(NON_INVITE_SERVER, ServerTransaction)


def derive(request: Request, method: str, number: int, to: str) -> Request:
    """ACK (of a refusal) or CANCEL of an INVITE of ours: same Request-URI, top Via, From, Call-ID, CSeq number and
    Route (RFC 3261 9.1, 17.1.1.3), and in an ACK its credentials."""
    headers = request.headers
    fields = [
        ("Via", headers.get("Via") or ""),
        ("Max-Forwards", "70"),
        ("From", headers.get("From") or ""),
        ("To", to),
    ]
    fields += [("Call-ID", request.call_id), ("CSeq", f"{number} {method}")]
    fields += [("Route", route) for route in headers.get_all("Route")]
    if method == "ACK":
        fields += request.credentials
    return Request(method, request.request_uri, Headers(fields))


def server_key(request: Request) -> ServerKey:
    """What finds the transaction of a request again (RFC 3261 17.2.3); of its INVITE for ACK and CANCEL. Raises
    RemoteSipError where the fields it is made of are malformed."""
    method = "INVITE" if request.method in ("ACK", "CANCEL") else request.method
    branch, sent = request.hop
    if branch.startswith(MAGIC_COOKIE) and branch != MAGIC_COOKIE:
        return branch, sent.text, method
    # RFC 2543 peers: the same Request-URI, From tag, Call-ID, CSeq number and top Via. To tags are left out, since the
    # ACK has the one of our response, which nobody but the transaction knows.
    cseq = str(request.cseq.number)
    return request.request_uri, request.from_tag or "", request.call_id, cseq, str(request.via), method
