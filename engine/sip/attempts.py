"""Requests of ours that are tried more than once. Their users see only the outcome: a transaction keeps its place in
their hands while what goes on the wire is sent again in another form.

    what came               what is tried                                             RFC
    401, 407                once more with the account's credentials, CSeq + 1        3261 22, 7616
    no flow yet             `LocateWanted` is told; sent when `located` brings flows  3263

Each try is a transaction of its own for the network: another branch, and timers of its own. A request that has nothing
of this (no account, one flow) has no `Attempts` and pays nothing for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING

from engine.ids import IdSource
from engine.sip.accounts import Accounts, Space
from engine.sip.dialog import Dialogs
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import LocateKey, LocateWanted
from engine.sip.flow import Flow
from engine.sip.identity import Identity
from engine.sip.limits import MAX_CHALLENGED
from engine.sip.message import Headers, Request, Response
from engine.sip.outbox import Outbox
from engine.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from engine.sip.uri import SipUri


class Retries:
    """What the requests that are tried again share."""

    __slots__ = ("_numbers", "_wanted", "accounts", "dialogs", "identity", "ids", "outbox")

    def __init__(
        self, *, accounts: Accounts, dialogs: Dialogs, identity: Identity, ids: IdSource, outbox: Outbox
    ) -> None:
        self.accounts = accounts
        self.dialogs = dialogs
        self.identity = identity
        self.ids = ids
        self.outbox = outbox
        self._numbers = count(1)
        self._wanted: dict[LocateKey, ClientTransaction] = {}

    def __len__(self) -> int:
        """Requests that wait for flows."""
        return len(self._wanted)

    def want(self, uri: SipUri, transaction: ClientTransaction) -> LocateKey:
        """Ask the layer above for the flows to a URI."""
        key = LocateKey(next(self._numbers))
        self._wanted[key] = transaction
        self.outbox.events.append(LocateWanted(key=key, uri=uri))
        return key

    def forget(self, key: LocateKey) -> None:
        """Nobody waits for these flows any more."""
        self._wanted.pop(key, None)

    def located(self, key: LocateKey, flows: Sequence[Flow], now: float) -> None:
        """The answer to `LocateWanted`; one that nobody waits for is passed over."""
        transaction = self._wanted.pop(key, None)
        if transaction is not None and isinstance(transaction.attempts, Attempts):
            transaction.attempts.located(transaction, flows, now)


class Attempts:
    """What one request may still try."""

    __slots__ = ("_account", "_answered", "_key", "_retries", "_rounds", "_uri")

    def __init__(self, retries: Retries, account: str | None, uri: SipUri | None) -> None:
        """`uri` is what is to be located; None where the flow is known."""
        self._retries = retries
        self._account = account
        self._uri = uri
        self._key: LocateKey | None = None
        self._answered: set[Space] = set()
        """Challenged and answered: a second challenge there means that the login is wrong."""
        self._rounds = 0

    # --- engine.sip.transaction.Attempts ---

    def begin(self, transaction: ClientTransaction) -> None:
        """Find out where to send the request."""
        if self._uri is not None:
            self._key = self._retries.want(self._uri, transaction)

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """A response came; True where another try was begun, which the user need not know."""
        status = response.status
        if status in (401, 407):
            return self._challenged(transaction, response, now)
        if 200 <= status < 300 and self._account is not None:
            self._retries.accounts.renew(self._account, response)
        return False

    def failed(self, transaction: ClientTransaction, now: float) -> bool:
        """No answer, or no way; True where another try was begun."""
        self.given_up()
        return False

    def given_up(self) -> None:
        """Nothing more is to be tried."""
        if self._key is not None:
            self._retries.forget(self._key)
            self._key = None

    # --- inner ---

    def located(self, transaction: ClientTransaction, flows: Sequence[Flow], now: float) -> None:
        self._key = None
        if not flows:
            transaction.fail(now)
            return
        self._send(transaction, transaction.request, flows[0], now)

    def _challenged(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """RFC 3261 22.2, 22.3: again with credentials for whoever asks for them the first time, or only wants a fresh
        nonce."""
        account, accounts = self._account, self._retries.accounts
        if account is None:
            return False
        found = accounts.learn(account, response)
        if not found or self._rounds >= MAX_CHALLENGED:
            return False
        if any(space in self._answered and not stale for space, stale in found.items()):
            accounts.refused(account, found)
            return False
        self._rounds += 1
        self._answered.update(found)
        request = copy_of(transaction.request, number=self._next_number(transaction))
        accounts.sign(request, account)
        return self._send(transaction, request, transaction.flow, now)

    def _next_number(self, transaction: ClientTransaction) -> int:
        """Within a dialog other requests may have been sent meanwhile."""
        try:
            dialog = self._retries.dialogs.of_ours(transaction.request)
        except RemoteSipError:
            dialog = None
        if dialog is None:
            return transaction.number + 1
        dialog.local_sequence = max(dialog.local_sequence, transaction.number) + 1
        return dialog.local_sequence

    def _send(self, transaction: ClientTransaction, request: Request, flow: Flow, now: float) -> bool:
        retries = self._retries
        local = retries.identity.of(flow)
        fresh = copy_of(request, via=local.via + retries.ids.token())
        if flow != transaction.flow and (contact := request.headers.first.get("Contact")) is not None:
            fresh.headers.set_first("Contact", local.contact_like(contact))
        try:
            transaction.again(fresh, flow, local.sent_by, now)
        except LocalSipError:
            return False
        return True


def copy_of(request: Request, *, via: str | None = None, number: int | None = None) -> Request:
    """The request once more, with another Via or CSeq number; the old one stays what it was."""
    again = Request(request.method, request.request_uri, Headers.of_all(list(request.headers.items())), request.body)
    again.account = request.account
    if via is not None:
        again.headers.set_first("Via", via)
    if number is not None:
        again.headers.set_first("CSeq", f"{number} {request.method}")
    return again
