"""What client and server transactions have in common: the step through their table, two timers, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.sip.drops import UNEXPECTED
from engine.sip.errors import LocalSipError
from engine.sip.flow import Flow
from engine.sip.fsm import Input, State
from engine.sip.message import Request, Response

if TYPE_CHECKING:
    from engine.sip.timers import Timer
    from engine.sip.transaction import ClientTransaction, ServerTransaction
    from engine.sip.transactions import Transactions

ClientKey = tuple[str, str]
"""Branch and method (RFC 3261 17.1.3)."""
ServerKey = tuple[str, ...]


class ClientUser(Protocol):
    """The transaction user that sent a request. Exactly one of: a final response, `request_timed_out`,
    `request_failed`; after a 2xx to INVITE more of them may follow."""

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None: ...

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None: ...

    def request_failed(self, transaction: ClientTransaction, now: float) -> None: ...


class _Nobody:
    """The user of a request whose outcome changes nothing."""

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None: ...

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None: ...

    def request_failed(self, transaction: ClientTransaction, now: float) -> None: ...


NOBODY: Final = _Nobody()


class Attempts(Protocol):
    """What a request of ours may still try (`engine.sip.attempts`). Asked before the user is told."""

    def begin(self, transaction: ClientTransaction) -> None:
        """The request is to be sent, and it is not known where to."""

    def wait_s(self, transaction: ClientTransaction, now: float) -> float:
        """How long this try may go unanswered: Timers B and F, or less."""

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """True where the response led to another try, so that the user is not told of it."""

    def failed(self, transaction: ClientTransaction, now: float) -> bool:
        """The same for no answer in time, and for no way to send."""

    def given_up(self) -> None:
        """Nothing more is to be tried."""


class ServerUser(Protocol):
    """The transaction user that answers a request."""

    def cancelled(self, transaction: ServerTransaction, cancel: Request, now: float) -> None:
        """CANCEL came before the final response (and was answered)."""

    def ack_received(self, transaction: ServerTransaction, ack: Request, now: float) -> None:
        """An ACK of our 2xx that carries the INVITE's branch, as RFC 2543 peers send it."""


class Transaction:
    """What both sides have: a state, and at most two timers, one for repeating and one for the end."""

    __slots__ = ("_interval", "_layer", "_lifetime", "_machine", "_retransmit", "_unsent", "flow", "state")

    def __init__(self, layer: Transactions, machine: Compiled, start: State, flow: Flow) -> None:
        self._layer = layer
        self._machine = machine
        self.state = start
        self.flow = flow
        """Where our messages go."""
        self._retransmit: Timer | None = None
        self._lifetime: Timer | None = None
        self._interval = 0.0
        self._unsent = False

    def handle(self, what: Input, now: float, message: Any = None) -> None:
        """Feed an input to the machine; drops what its state does not name."""
        transition = self._machine.get((self.state, what))
        if transition is None:
            self._layer.drops[UNEXPECTED] += 1
            return
        self.state = state = transition[0]
        if state is State.TERMINATED:
            self.stop_timers()
            self._leave()
        for effect in transition[1]:
            effect(self, message, now)
        if self._unsent:
            self._unsent = False
            self.handle(Input.TRANSPORT_ERROR, now)
        if self.state is State.TERMINATED and message is not _WITHIN:
            self._let_go()

    def timer_rang(self, what: str, now: float) -> None:
        self.handle(_INPUTS[what], now)

    def abandon(self, now: float) -> None:
        """Give up, if a final response is still to come."""
        self.handle(Input.ABANDON, now)

    def abandon_in(self, delay: float, now: float) -> None:
        """Give up, unless it has ended by then. For an INVITE that nobody waits for any more (RFC 3261 9.1)."""
        if (self.state, Input.ABANDON) in self._machine:
            self.start_lifetime(Input.ABANDON, delay, now)

    def start_lifetime(self, what: Input, delay: float, now: float) -> None:
        """Be told in `delay`, unless it has ended by then."""
        heap = self._layer.heap
        if self._lifetime is not None:
            heap.cancel(self._lifetime)
        self._lifetime = heap.start(now + delay, self, what)

    def start_cleanup(self, what: Input, delay: float, now: float) -> None:
        """Stay for repetitions that come late, and end some time after `delay`; at once where it is 0."""
        heap = self._layer.heap
        if self._lifetime is not None:
            heap.cancel(self._lifetime)
            self._lifetime = None
        if delay > 0:
            self._lifetime = heap.start_late(now + delay, self, what)
        else:
            self.handle(what, now, _WITHIN)

    def start_retransmit(self, what: Input, interval: float, now: float) -> None:
        self._interval = interval
        self._retransmit = self._layer.heap.start(now + interval, self, what)

    def stop_timers(self, _: object = None, now: float = 0.0) -> None:
        """An effect; also what ends every transaction."""
        if self._retransmit is not None:
            self._layer.heap.cancel(self._retransmit)
            self._retransmit = None
        if self._lifetime is not None:
            self._layer.heap.cancel(self._lifetime)
            self._lifetime = None

    def give_way(self) -> None:
        """End before the time, to make room: what is repeated from now on is new to us."""
        self.state = State.TERMINATED
        self.stop_timers()
        self._leave()

    def send_again(self, data: bytes, method: str) -> None:
        if not self._layer.outbox.resend(self.flow, data, method):
            self._unsent = True

    @property
    def layer(self) -> Transactions:
        return self._layer

    def _let_go(self) -> None:
        """It is over, and its user, which holds on to it, is told no more: both are freed without a collection."""
        raise LocalSipError("a transaction is a client's or a server's")

    def _leave(self) -> None:
        raise LocalSipError("a transaction is a client's or a server's")


_WITHIN: Final = object()
"""In the place of a message: an effect ends the transaction while others, which tell its user, are still to come."""
_INPUTS: Final[dict[str, Input]] = {str(each): each for each in Input}

Compiled = dict[tuple[State, Input], tuple[State, tuple[Callable[..., None], ...]]]
