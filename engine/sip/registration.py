"""A registration of ours at somebody else's registrar: a provider is told where to send our calls (RFC 3261 10.2).

    state       what is so
    trying      a REGISTER is under way; the registrar does not know us
    up          the registrar knows us until `valid_until`; a timer refreshes it long before
    refreshing  as up, and a REGISTER is under way
    waiting     the registrar does not know us; a timer tries again
    leaving     a REGISTER that takes everything back is under way
    gone        nothing more happens

A refusal says that we are not wanted as we are; no answer and 5xx say nothing about that, so a registration that still
holds stays up and is tried again until it runs out. Between tries the delay grows, at random, so that not all clients
of a registrar that comes back are there in the same second (RFC 5626 4.5). Challenges, several servers and their
failures are seen to by `engine.sip.attempts`; here only the outcome counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from engine.sip.attempts import retry_after_of
from engine.sip.errors import RemoteSipError
from engine.sip.events import RegistrationDown, RegistrationUp
from engine.sip.flow import Flow, Transport
from engine.sip.headers import NameAddr, parse_name_addr
from engine.sip.keep_alive import KeepAlives
from engine.sip.limits import MAX_BRIEF, MAX_GRANTED_S, MAX_ROUTES, MIN_FLOW_TIMER_S, MIN_GRANTED_S
from engine.sip.message import Response
from engine.sip.names import REASONS
from engine.sip.request_out import register_request
from engine.sip.stack import Stack, Target
from engine.sip.timers import Timer
from engine.sip.transaction import ClientTransaction
from engine.sip.uri import SipUri
from engine.sip.visible import visible

BASE_DELAY_S: Final = 30.0
MOST_DELAY_S: Final = 1800.0
"""RFC 5626 4.5: the bound of the first delay, which doubles, and of all."""
_NO_OUTBOUND: Final = 439
"""First Hop Lacks Outbound Support (RFC 5626 6): asked without, the registrar takes us as it takes others."""
_SOON_S: Final = 1.0
"""Until a registration is renewed whose connection was lost; at random up to so much."""
_DIGITS: Final = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What to register, and where."""

    registrar: SipUri
    """The domain, without a user part: the Request-URI."""
    user: str
    """The user part of the address that is registered."""
    domain: str = ""
    """Its host part; empty: the registrar's."""
    flow: Flow | None = None
    """None where the registrar is to be located (`LocateWanted`)."""
    others: tuple[Flow, ...] = ()
    """Flows to try after that one."""
    routes: tuple[str, ...] = ()
    """Route header values: an outbound proxy."""
    account: str | None = None
    """Whose login answers challenges."""
    contact_user: str = ""
    """User part of our Contact; empty: made up, so that nobody else can know it, and a call to it is known to be the
    provider's from wherever it comes."""
    expires_s: int = 300
    """What is asked for; the registrar decides."""
    instance: str = ""
    """A URN ("urn:uuid:...") that stays the same over restarts: asks for outbound (RFC 5626), so that a registration
    takes the place of the one before a restart, and its flow is kept alive. Empty: does not."""


class State(StrEnum):
    TRYING = "trying"
    UP = "up"
    REFRESHING = "refreshing"
    WAITING = "waiting"
    LEAVING = "leaving"
    GONE = "gone"


class Input(StrEnum):
    GRANTED = "granted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"
    """No answer, no way, or 5xx, while what was granted still holds; otherwise it counts as refused."""
    TIMER = "timer"
    LOST = "connection lost"
    LEAVE = "leave"


class Step(NamedTuple):
    to: State
    effects: tuple[str, ...] = ()


TABLE: Final[dict[tuple[State, Input], Step]] = {
    (State.TRYING, Input.GRANTED): Step(State.UP, ("tell_up", "arm_refresh", "keep_flow")),
    (State.TRYING, Input.REFUSED): Step(State.WAITING, ("tell_down", "back_off")),
    (State.TRYING, Input.LEAVE): Step(State.LEAVING, ("withdraw", "send_leave")),
    (State.UP, Input.TIMER): Step(State.REFRESHING, ("send",)),
    (State.UP, Input.LOST): Step(State.UP, ("arm_soon",)),
    (State.UP, Input.LEAVE): Step(State.LEAVING, ("let_flow_go", "send_leave")),
    (State.REFRESHING, Input.GRANTED): Step(State.UP, ("tell_up", "arm_refresh", "keep_flow")),
    (State.REFRESHING, Input.UNANSWERED): Step(State.UP, ("back_off",)),
    (State.REFRESHING, Input.REFUSED): Step(State.WAITING, ("tell_down", "let_flow_go", "back_off")),
    (State.REFRESHING, Input.LEAVE): Step(State.LEAVING, ("withdraw", "let_flow_go", "send_leave")),
    (State.WAITING, Input.TIMER): Step(State.TRYING, ("send",)),
    (State.WAITING, Input.LEAVE): Step(State.GONE, ("tell_left",)),
    (State.LEAVING, Input.GRANTED): Step(State.GONE, ("tell_left",)),
    (State.LEAVING, Input.REFUSED): Step(State.GONE, ("tell_left",)),
}
"""What is absent changes nothing."""


class Registering:
    """One registration, from `start` until it is gone. The user of its REGISTER."""

    __slots__ = (
        "_asked_s",
        "_brief",
        "_call_id",
        "_failures",
        "_flow_timer_s",
        "_keep_alives",
        "_kept",
        "_left",
        "_number",
        "_outbound",
        "_retry_after_s",
        "_stack",
        "_status",
        "_timer",
        "_told",
        "_transaction",
        "_valid_until",
        "contact_user",
        "name",
        "routes",
        "state",
        "wanted",
    )

    def __init__(
        self,
        stack: Stack,
        keep_alives: KeepAlives,
        name: str,
        wanted: Registration,
        left: Callable[[Registering], None],
    ) -> None:
        """`left` is called when it is gone."""
        self._stack = stack
        self._keep_alives = keep_alives
        self._outbound = bool(wanted.instance)
        """Whether we ask for outbound; not any more where a proxy on the way cannot do it."""
        self._flow_timer_s: int | None = None
        """How often the registrar wants to hear our flow; 0 leaves it to us, None promises nothing."""
        self._kept: tuple[Flow, int] | None = None
        """The flow that is kept alive, and how often."""
        self._left = left
        self.name = name
        self.wanted = wanted
        self.state = State.TRYING
        self.contact_user = wanted.contact_user or stack.ids.token()
        self.routes: tuple[str, ...] = ()
        """Service-Route (RFC 3608): Route header values for requests by this registration."""
        self._call_id = stack.ids.token()
        self._number = 0
        """CSeq number of the last REGISTER: under one Call-ID they rise (RFC 3261 10.2)."""
        self._asked_s = max(MIN_GRANTED_S, wanted.expires_s)
        self._transaction: ClientTransaction | None = None
        self._timer: Timer | None = None
        self._valid_until = 0.0
        self._failures = 0
        self._brief = 0
        self._retry_after_s = 0
        self._status: tuple[int, str] = 0, ""
        """The last outcome."""
        self._told: object = None
        """What was told last: news is told once."""

    def start(self, now: float) -> None:
        """Send the first REGISTER. Raises LocalSipError for what cannot be written."""
        self.send(now)

    def leave(self, now: float) -> None:
        """Take it back; RegistrationDown follows."""
        self._step(Input.LEAVE, now)

    def hurry(self, now: float) -> None:
        """Try now, where the next try is waited for."""
        if self.state is State.WAITING:
            self._failures = 0
            self._stack.heap.cancel(self._timer)
            self._step(Input.TIMER, now)

    def flow_lost(self, flow: Flow, now: float) -> None:
        """A connection is gone; if it was the registrar's, calls come only after another REGISTER (RFC 5626 4.2)."""
        transaction = self._transaction
        if transaction is None:
            return
        way = transaction.flow
        if (way.transport, way.remote) == (flow.transport, flow.remote):
            self._step(Input.LOST, now)

    # --- the transaction user ---

    def response_received(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if transaction is not self._transaction or response.status < 200:
            return
        self._number = transaction.number
        self._status = response.status, visible(response.reason)
        self._retry_after_s = retry_after_of(response)
        if response.status == 423 and self._longer(response):
            self.send(now)
        elif response.status == _NO_OUTBOUND and self._outbound:
            self._outbound = False
            self._register(0 if self.state is State.LEAVING else self._asked_s, now)
        elif response.status >= 500:
            self._unanswered(now)
        elif response.status >= 300 or (self.state is not State.LEAVING and not self._take_grant(response, now)):
            self._step(Input.REFUSED, now)
        else:
            self._step(Input.GRANTED, now)

    def request_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._no_answer(transaction, 408, now)

    def request_failed(self, transaction: ClientTransaction, now: float) -> None:
        self._no_answer(transaction, 503, now)

    def timer_rang(self, what: str, now: float) -> None:
        self._step(Input.TIMER, now)

    # --- inner ---

    def _step(self, what: Input, now: float) -> None:
        step = TABLE.get((self.state, what))
        if step is None:
            return
        self.state = step.to
        if step.to in (State.LEAVING, State.GONE):
            self._stack.heap.cancel(self._timer)
        for effect in step.effects:
            getattr(self, effect)(now)

    def _no_answer(self, transaction: ClientTransaction, status: int, now: float) -> None:
        if transaction is self._transaction:
            self._number = transaction.number
            self._status, self._retry_after_s = (status, REASONS[status]), 0
            self._unanswered(now)

    def _unanswered(self, now: float) -> None:
        holds = self.state is State.REFRESHING and now < self._valid_until
        self._step(Input.UNANSWERED if holds else Input.REFUSED, now)

    def _longer(self, response: Response) -> bool:
        """423: ask for what the registrar grants at least (RFC 3261 10.2.8)."""
        try:
            least = response.min_expires
        except RemoteSipError:
            least = None
        self._brief += 1
        if self.state is State.LEAVING or least is None or self._brief > MAX_BRIEF:
            return False
        self._asked_s = min(max(self._asked_s + 1, least), MAX_GRANTED_S)
        return True

    def _take_grant(self, response: Response, now: float) -> bool:
        """Note what a 2xx grants; False where it does not name us."""
        try:
            granted = self._granted(response)
        except RemoteSipError:
            return False
        if granted <= 0:
            return False
        granted = min(max(granted, MIN_GRANTED_S), MAX_GRANTED_S)
        self._valid_until = now + granted
        self._failures = self._brief = 0
        self.routes = _service_routes(response)
        self._flow_timer_s = _flow_timer(response)
        return True

    def _granted(self, response: Response) -> int:
        """RFC 3261 10.2.4: the expires of our own Contact, else Expires, else what was asked for. Registrars that send
        back no Contact at all are taken at their word."""
        contacts = response.contacts
        ours: NameAddr | None = next((each for each in contacts if each.uri.user == self.contact_user), None)
        if ours is None and contacts:
            return 0
        named = None if ours is None else ours.expires
        common = response.expires
        return named if named is not None else common if common is not None else self._asked_s

    # --- effects ---

    def send(self, now: float) -> None:
        self._register(self._asked_s, now)

    def send_leave(self, now: float) -> None:
        self._register(0, now)

    def withdraw(self, now: float) -> None:
        """What is under way comes to nothing."""
        if self._transaction is not None:
            self._number = self._transaction.number
            self._transaction.abandon(now)

    def _register(self, expires: int, now: float) -> None:
        self._number += 1
        wanted = self.wanted
        target = Target(
            uri=wanted.registrar,
            flow=wanted.flow,
            others=wanted.others,
            routes=wanted.routes,
            account=wanted.account,
        )
        request = register_request(
            self._stack,
            target,
            address=SipUri(
                scheme=wanted.registrar.scheme, user=wanted.user, host=wanted.domain or wanted.registrar.host
            ),
            contact_user=self.contact_user,
            instance=wanted.instance if self._outbound else "",
            call_id=self._call_id,
            number=self._number,
            expires=expires,
        )
        self._transaction = self._stack.client(request, target, self)
        self._transaction.start(now)

    def arm_refresh(self, now: float) -> None:
        """Between three quarters and nine tenths of what was granted: a lost REGISTER leaves time for another."""
        share = 0.75 + 0.15 * self._stack.random(1000) / 1000
        self._arm((self._valid_until - now) * share, now)

    def arm_soon(self, now: float) -> None:
        self._arm(_SOON_S * self._stack.random(1000) / 1000, now)

    def keep_flow(self, now: float) -> None:
        """Keep the way alive by which we registered, where the registrar promises to answer: our calls come by it."""
        transaction, every_s = self._transaction, self._flow_timer_s
        wanted = None if transaction is None or every_s is None else (transaction.flow, every_s)
        if wanted == self._kept:
            return
        self.let_flow_go(now)
        if wanted is not None:
            self._kept = wanted
            self._keep_alives.keep(wanted[0], now, every_s=wanted[1] or None, failed=self._flow_failed)

    def let_flow_go(self, now: float) -> None:
        kept, self._kept = self._kept, None
        if kept is not None and kept[0].transport is Transport.UDP:
            self._keep_alives.release(kept[0])

    def _flow_failed(self, flow: Flow, now: float) -> None:
        """Nobody answers there any more, or a NAT has forgotten us: register anew (RFC 5626 4.4)."""
        self._kept = None
        self._step(Input.LOST, now)

    def back_off(self, now: float) -> None:
        """RFC 5626 4.5: from half of the bound up to it, which doubles with each failure. Not before Retry-After, and
        while a registration holds not after its end."""
        bound = min(MOST_DELAY_S, BASE_DELAY_S * 2 ** min(self._failures, 10))
        self._failures += 1
        delay = bound * (0.5 + self._stack.random(501) / 1000)
        if self.state is State.UP:
            delay = min(delay, max(1.0, self._valid_until - now))
        self._arm(max(delay, self._retry_after_s), now)

    def _arm(self, delay: float, now: float) -> None:
        self._stack.heap.cancel(self._timer)
        self._timer = self._stack.heap.start(now + delay, self, "register")

    def tell_up(self, now: float) -> None:
        transaction = self._transaction
        answers = self._flow_timer_s is not None
        if transaction is None or self._told == (self.routes, answers):
            return
        self._told = self.routes, answers
        self._stack.outbox.events.append(
            RegistrationUp(
                name=self.name,
                expires_s=round(self._valid_until - now),
                flow=transaction.flow,
                service_routes=self.routes,
                answers=answers,
            )
        )

    def tell_down(self, now: float) -> None:
        if self._told == self._status:
            return
        self._told = self._status
        status, reason = self._status
        self._stack.outbox.events.append(RegistrationDown(name=self.name, status=status, reason=reason))

    def tell_left(self, now: float) -> None:
        self._stack.outbox.events.append(RegistrationDown(name=self.name, status=None, reason="unregistered"))
        self._left(self)


def _flow_timer(response: Response) -> int | None:
    """RFC 5626 4.4: a registrar that names an interval, or requires outbound, answers keep-alives."""
    text = response.headers.first.get("Flow-Timer")
    if text is not None and text.isdecimal() and text.isascii() and 0 < len(text) < _DIGITS:
        return max(MIN_FLOW_TIMER_S, int(text))
    return 0 if "outbound" in response.headers.values("Require") else None


def _service_routes(response: Response) -> tuple[str, ...]:
    """RFC 3608 6.1: the values in their order; one that cannot be read spoils all."""
    try:
        routes = response.headers.values("Service-Route")[:MAX_ROUTES]
        for route in routes:
            parse_name_addr(route)
    except RemoteSipError:
        return ()
    return tuple(routes)
