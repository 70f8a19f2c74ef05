"""All transactions of the endpoint: found again for every message, bounded in number."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

from engine.sip.attempts import Attempts, Retries
from engine.sip.drops import UNMATCHED
from engine.sip.eldest import Eldest
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.flow import NOWHERE, Flow, Transport
from engine.sip.fsm import Input, State
from engine.sip.identity import Identity
from engine.sip.message import Request, Response
from engine.sip.names import METHODS, refuse
from engine.sip.outbox import Outbox, bounded
from engine.sip.session_headers import rack_of
from engine.sip.timers import TimerHeap, Timers
from engine.sip.transaction import (
    ClientKey,
    ClientTransaction,
    ClientUser,
    ServerKey,
    ServerTransaction,
)
from engine.sip.uri import SipUri


class Transactions:
    """The transaction layer (RFC 3261 17)."""

    __slots__ = (
        "_eldest_client",
        "_eldest_server",
        "_identity",
        "_limit",
        "_merged",
        "clients",
        "drops",
        "heap",
        "outbox",
        "retries",
        "servers",
        "timers",
        "unacknowledged",
        "untried",
    )

    def __init__(
        self, outbox: Outbox, heap: TimerHeap, identity: Identity, timers: Timers, limit: int, retries: Retries
    ) -> None:
        self.outbox = outbox
        self.heap = heap
        self.timers = timers
        self._identity = identity
        self.retries = retries
        self.clients: dict[ClientKey, ClientTransaction] = {}
        self.servers: dict[ServerKey, ServerTransaction] = {}
        self._merged: dict[ServerKey, ServerTransaction] = {}
        self._limit = limit
        self._eldest_client = Eldest(self.clients, lambda each: each.lingers)
        self._eldest_server = Eldest(self.servers, lambda each: each.lingers)
        self.drops: Counter[str] = Counter()
        """What nothing came of, by reason (`engine.sip.drops`)."""
        self.unacknowledged = 0
        """Refusals of ours that no ACK came for."""
        self.untried: list[tuple[ServerTransaction, float]] = []
        """INVITEs that are owed a 100 as soon as this input is worked off, each with when it came."""

    def __len__(self) -> int:
        return len(self.clients) + len(self.servers) + len(self.retries)

    def send_trying(self) -> None:
        """Send 100 for every INVITE that nothing was answered to meanwhile."""
        untried, self.untried = self.untried, []
        for transaction, now in untried:
            if transaction.silent:
                with suppress(LocalSipError, RemoteSipError):
                    transaction.respond(Response.build(transaction.request, 100), now)

    @property
    def dropped(self) -> int:
        """How much nothing came of."""
        return self.drops.total()

    def require_room(self) -> None:
        """Raises LocalSipError where so many requests of ours are under way that no new call or ping may begin.
        Requests of calls that stand are always let out, their number is bounded by that of the calls."""
        if len(self.clients) + len(self.retries) >= self._limit:
            eldest = self._eldest_client.next()
            if eldest is None:
                raise LocalSipError("too many requests wait for an answer")
            eldest.give_way()

    def client(self, request: Request, flow: Flow, user: ClientUser, others: Sequence[Flow] = ()) -> ClientTransaction:
        """A transaction for a request of ours that goes by this flow, not yet started. Where the request has an account
        it is signed with what is known of it, and a challenge is answered before the user hears of it; `others` are
        tried before he hears of a failure. With the flow NOWHERE the next hop of its dialog is located first."""
        if flow is NOWHERE:
            return self.unlocated(request, self.retries.dialogs.next_hop(request), user)
        transaction = ClientTransaction(self, request, flow, user, self._identity.of(flow).sent_by)
        if (account := request.account) is not None:
            self.retries.accounts.sign(request, account)
            transaction.attempts = Attempts(self.retries, account, None, others)
        elif others:
            transaction.attempts = Attempts(self.retries, None, None, others)
        self.clients[transaction.key] = transaction
        self.outbox.note_request(flow)
        return transaction

    def unlocated(self, request: Request, uri: SipUri, user: ClientUser) -> ClientTransaction:
        """The same for a request that goes to wherever `uri` is; its Via has nothing yet. `LocateWanted` is told."""
        if (account := request.account) is not None:
            self.retries.accounts.sign(request, account)
        transaction = ClientTransaction(self, request, NOWHERE, user, "")
        transaction.attempts = Attempts(self.retries, account, uri, ())
        return transaction

    def server(self, request: Request, key: ServerKey, flow: Flow) -> ServerTransaction:
        """A transaction for a request that no other was found for; `flow` is where responses go. Raises RemoteSipError:
        503 where the table is full, 482 for a request that came here before by another way (RFC 3261 8.2.2.2)."""
        outside = request.to_tag is None
        if len(self.servers) >= self._limit:
            self._make_room(outside=outside)
        merge_key: ServerKey | None = None
        if outside:
            cseq = request.cseq
            merge_key = (request.call_id, request.from_tag or "", str(cseq.number), cseq.method)
            if merge_key in self._merged:
                raise refuse(482, "the request came here by two ways")
        transaction = ServerTransaction(self, request, key, merge_key, flow)
        self.servers[key] = transaction
        self.outbox.note_use(flow)
        if merge_key is not None:
            self._merged[merge_key] = transaction
        return transaction

    def _make_room(self, *, outside: bool) -> None:
        """The oldest that has been answered, and only waits for repetitions, gives way. Raises RemoteSipError(503)
        where there is none; but calls that stand must be able to go on and to end when no new one may begin."""
        eldest = self._eldest_server.next()
        if eldest is not None:
            eldest.give_way()
        elif len(self.servers) >= (self._limit if outside else 2 * self._limit):
            raise refuse(503, "too many requests are being answered")

    def forget(self, key: ServerKey, merge_key: ServerKey | None) -> None:
        """Take out a server transaction that terminated."""
        self.servers.pop(key, None)
        if merge_key is not None:
            self._merged.pop(merge_key, None)

    def absorb(self, request: Request, key: ServerKey, now: float) -> bool:
        """True where the request belongs to a transaction that is there: repeated, or the ACK of one."""
        transaction = self.servers.get(key)
        if transaction is None or request.method == "CANCEL":
            return False
        if request.method == "ACK":
            if transaction.state is State.ACCEPTED and transaction.user is None:
                return False
            transaction.handle(Input.ACK, now, request)
        else:
            self.outbox.retransmissions["in", bounded(request.method), transaction.flow.transport] += 1
            transaction.handle(Input.REQUEST, now)
        return True

    def cancel(self, key: ServerKey) -> ServerTransaction | None:
        """The transaction that a CANCEL names, of whatever method (RFC 3261 9.2), or None."""
        found = self.servers.get(key)
        if found is None:
            others = (self.servers.get((*key[:-1], method)) for method in METHODS)
            found = next((each for each in others if each is not None), None)
        return found

    def refused_unconfirmed(self, prack: Request) -> bool:
        """Whether a PRACK confirms a provisional response to an INVITE that was refused meanwhile (RFC 3262 3). Raises
        RemoteSipError."""
        rack = rack_of(prack)
        found = self._merged.get((prack.call_id, prack.from_tag or "", str(rack.cseq), rack.method))
        return found is not None and found.unconfirmed == rack.rseq and found.to_tag == prack.to_tag

    def receive_response(self, response: Response, now: float) -> None:
        """Hand a response to the request it answers; one that is not ours is dropped. Raises RemoteSipError where it is
        malformed."""
        branch, sent = response.hop
        transaction = self.clients.get((branch, response.cseq.method))
        if transaction is None or sent.text != transaction.sent_by or not _single(response):
            # RFC 3261 8.1.3.3, 18.1.2: sent-by must be what we wrote, and no second Via may be under it.
            self.drops[UNMATCHED] += 1
            return
        response.to_tag  # noqa: B018  # raises before the state changes; without it no dialog can be told from another
        transaction.receive(response, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """A send on the flow failed, or its connection is lost: requests that wait there will not be answered. On UDP
        one that has a provisional response waits on, since the peer was there."""
        stream = flow.transport is not Transport.UDP
        flows = {flow, flow._replace(connection=0)} if stream else {flow}
        states = {State.CALLING, State.TRYING, State.PROCEEDING} if stream else {State.CALLING, State.TRYING}
        for transaction in [each for each in self.clients.values() if each.flow in flows and each.state in states]:
            transaction.handle(Input.TRANSPORT_ERROR, now)


def _single(response: Response) -> bool:
    """Whether there is one Via."""
    headers = response.headers
    return not (headers.repeats or "," in headers.first["Via"]) or len(response.vias) == 1
