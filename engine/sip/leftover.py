"""An INVITE that was given up for another server although it may have arrived: what still comes of it is taken back.

Its answer was late or lost. A provisional one is answered with CANCEL, a 2xx with ACK and BYE (RFC 3261 9.1,
13.2.2.4); the phone that it rang at must not ring on beside the one that the next server calls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.sip.dialog import Dialog, of_response
from engine.sip.flow import Flow
from engine.sip.fsm import Input, State
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from engine.sip.attempts import Retries


class Leftover:
    """The user of the transaction that stays behind."""

    __slots__ = ("_cancelled", "_declined", "_retries", "_transaction")

    def __init__(self, retries: Retries, given_up: ClientTransaction) -> None:
        self._retries = retries
        self._cancelled = False
        self._declined: set[str] = set()
        self._transaction = given_up.copy(self)

    def stay(self, now: float) -> None:
        """Wait for what may come, for as long as it may; nothing is sent again."""
        transaction = self._transaction
        transaction.enlist()
        transaction.start_lifetime(Input.TIMER_B, self._retries.timers.transaction, now)

    # --- the transaction user ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status < 200:
            self._cancel(transaction, now)
        elif response.status < 300:
            self._decline(transaction, response, now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """As was expected, or the answer to our BYE or CANCEL does not come."""

    def request_failed(self, transaction: ClientTransaction, now: float) -> None: ...

    # --- the dialog user ---

    def request_received(self, dialog: Dialog, request: Request, flow: Flow, now: float) -> None:
        raise refuse(481, "the dialog is over")

    def ack_received_for(self, number: int, ack: Request, now: float) -> None: ...

    # --- inner ---

    def _cancel(self, transaction: ClientTransaction, now: float) -> None:
        if self._cancelled or transaction is not self._transaction:
            return
        self._cancelled = True
        transaction.layer.client(transaction.cancel_request(), transaction.flow, self).start(now)
        transaction.abandon_in(self._retries.timers.transaction, now)

    def _decline(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        tag = response.to_tag or ""
        if transaction is not self._transaction or tag in self._declined or transaction.state is not State.ACCEPTED:
            return
        self._declined.add(tag)
        dialog = of_response(transaction, transaction.request.from_tag or "", response, self)
        dialog.route_by(response)
        retries = self._retries
        headers = transaction.request.credentials
        ack = retries.dialogs.request(dialog, "ACK", number=transaction.number, headers=headers)
        retries.outbox.send_request(dialog.flow, ack)
        transaction.layer.client(retries.dialogs.request(dialog, "BYE"), dialog.flow, self).start(now)
