"""What every usage of the stack works with, and the answers that need no transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2s
from itertools import count
from typing import TYPE_CHECKING, Final

from engine.ids import IdSource
from engine.sip.accounts import Accounts, AccountStore, NoAccounts
from engine.sip.attempts import Retries, RetryRules
from engine.sip.dialog import Dialogs
from engine.sip.eldest import Eldest
from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.event_state import ALLOW_EVENTS
from engine.sip.events import MessageId, ReferId, SessionId
from engine.sip.flow import Address, Flow, Transport
from engine.sip.guard_policy import GuardPolicy
from engine.sip.headers import parse_name_addr
from engine.sip.identity import ACCEPT, Identity, Reliable, offered, understood
from engine.sip.limits import RETRY_AFTER_S
from engine.sip.message import Request, Response
from engine.sip.names import refuse
from engine.sip.notifier import Notifier
from engine.sip.outbox import Outbox
from engine.sip.timers import TimerHeap, Timers
from engine.sip.transaction import ClientTransaction, ClientUser, ServerTransaction, ServerUser, server_key
from engine.sip.transactions import Transactions
from engine.sip.uri import SipUri

if TYPE_CHECKING:
    from engine.sip.admission import Admission
    from engine.sip.dialog import Dialog
    from engine.sip.instant_message import ReceivedMessage
    from engine.sip.refer import Referral
    from engine.sip.session import Session

    InDialog = Callable[[Session, Dialog, Request, Flow, float], None]
    """Serves a request within the dialog of a call. Raises RemoteSipError to refuse it."""

_DEFAULT_PORT: Final = 5060
_MIN_SE_S: Final = 90
"""What Min-SE is where it is not said (RFC 4028 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of the endpoint's tables. What comes beyond is answered 503 with Retry-After, without state; before that
    whatever only waits for repetitions, and calls of whom nobody knows whether he is there, give way (docs/bounds.md).
    """

    transactions: int = 50_000
    """Of each side. One call makes five, of which most stay 32 s. Requests within calls may double it."""
    sessions: int = 5_000
    bindings: int = 20_000
    bindings_per_user: int = 10
    """Past it the oldest gives way: a phone that lost its old contact must always come back in."""
    forks: int = 16
    """Early dialogs of one INVITE of ours."""
    messages: int = 1_000
    """MESSAGE whose sender waits for an answer; each does for 20 s at most."""
    subscriptions: int = 5_000
    subscriptions_per_user: int = 64
    """Lamps beside the keys of one phone, and some more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Settings of an endpoint."""

    realm: str
    """The digest realm. Phones keep their secret under it, so it must not change."""
    advertise: Callable[[Flow], Address]
    """The address that a peer on the flow can reach us at: goes into Via, Contact and From."""
    nonce_secret: bytes
    """Makes the stateless nonces and tags; new at every start is fine."""
    server_name: str = "Hearthline"
    """Server and User-Agent; with no version, and with nothing where empty."""
    pass_headers: tuple[str, ...] = ()
    """Further header fields of an INVITE that go along to the next leg (`carried`)."""
    timers: Timers = field(default_factory=Timers)
    min_expires_s: int = 30
    """Shortest registration; less is refused with 423."""
    max_expires_s: int = 3600
    default_expires_s: int = 300
    nat_expires_s: int = 0
    """Longest registration of a phone behind NAT on UDP, whose refreshes keep the way to it open; 0 for no bound."""
    service_route: str = ""
    """Service-Route of registrations (RFC 3608): the proxy that phones are to call through; empty for none."""
    flow_timer_udp_s: int = 30
    flow_timer_stream_s: int = 120
    """Flow-Timer (RFC 5626 4.4): within how many seconds we want to hear a phone that keeps its flow alive. Home
    routers forget an idle UDP flow after as little as 30 s."""
    nonce_ttl_s: float = 300.0
    digest_algorithms: tuple[str, ...] = ("SHA-256", "MD5")
    """Those that phones are offered, the preferred one first."""
    reliable: Reliable = Reliable.WHEN_REQUIRED
    session_expires_s: int = 1800
    """Interval of session timers that we ask for; 0 asks for none, and takes what peers ask for."""
    min_session_expires_s: int = 90
    """Shortest one that we take (RFC 4028 5: at least 90); less is refused with 422."""
    limits: Limits = field(default_factory=Limits)
    guard: GuardPolicy = field(default_factory=GuardPolicy)
    """How much is heard from whom."""
    retries: RetryRules = field(default_factory=RetryRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom to send a request outside of dialogs to: what to call it, and by which way."""

    uri: SipUri
    flow: Flow | None
    """None where it is to be located first: `LocateWanted` is told, and `Endpoint.located` answers."""
    others: tuple[Flow, ...] = ()
    """Where to try next, in order, when nobody answers by the flow or it says 503 (RFC 3263 4.3)."""
    routes: tuple[str, ...] = ()
    """Route header values, the nearest first: the Path of a binding (RFC 3327), a Service-Route (RFC 3608)."""
    account: str | None = None
    """Whose login answers 401 and 407 (`engine.sip.accounts`); None where nobody's does."""
    pinned: bool = False
    """The flow is the only way: a phone behind a home router, which cannot be reached by TCP where it registered by
    UDP. What is too long for a datagram is then sent in fragments."""

    @property
    def next_hop(self) -> SipUri:
        """What is to be located (RFC 3261 8.1.2). Raises RemoteSipError for a route that is no address."""
        return parse_name_addr(self.routes[0]).uri if self.routes else self.uri


class Stack:
    """The parts that usages share. Holds no policy; each part owns its own state."""

    __slots__ = (
        "_eldest_half_open",
        "abandoned",
        "admission",
        "allowance",
        "config",
        "dialogs",
        "feature_numbers",
        "features",
        "heap",
        "identity",
        "ids",
        "invite_fields",
        "messages",
        "notifier",
        "offered",
        "outbox",
        "referrals",
        "retries",
        "rings_reliably",
        "server",
        "session_numbers",
        "sessions",
        "transactions",
        "understood",
        "withheld",
    )

    def __init__(self, config: EndpointConfig, ids: IdSource, accounts: AccountStore | None = None) -> None:
        self.config = config
        self.ids = ids
        self.server = [("Server", config.server_name)] if config.server_name else []
        """The field of our answers that names us, or nothing."""
        self.invite_fields = invite_fields(config)
        """What each INVITE of ours says of extensions."""
        self.outbox = Outbox()
        self.heap = TimerHeap()
        self.identity = Identity(config.advertise)
        self.understood = understood(config.reliable)
        """Option tags that a peer may require."""
        self.rings_reliably = config.reliable in (Reliable.WHEN_SUPPORTED, Reliable.ALWAYS)
        self.offered = offered(config.reliable)
        """Supported of our own calls."""
        self.dialogs = Dialogs(self.identity, self.outbox, ids)
        self.retries = Retries(
            rules=config.retries,
            timers=config.timers,
            accounts=Accounts(accounts or NoAccounts(), ids),
            dialogs=self.dialogs,
            identity=self.identity,
            ids=ids,
            outbox=self.outbox,
        )
        self.transactions = Transactions(
            self.outbox, self.heap, self.identity, config.timers, config.limits.transactions, self.retries
        )
        self.sessions: dict[SessionId, Session] = {}
        self._eldest_half_open = Eldest(self.sessions, lambda each: each.half_open)
        self.session_numbers = count(1)
        self.admission: Admission | None = None
        """Who may ask what; set by the endpoint."""
        self.features: Mapping[str, InDialog] = {}
        """What is served within the dialog of a call beside the call itself, by method; set by the endpoint."""
        self.referrals: dict[ReferId, Referral] = {}
        """REFER of peers whose outcome is still to be told."""
        self.messages: dict[MessageId, ReceivedMessage] = {}
        """MESSAGE of peers that nobody has answered yet."""
        self.feature_numbers = count(1)
        self.notifier = Notifier(self)
        self.abandoned: Collection[str] = ()
        """Dialogs (`dialog_name`) of a process before this one, whose calls go on without it; set by the endpoint."""
        self.allowance: int | None = None
        """Octets that an answer without a transaction may have, where the request that is being worked off came from
        an address that may be forged; None where it may have as many as it wants."""
        self.withheld = 0
        """Answers that were not given because they would have been larger than that."""

    def client(self, request: Request, target: Target, user: ClientUser) -> ClientTransaction:
        """A transaction for a request outside of dialogs, made for this target by `engine.sip.request_out`; not yet
        started. Requests within a dialog go by `Transactions.client`. Raises LocalSipError where the target's route is
        no address."""
        request.account, request.pinned = target.account, target.pinned
        if target.flow is not None:
            return self.transactions.client(request, target.flow, user, target.others)
        try:
            return self.transactions.unlocated(request, target.next_hop, user)
        except RemoteSipError as error:
            raise LocalSipError(f"route {target.routes[0][:80]!r}: {error}") from None

    def admit(self, request: Request, flow: Flow, user: ServerUser | None) -> ServerTransaction:
        """A server transaction for a request that is being served. Raises RemoteSipError (503, 482) as
        `Transactions.server` does."""
        transaction = self.transactions.server(request, server_key(request), reply_flow(request, flow))
        transaction.user = user
        return transaction

    def admit_session(self, now: float) -> SessionId:
        """The number of a new session. Where there are too many the oldest half-open one gives way. Raises
        RemoteSipError(503) where there is none."""
        if len(self.sessions) >= self.config.limits.sessions:
            eldest = self._eldest_half_open.next()
            if eldest is None:
                raise refuse(503, "too many calls")
            eldest.give_way(now)
        return SessionId(next(self.session_numbers))

    def reply(
        self,
        request: Request,
        flow: Flow,
        status: int,
        *,
        headers: Sequence[tuple[str, str]] = (),
        to_tag: str | None = None,
    ) -> None:
        """Answer without a transaction (RFC 3261 8.2.7): a repeated request gets the same answer, made anew."""
        if request.method == "ACK":
            return
        fields = list(headers)
        if status == 503:
            fields.append(("Retry-After", str(RETRY_AFTER_S)))
        tag = to_tag or self._stateless_tag(request)
        response = Response.build(request, status, None, tag, fields)
        data = response.to_bytes()
        if self.allowance is not None and len(data) > self.allowance:
            # One challenge does, the one that every phone can answer; what else is in it is only good to know.
            response = Response.build(request, status, None, tag, [each for each in fields if _needed(each)][-1:])
            data = response.to_bytes()
            if len(data) > self.allowance:
                self.withheld += 1
                return
        self.outbox.send_response(reply_flow(request, flow), response, data, request.method)

    def random(self, below: int) -> int:
        """A number from 0 to below - 1, from the injected source."""
        return int(self.ids.token(), 36) % below

    def _stateless_tag(self, request: Request) -> str:
        # The same for every copy of the request, as 8.2.7 demands, and not to be guessed by others.
        seed = f"{request.headers.get('Via')}\n{request.headers.get('Call-ID')}\n{request.headers.get('From')}"
        return blake2s(seed.encode(errors="replace"), key=self.config.nonce_secret[:32], digest_size=8).hexdigest()


def _needed(field: tuple[str, str]) -> bool:
    return field[0] == "WWW-Authenticate"


def invite_fields(config: EndpointConfig) -> dict[str, str]:
    """Header fields by which an INVITE of ours offers and asks for extensions (RFC 3262 4, RFC 4028 7.1)."""
    fields = {"Supported": offered(config.reliable)}
    if config.reliable is Reliable.ALWAYS:
        fields["Require"] = "100rel"
    if config.session_expires_s:
        fields["Session-Expires"] = str(max(config.session_expires_s, config.min_session_expires_s))
        if config.min_session_expires_s > _MIN_SE_S:
            fields["Min-SE"] = str(config.min_session_expires_s)
    return fields


def capabilities(stack: Stack) -> list[tuple[str, str]]:
    """What an answer to OPTIONS says beside the methods (RFC 3261 11.2, RFC 6665 4.4.4)."""
    return [
        ("Accept", ACCEPT),
        ("Accept-Encoding", "identity"),
        ("Accept-Language", "en"),
        ("Allow-Events", ALLOW_EVENTS),
        ("Supported", stack.offered),
    ]


def reply_flow(request: Request, flow: Flow) -> Flow:
    """Where responses go: back on the connection; over UDP to the source address, at the source port where the peer
    asked for it by rport (RFC 3581 4), else at the port that its Via names (RFC 3261 18.2.2). `maddr` is passed over:
    nobody may make us send to a third party. To where it came from also when its Via cannot be read."""
    if flow.transport is not Transport.UDP:
        return flow
    try:
        _, sent = request.hop
    except RemoteSipError:
        return flow
    if sent.asks_rport:
        return flow
    port = _DEFAULT_PORT if sent.port is None else sent.port
    return flow if port == flow.remote.port else flow._replace(remote=Address(flow.remote.host, port))
