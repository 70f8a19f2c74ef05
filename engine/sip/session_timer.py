"""Session timers (RFC 4028): how long a session lasts without a refresh, who refreshes, and the end of one that nobody
did. The machine SESSION_TIMER of `usage_fsm`, run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from engine.sip.message import Request, Response
from engine.sip.refusal import Refusal
from engine.sip.session_headers import UAC, UAS, min_se_of, session_expires_of, supports_timer
from engine.sip.stack import EndpointConfig, Stack
from engine.sip.timers import Timer
from engine.sip.usage_fsm import SESSION_TIMER, TimerInput, TimerState

if TYPE_CHECKING:
    from engine.sip.session import Session

_EARLY_S: Final = 32.0
_REQUIRED_FLOOR_S: Final = 90
"""RFC 4028 5: no Min-SE is less, and one that says nothing means this."""
EXPIRED: Final = 'Q.850;cause=102;text="session expired"'
"""Reason of the BYE: recovery on timer expiry."""


class Terms(NamedTuple):
    """What a 2xx agrees to."""

    seconds: int
    ours: bool
    """We refresh."""


def check_fields(request: Request) -> None:
    """Read now what `terms_of_request` reads when the request is accepted, where no refusal is possible any more.
    Raises RemoteSipError(400)."""
    first = request.headers.first
    if "Supported" in first:
        _knows_timers(request)
    if "Min-SE" in first:
        min_se_of(request)
    if "Session-Expires" in first:
        session_expires_of(request)


def check_interval(request: Request, config: EndpointConfig) -> None:
    """Raises Refusal(422) for an interval that is too short for us, where the peer knows what that means
    (RFC 4028 9)."""
    wanted = session_expires_of(request)
    if wanted is None or wanted.seconds >= config.min_session_expires_s or not _knows_timers(request):
        return
    least = str(config.min_session_expires_s)
    raise Refusal(422, f"session interval of {wanted.seconds} s", (("Min-SE", least),))


def terms_of_request(request: Request, config: EndpointConfig) -> Terms | None:
    """What our 2xx agrees to; None for a session without an interval (RFC 4028 9, table 2)."""
    wanted = session_expires_of(request)
    knows = _knows_timers(request)
    if wanted is None and not (knows and config.session_expires_s):
        return None
    least = config.min_session_expires_s
    if "Min-SE" in request.headers.first:
        least = max(min_se_of(request) or 0, least)
    most = config.session_expires_s or (wanted.seconds if wanted else 0)
    seconds = max(least, most if wanted is None else min(wanted.seconds, most))
    if wanted is not None and not knows:
        # Whoever knows nothing of this cannot be told another interval by us; a proxy on the way asked for it.
        seconds = wanted.seconds
    # Where it is left open, the peer refreshes: it asked, and we have more calls than it has.
    refresher = (wanted.refresher if wanted else None) or UAC
    return Terms(seconds, refresher == UAS or not knows)


def _knows_timers(request: Request) -> bool:
    headers = request.headers
    if headers.repeats:
        return "timer" in request.supported
    text = headers.first.get("Supported")
    return text is not None and supports_timer(text)


def terms_of_response(response: Response) -> Terms | None:
    """What a 2xx to a request of ours agreed to. Raises RemoteSipError."""
    agreed = session_expires_of(response)
    # Without the parameter, which must be there, we refresh: twice does less harm than never.
    return None if agreed is None else Terms(agreed.seconds, agreed.refresher != UAS)


def success_fields(terms: Terms) -> list[tuple[str, str]]:
    """Header fields of our 2xx. A peer that must refresh is told to know how (RFC 4028 9)."""
    if terms.ours:
        return [("Session-Expires", f"{terms.seconds};refresher={UAS}")]
    return [("Session-Expires", f"{terms.seconds};refresher={UAC}"), ("Require", "timer")]


class SessionTimer:
    """The one deadline of a session that an interval was agreed for."""

    __slots__ = ("_session", "_stack", "_timer", "min_se", "state", "terms")

    def __init__(self, stack: Stack, session: Session) -> None:
        self._stack = stack
        self._session = session
        self.state = TimerState.OFF
        self.terms: Terms | None = None
        self.min_se = 0
        """What a 422 told us, 0 where none did."""
        self._timer: Timer | None = None

    def agree(self, terms: Terms | None, now: float) -> None:
        """A 2xx came or went out that says how it is from now on."""
        self.terms = terms
        if terms is None:
            self.handle(TimerInput.AGREED_NONE, now)
        else:
            self.handle(TimerInput.AGREED_OURS if terms.ours else TimerInput.AGREED_THEIRS, now)

    def close(self, now: float) -> None:
        """The session ends."""
        self.handle(TimerInput.CLOSE, now)

    def raise_interval(self, least: int) -> None:
        """The peer, or who is in between, wants a longer interval (422)."""
        self.min_se = max(self.min_se, least)
        if self.terms is not None:
            self.terms = self.terms._replace(seconds=max(self.terms.seconds, least))

    def request_fields(self) -> list[tuple[str, str]]:
        """Header fields of a re-INVITE or UPDATE of ours, which refreshes too: the interval and the refresher stay
        (RFC 4028 7.4)."""
        terms = self.terms
        if terms is None:
            return []
        fields = [("Session-Expires", f"{terms.seconds};refresher={UAC if terms.ours else UAS}")]
        return [*fields, *min_se_fields(max(self.min_se, self._stack.config.min_session_expires_s))]

    def handle(self, what: TimerInput, now: float) -> None:
        """Feed an input to the machine; drops what its state does not name."""
        transition = SESSION_TIMER.get((self.state, what))
        if transition is None:
            return
        self.state = transition.to
        for effect in transition.effects:
            getattr(self, effect)(now)

    def timer_rang(self, what: str, now: float) -> None:
        self._timer = None
        self.handle(TimerInput(what), now)

    # Effects.

    def start_half(self, now: float) -> None:
        assert self.terms is not None, "an interval was agreed"
        self._start(TimerInput.HALF, now + self.terms.seconds / 2)

    def start_end(self, now: float) -> None:
        assert self.terms is not None, "an interval was agreed"
        seconds = self.terms.seconds
        passed = seconds / 2 if self.state is TimerState.ASKING else 0.0
        self._start(TimerInput.END, now + seconds - passed - min(_EARLY_S, seconds / 3))

    def stop_timer(self, now: float) -> None:
        self._stack.heap.cancel(self._timer)
        self._timer = None

    def refresh(self, now: float) -> None:
        self._session.refresh(now)

    def expire(self, now: float) -> None:
        self._session.expired(now)

    def _start(self, what: TimerInput, deadline: float) -> None:
        if self._timer is not None:
            self._stack.heap.cancel(self._timer)
        # Half a second more or less matters to nobody, so that sessions share their wake-ups.
        self._timer = self._stack.heap.start_late(deadline, self, what)


def min_se_fields(least: int) -> list[tuple[str, str]]:
    """Min-SE, which is said where it is more than what everybody takes for granted (RFC 4028 5)."""
    return [("Min-SE", str(least))] if least > _REQUIRED_FLOOR_S else []
