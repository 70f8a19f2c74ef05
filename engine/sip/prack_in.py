"""Provisional responses of ours that a PRACK confirms (RFC 3262 3): the machine RELIABLE of `usage_fsm`, run."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.sip.limits import MAX_PROVISIONALS
from engine.sip.message import Response
from engine.sip.session_headers import RAck
from engine.sip.stack import Stack
from engine.sip.timers import Timer
from engine.sip.transaction import ServerTransaction
from engine.sip.usage_fsm import RELIABLE, ReliableInput, ReliableState

if TYPE_CHECKING:
    from engine.sip.invite_in import IncomingSession

_FIRST_BELOW: Final = 1 << 16
"""RFC 3262 3 wants the first number random and less than 2**31; what is left above is never used up."""


class _Provisional(NamedTuple):
    status: int
    reason: str
    sdp: bytes | None


class ReliableProvisionals:
    """Those of one INVITE."""

    __slots__ = ("_interval", "_number", "_queue", "_sent", "_session", "_stack", "_until", "rseq", "state", "timer")

    def __init__(self, stack: Stack, session: IncomingSession, number: int) -> None:
        self._stack = stack
        self._session = session
        self._number = number
        """CSeq number of the INVITE."""
        self.state = ReliableState.QUIET
        self.rseq = stack.random(_FIRST_BELOW)
        """Of the last one that was sent."""
        self.timer: Timer | None = None
        self._interval = 0.0
        self._until = 0.0
        self._queue: deque[_Provisional] = deque(maxlen=MAX_PROVISIONALS)
        self._sent: _Provisional | None = None

    def send(self, status: int, reason: str, sdp: bytes | None, now: float) -> None:
        """Send it, or as soon as those before it are confirmed."""
        what = ReliableInput.PROVISIONAL if sdp is None else ReliableInput.DESCRIPTION
        self.handle(what, now, _Provisional(status, reason, sdp))

    def matches(self, rack: RAck) -> bool:
        """Whether a PRACK is of the response that waits for one."""
        return rack == (self.rseq, self._number, "INVITE") and (self.state, ReliableInput.PRACK) in RELIABLE

    @property
    def waits(self) -> bool:
        """Whether the last one has not been confirmed, and the INVITE not been accepted."""
        return self.state in (ReliableState.RINGING, ReliableState.DESCRIBING, ReliableState.HOLDING)

    @property
    def described(self) -> bool:
        """Whether the response that waits brought a session description."""
        return self._sent is not None and self._sent.sdp is not None

    def handle(self, what: ReliableInput, now: float, provisional: _Provisional | None = None) -> bool:
        """Feed an input to the machine; False where its state does not name it."""
        transition = RELIABLE.get((self.state, what))
        if transition is None:
            return False
        self.state = transition.to
        for effect in transition.effects:
            getattr(self, effect)(provisional, now)
        return True

    def timer_rang(self, what: str, now: float) -> None:
        self.timer = None
        self.handle(ReliableInput.TIMEOUT if now >= self._until else ReliableInput.REPEAT, now)

    def close(self) -> None:
        """The session ends."""
        self._queue.clear()
        self.stop_timer(None, 0.0)
        self.state = ReliableState.OVER

    # Effects.

    def send_provisional(self, provisional: _Provisional | None, now: float) -> None:
        assert provisional is not None, "what is sent is given"
        self._sent = provisional
        self.rseq += 1
        timers = self._stack.config.timers
        self._interval, self._until = timers.t1, now + timers.transaction
        headers = (("Require", "100rel"), ("RSeq", str(self.rseq)))
        self._session.send_provisional(provisional.status, provisional.reason, provisional.sdp, headers, now)
        self.timer = self._stack.heap.start(now + self._interval, self, "provisional")

    def queue_provisional(self, provisional: _Provisional | None, now: float) -> None:
        if provisional is not None:
            self._queue.append(provisional)

    def repeat_provisional(self, _: object, now: float) -> None:
        self._session.repeat_provisional()
        self._interval *= 2
        self.timer = self._stack.heap.start(min(now + self._interval, self._until), self, "provisional")

    def stop_timer(self, _: object, now: float) -> None:
        self._stack.heap.cancel(self.timer)
        self.timer = None

    def send_next(self, _: object, now: float) -> None:
        if self._queue:
            following = self._queue.popleft()
            self.send(following.status, following.reason, following.sdp, now)

    def send_success(self, _: object, now: float) -> None:
        self._session.send_success(now)

    def give_up(self, _: object, now: float) -> None:
        self._session.prack_missing(now)


def answer_prack(transaction: ServerTransaction, now: float) -> None:
    """200 without a body (RFC 3262 3)."""
    transaction.respond(Response.build(transaction.request, 200), now)
