"""OPTIONS that asks a trunk whether it is there (RFC 3261 11)."""

from __future__ import annotations

from engine.sip.events import PingAnswered, PingId
from engine.sip.message import Response
from engine.sip.outbox import Outbox
from engine.sip.transaction import ClientTransaction


class Ping:
    """The user of one OPTIONS of ours."""

    __slots__ = ("_number", "_outbox")

    def __init__(self, outbox: Outbox, number: PingId) -> None:
        self._outbox = outbox
        self._number = number

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status >= 200:
            self._tell(response.status, now - transaction.sent_at)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._tell(None, now - transaction.sent_at)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._tell(None, now - transaction.sent_at)

    def _tell(self, status: int | None, after: float) -> None:
        self._outbox.events.append(PingAnswered(ping=self._number, status=status, round_trip_s=after))
