"""A 2xx of ours to an INVITE that waits for its ACK (RFC 3261 13.3.1.4)."""

from __future__ import annotations

from typing import Protocol

from engine.sip.timers import Timer
from engine.sip.transaction import ServerTransaction
from engine.sip.transactions import Transactions


class AcceptanceUser(Protocol):
    """The session that sent the 2xx."""

    def ack_missing(self, acceptance: Acceptance, now: float) -> None:
        """No ACK came within 64*T1."""


class Acceptance:
    """Repeats the 2xx, over any transport since the ACK comes end to end, until `stop` or 64*T1."""

    __slots__ = ("_end", "_interval", "_layer", "_timer", "_transaction", "_user", "late_offer", "number")

    def __init__(
        self,
        layer: Transactions,
        transaction: ServerTransaction,
        user: AcceptanceUser,
        *,
        late_offer: bool,
        now: float,
    ) -> None:
        self._layer = layer
        self._transaction = transaction
        self._user = user
        self.late_offer = late_offer
        """The 2xx carries the offer, so the ACK must bring the answer (13.2.1)."""
        self.number = transaction.number
        """CSeq number that the ACK has."""
        timers = layer.timers
        self._interval = timers.t1
        self._end = now + timers.transaction
        self._timer: Timer | None = layer.heap.start(now + timers.t1, self, "2xx")

    def stop(self) -> None:
        """The ACK came, or nobody waits for it any more."""
        self._layer.heap.cancel(self._timer)
        self._timer = None

    def timer_rang(self, what: str, now: float) -> None:
        if now >= self._end:
            self._timer = None
            self._user.ack_missing(self, now)
            return
        self._transaction.repeat_success(now)
        self._interval = min(self._interval * 2, self._layer.timers.t2)
        self._timer = self._layer.heap.start(min(now + self._interval, self._end), self, "2xx")
