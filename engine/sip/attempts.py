"""Requests of ours that are tried more than once. Their users see only the outcome: a transaction keeps its place in
their hands while what goes on the wire is sent again in another form.

    what came                    what is tried                                              RFC
    401, 407                     once more with the account's credentials, CSeq + 1         3261 22, 7616
    no flow yet                  `LocateWanted` is told; sent when `located` brings flows   3263
    503, no answer, no way       the same at the next flow                                  3263 4.3
    more octets than UDP takes   by TCP to the same address; by UDP where that is refused   3261 18.1.1

Each try is a transaction of its own for the network: another branch, and timers of its own. A request that has nothing
of this (no account, one flow, few octets) has no `Attempts` and pays nothing for them.

A server that failed is **dead** for a while and is tried after the others (`Deaths`). While there are others, one that
says nothing is given `try_s` instead of Timer B; all tries together are given no more than Timer B. An INVITE that was
given up so may have arrived all the same: `engine.sip.leftover` takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final

from engine.ids import IdSource
from engine.sip.accounts import Accounts, Space
from engine.sip.deaths import Deaths
from engine.sip.dialog import Dialogs
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.events import LocateKey, LocateWanted
from engine.sip.flow import NOWHERE, Flow, Transport
from engine.sip.identity import BRANCH_COOKIE, Identity
from engine.sip.leftover import Leftover
from engine.sip.limits import MAX_CHALLENGED, MAX_HOPS, MAX_RETRY_AFTER_S
from engine.sip.message import Headers, Request, Response
from engine.sip.outbox import Outbox
from engine.sip.timers import Timers
from engine.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from engine.sip.uri import SipUri

_NO_STREAM_S: Final = 600.0
"""How long an address that refused TCP is sent everything by UDP."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRules:
    """How requests are tried again."""

    try_s: float = 4.0
    """How long one of several servers may be silent: four INVITEs, at 0, T1, 3*T1 and 7*T1."""
    dead_s: float = 30.0
    """How long a server that failed is tried last, where its 503 has no Retry-After."""
    udp_max_request: int = 1300
    """Octets of a request that still go by UDP; what is larger goes by TCP, except to phones (RFC 3261 18.1.1)."""


class Retries:
    """What the requests that are tried again share."""

    __slots__ = (
        "_numbers",
        "_wanted",
        "accounts",
        "deaths",
        "dialogs",
        "identity",
        "ids",
        "no_stream",
        "outbox",
        "rules",
        "timers",
    )

    def __init__(
        self,
        *,
        rules: RetryRules,
        timers: Timers,
        accounts: Accounts,
        dialogs: Dialogs,
        identity: Identity,
        ids: IdSource,
        outbox: Outbox,
    ) -> None:
        self.rules = rules
        self.timers = timers
        self.accounts = accounts
        self.dialogs = dialogs
        self.identity = identity
        self.ids = ids
        self.outbox = outbox
        self.deaths = Deaths()
        self.no_stream = Deaths()
        """Addresses that refused TCP."""
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

    def by_stream(self, transaction: ClientTransaction, now: float) -> bool:
        """Let a request that is too long for UDP go by TCP; False where that was refused there."""
        flow = transaction.flow._replace(transport=Transport.TCP)
        if self.no_stream.is_dead(flow, now):
            return False
        if not isinstance(transaction.attempts, Attempts):
            transaction.attempts = Attempts(self, None, None, ())
        transaction.attempts.fall_back = transaction.flow
        local = self.identity.of(flow)
        branch = transaction.key[0].removeprefix(BRANCH_COOKIE)
        transaction.flow, transaction.sent_by = flow, local.sent_by
        self.outbox.note_request(flow)
        transaction.request.headers.set_first("Via", local.via + branch)
        return True


class Attempts:
    """What one request may still try."""

    __slots__ = ("_account", "_answered", "_begun_at", "_flows", "_key", "_retries", "_rounds", "_uri", "fall_back")

    def __init__(self, retries: Retries, account: str | None, uri: SipUri | None, flows: Sequence[Flow]) -> None:
        """`uri` is what is to be located, None where the flow is known; `flows` are those to try after it."""
        self._retries = retries
        self._account = account
        self._uri = uri
        self._flows = list(flows)
        self._key: LocateKey | None = None
        self._answered: set[Space] = set()
        """Challenged and answered: a second challenge there means that the login is wrong."""
        self._rounds = 0
        self._begun_at: float | None = None
        self.fall_back: Flow | None = None
        """The UDP flow of a request that is under way by TCP for its length."""

    # --- engine.sip.transaction.Attempts ---

    def begin(self, transaction: ClientTransaction) -> None:
        """Find out where to send the request."""
        if self._uri is not None:
            self._key = self._retries.want(self._uri, transaction)

    def wait_s(self, transaction: ClientTransaction, now: float) -> float:
        """How long this try may go unanswered."""
        whole = self._retries.timers.transaction
        if self._begun_at is None:
            self._begun_at = now
        left = max(0.0, self._begun_at + whole - now)
        if self._flows or self.fall_back is not None:
            return min(self._retries.rules.try_s, left)
        # A challenge is a sign of life: whoever sent it gets the whole time for what follows.
        return whole if self._rounds else left

    def answered(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """A response came; True where another try was begun, which the user need not know."""
        status = response.status
        self.fall_back = None
        if status in (401, 407):
            return self._challenged(transaction, response, now)
        if status == 503:
            self._retries.deaths.note(transaction.flow, now + (retry_after_of(response) or self._retries.rules.dead_s))
            return self._next(transaction, now)
        if 200 <= status < 300 and self._account is not None:
            self._retries.accounts.renew(self._account, response)
        return False

    def failed(self, transaction: ClientTransaction, now: float) -> bool:
        """No answer, or no way; True where another try was begun."""
        self.given_up()
        if transaction.flow is NOWHERE:
            return False
        if self.fall_back is not None:
            return self._back_to_udp(transaction, now)
        self._retries.deaths.note(transaction.flow, now + self._retries.rules.dead_s)
        if transaction.method == "INVITE" and self._flows:
            Leftover(self._retries, transaction).stay(now)
        return self._next(transaction, now)

    def given_up(self) -> None:
        """Nothing more is to be tried."""
        if self._key is not None:
            self._retries.forget(self._key)
            self._key = None

    # --- inner ---

    def located(self, transaction: ClientTransaction, flows: Sequence[Flow], now: float) -> None:
        self._key = None
        self._flows = self._retries.deaths.last(flows[:MAX_HOPS], now)
        if not self._next(transaction, now):
            transaction.fail(now)

    def _next(self, transaction: ClientTransaction, now: float) -> bool:
        """Try the next flow, if there is one and time is left. Of those given beforehand the dead ones come last."""
        self._flows = self._retries.deaths.last(self._flows, now)
        while self._flows:
            flow = self._flows.pop(0)
            if self._begun_at is not None and now - self._begun_at >= self._retries.timers.transaction:
                return False
            if self._send(transaction, transaction.request, flow, now):
                if self._uri is not None:
                    self._retries.dialogs.moved(transaction.request, flow)
                return True
        return False

    def _back_to_udp(self, transaction: ClientTransaction, now: float) -> bool:
        """Nobody listens for TCP there (RFC 3261 18.1.1)."""
        flow, self.fall_back = self.fall_back, None
        self._retries.no_stream.note(transaction.flow, now + _NO_STREAM_S)
        return flow is not None and self._send(transaction, transaction.request, flow, now)

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
        try:
            accounts.sign(request, account)
        except LocalSipError:
            # What the challenge holds cannot be written back; whoever waits must hear of the refusal all the same.
            accounts.refused(account, found)
            return False
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
    again.account, again.pinned = request.account, request.pinned
    if via is not None:
        again.headers.set_first("Via", via)
    if number is not None:
        again.headers.set_first("CSeq", f"{number} {request.method}")
    return again


def retry_after_of(response: Response) -> int:
    """For how many seconds the peer wants to be left alone; 0 where it does not say, or not readably."""
    try:
        return min(response.retry_after or 0, MAX_RETRY_AFTER_S)
    except RemoteSipError:
        return 0
