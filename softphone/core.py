"""The phone's decisions: what to do with each wish, each event of the SIP stack and each deadline.

One thread owns a `Core` and calls `intend`, `happened` and `tick` with the time; nothing in here waits, reads a clock
or touches a socket, so a test can play a day in a second. One call at a time: a second caller is told 486. A phone that
registers takes calls from its server's host only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Protocol

from softphone.audio.meter import SILENCE_DBFS
from softphone.audio.sound import AudioReport
from softphone.errors import BackendError, CommandError, SoftphoneError
from softphone.model import acts
from softphone.model.intents import Dial, Intent, SendDigits, Verb
from softphone.model.state import CallPhase, CallView, Direction, Event, PhoneState, reduce
from softphone.registration import RegistrationKeeper
from softphone.report import Emit, Report, Value
from softphone.sip import events
from softphone.sip.backend import Backend
from softphone.sip.events import BackendEvent, MediaState

QUIT_S: Final = 3.0
"""BYE and unregistration have this long to be confirmed before the phone leaves anyway."""
QUALITY_S: Final = 5.0
"""RTCP reports come about as often (RFC 3550, section 6.2)."""
HOLD_ATTEMPTS: Final = 3
SAME_FAULT_S: Final = 10.0
"""A fault that repeats with every audio frame is told this often."""

FORBIDDEN: Final = 403
BUSY_HERE: Final = 486
DECLINE: Final = 603
TEMPORARILY_UNAVAILABLE: Final = 480

_TALK: Final = frozenset({CallPhase.TALKING})
_WAITING: Final = frozenset({CallPhase.INCOMING})
_LIVE: Final = frozenset(CallPhase) - {CallPhase.ENDING}
_NO_CALL: Final[frozenset[CallPhase | None]] = frozenset({None})
ALLOWED: Final[dict[str, frozenset[CallPhase | None] | frozenset[CallPhase]]] = {
    "answer": _WAITING,
    "reject": _WAITING,
    "hangup": _LIVE,
    "mute": _LIVE,
    "unmute": _LIVE,
    "hold": _TALK,
    "resume": _TALK,
    "dtmf": _TALK,
    "dial": _NO_CALL,
}
"""Command -> phases of the call in which it makes sense; a command that is absent always does."""


class SoundControl(Protocol):
    """What the core asks of `softphone.audio.sound.Sound`."""

    def mute(self, muted: bool) -> None: ...
    def call_began(self) -> None: ...
    def call_ended(self) -> None: ...
    def report(self) -> AudioReport: ...
    def service(self, now: float) -> list[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How this phone behaves by itself."""

    register: bool
    """Whether there is a server to register with; wanted from the start."""
    auto_answer_s: float | None
    """Seconds after which a call is answered by itself; None: by hand."""
    report_s: float
    """Seconds between level reports."""


class Core:
    """The phone without its wires."""

    def __init__(
        self, *, backend: Backend, sound: SoundControl, emit: Emit, policy: Policy, random: Callable[[], float]
    ) -> None:
        """`random` gives numbers in [0, 1); it spreads retries."""
        self._backend = backend
        self._sound = sound
        self._emit = emit
        self._policy = policy
        self._random = random
        self._state = PhoneState()
        self._keeper = RegistrationKeeper(
            backend=backend,
            possible=policy.register,
            state=lambda: self._state,
            apply=self._apply,
            emit=emit,
            random=random,
        )
        self._answer_at: float | None = None
        self._hold_at: tuple[float, bool] | None = None
        self._hold_attempts = 0
        self._level_at = self._quality_at = 0.0
        self._talking_since: float | None = None
        self._quit_by: float | None = None
        self._leave_now = False
        self._last_fault = ("", 0.0)

    @property
    def state(self) -> PhoneState:
        """What a window would show."""
        return self._state

    def finished(self, now: float) -> bool:
        """Say whether the phone may be switched off: asked to, and everything said goodbye to or out of time."""
        if self._leave_now:
            return True
        if self._quit_by is None:
            return False
        return (self._state.call is None and self._keeper.gone) or now >= self._quit_by

    def start(self, now: float) -> None:
        """Register, if there is a server."""
        if self._policy.register:
            self._keeper.register(now)

    # ---- wishes

    def intend(self, intent: Intent, now: float) -> None:
        """Carry out a wish; what cannot be done becomes an error report."""
        try:
            self._check(intent)
            self._do(intent, now)
        except SoftphoneError as error:
            self.complain(error)

    def complain(self, error: SoftphoneError) -> None:
        """Report an error."""
        self._emit(Report("error", {"code": error.code, "message": str(error)}))

    def _check(self, intent: Intent) -> None:
        word = _word(intent)
        if self._quit_by is not None and intent is not Verb.QUIT:
            raise CommandError(f"{word}: the phone is about to end")
        phase = None if self._state.call is None else self._state.call.phase
        if phase not in ALLOWED.get(word, {phase}):
            possible = ", ".join([name for name, phases in ALLOWED.items() if phase in phases] + ["status", "quit"])
            raise CommandError(f"{word}: the call is {phase or 'not there'}; possible now: {possible}")

    def _do(self, intent: Intent, now: float) -> None:
        match intent:
            case Dial(uri=uri):
                self._apply(acts.Dialled(call=self._backend.dial(uri), uri=uri))
                self._emit(Report("dialling", {"call": self._call().call, "uri": uri}))
            case SendDigits(digits=digits):
                if self._call().media is not MediaState.ACTIVE:
                    raise CommandError("dtmf: the call is on hold")
                self._backend.send_digits(self._call().call, digits)
            case Verb.REGISTER:
                self._keeper.register(now)
            case Verb.QUIT:
                self._quit(now)
            case _:
                _VERBS[intent](self)

    def _answer(self) -> None:
        self._answer_at = None
        self._backend.answer(self._call().call)
        self._apply(acts.AnswerSent())

    def _reject(self) -> None:
        self._end(DECLINE)

    def _hang_up(self) -> None:
        self._end(DECLINE if self._call().phase is CallPhase.INCOMING else 0)

    def _end(self, code: int) -> None:
        self._answer_at = None
        self._hold_at = None
        number = self._call().call
        self._apply(acts.EndSent())
        self._backend.hangup(number, code)

    def _mute(self, muted: bool) -> None:
        self._sound.mute(muted)
        self._apply(acts.MuteSet(muted=muted))
        self._emit(Report("muted" if muted else "unmuted", {"call": self._call().call}))

    def _hold(self, hold: bool) -> None:
        self._hold_at = None
        self._hold_attempts = 1
        self._ask_hold(hold)

    def _ask_hold(self, hold: bool) -> None:
        number = self._call().call
        if hold:
            self._backend.hold(number)
        else:
            self._backend.resume(number)
        self._apply(acts.HoldAsked(hold=hold))

    def _status(self) -> None:
        fields: dict[str, Value] = {"registration": dict(asdict(self._state.registration))}
        fields["call"] = None if self._state.call is None else dict(asdict(self._state.call))
        self._emit(Report("status", fields))

    def _quit(self, now: float) -> None:
        if self._quit_by is not None:
            self._leave_now = True
            return
        self._quit_by = now + QUIT_S
        for step in (self._quit_call, self._keeper.unregister):
            try:
                step()
            except SoftphoneError as error:
                self.complain(error)

    def _quit_call(self) -> None:
        if self._state.call is not None and self._state.call.phase is not CallPhase.ENDING:
            self._end(TEMPORARILY_UNAVAILABLE if self._call().phase is CallPhase.INCOMING else 0)

    # ---- events

    def happened(self, event: BackendEvent, now: float) -> None:
        """Take one event of the SIP stack."""
        before = self._state
        self._apply(event)
        try:
            _EVENTS[type(event)](self, event, before, now)
        except SoftphoneError as error:
            self.complain(error)

    def _registered(self, event: events.Registered, before: PhoneState, now: float) -> None:
        self._keeper.registered(event, before.registration, now)

    def _unregistered(self, event: events.Unregistered, before: PhoneState, now: float) -> None:
        del event, before
        self._keeper.unregistered(now)

    def _registration_failed(self, event: events.RegistrationFailed, before: PhoneState, now: float) -> None:
        del before
        self._keeper.failed(event, now)

    def _connection_lost(self, event: events.ConnectionLost, before: PhoneState, now: float) -> None:
        del before
        self._keeper.connection_lost(event, now)

    def _incoming(self, event: events.IncomingCall, before: PhoneState, now: float) -> None:
        code = self._refusal(event, before)
        if code is not None:
            self._state = before
            self._backend.hangup(event.call, code)
            self._emit(Report("refused", {"call": event.call, "from": event.uri, "code": code}))
            return
        self._backend.ring(event.call)
        self._emit(Report("incoming", {"call": event.call, "from": event.uri, "display": event.display}))
        if self._policy.auto_answer_s is not None:
            self._answer_at = now + self._policy.auto_answer_s

    def _refusal(self, event: events.IncomingCall, before: PhoneState) -> int | None:
        if self._policy.register and not event.trusted:
            return FORBIDDEN  # scanners call every phone that they find, and auto-answer would open the microphone
        if before.call is not None:
            return BUSY_HERE
        return None if self._quit_by is None else TEMPORARILY_UNAVAILABLE

    def _progress(self, event: events.Progress, before: PhoneState, now: float) -> None:
        del now
        if self._is_current(event, before):
            self._emit(Report("ringing", {"call": event.call, "code": event.code, "reason": event.reason}))

    def _confirmed(self, event: events.Confirmed, before: PhoneState, now: float) -> None:
        if not self._is_current(event, before) or self._call().phase is not CallPhase.TALKING:
            return
        self._talking_since = now
        self._level_at = now + self._policy.report_s
        self._quality_at = now + QUALITY_S
        self._emit(Report("answered", {"call": event.call, "codec": self._call().codec}))

    def _media_changed(self, event: events.MediaChanged, before: PhoneState, now: float) -> None:
        del now
        if not self._is_current(event, before) or before.call is None:
            return
        was = before.call.media
        if was is MediaState.NONE and event.state is not MediaState.NONE:
            self._sound.call_began()
        holds = (MediaState.LOCAL_HOLD, MediaState.REMOTE_HOLD)
        if event.state in holds and event.state is not was:
            by = "local" if event.state is MediaState.LOCAL_HOLD else "remote"
            self._emit(Report("held", {"call": event.call, "by": by}))
        elif event.state is MediaState.ACTIVE and was in holds:
            self._emit(Report("resumed", {"call": event.call, "codec": event.codec}))
        elif event.state is MediaState.NONE and self._call().phase is not CallPhase.ENDING:
            self._emit(Report("error", {"code": "no_media", "message": f"call {event.call} has no audio"}))

    def _update_refused(self, event: events.UpdateRefused, before: PhoneState, now: float) -> None:
        if not self._is_current(event, before) or before.call is None:
            return
        wanted = before.call.hold_wanted
        if event.code == 491 and self._hold_attempts < HOLD_ATTEMPTS:
            # RFC 3261, section 14.1: the side that made the call waits 2.1 to 4 s, the other up to 2 s.
            first, span = (2.1, 1.9) if before.call.direction is Direction.OUTGOING else (0.0, 2.0)
            self._hold_at = (now + first + span * self._random(), wanted)
            return
        what = "hold" if wanted else "resume"
        self.complain(BackendError(f"{what}: the other side refused ({event.code} {event.reason})"))

    def _digit(self, event: events.DigitReceived, before: PhoneState, now: float) -> None:
        del now
        if self._is_current(event, before):
            self._emit(Report("dtmf", {"call": event.call, "digit": event.digit}))

    def _ended(self, event: events.CallEnded, before: PhoneState, now: float) -> None:
        if before.call is None or before.call.call != event.call:
            return
        seconds = 0.0 if self._talking_since is None else round(now - self._talking_since, 1)
        self._talking_since = None
        self._answer_at = None
        self._hold_at = None
        self._sound.call_ended()
        fields: dict[str, Value] = {"call": event.call, "code": event.code, "reason": event.reason}
        self._emit(Report("ended", {**fields, "seconds": seconds}))

    def _fault(self, event: events.Fault, before: PhoneState, now: float) -> None:
        del before
        message, told_at = self._last_fault
        if event.message != message or now - told_at >= SAME_FAULT_S:
            self._last_fault = (event.message, now)
            self.complain(BackendError(event.message))

    # ---- deadlines

    def tick(self, now: float) -> None:
        """Do what has become due; call it often."""
        try:
            self._due(now)
        except SoftphoneError as error:
            self.complain(error)
        for problem in self._sound.service(now):
            self._emit(Report("error", {"code": "audio", "message": problem}))

    def _due(self, now: float) -> None:
        self._keeper.tick(now)
        if self._answer_at is not None and now >= self._answer_at:
            self._answer()
        if self._hold_at is not None and now >= self._hold_at[0]:
            wanted = self._hold_at[1]
            self._hold_at = None
            self._hold_attempts += 1
            self._ask_hold(wanted)
        if self._state.call is not None and self._talking_since is not None:
            self._report(self._state.call, now)

    def _report(self, call: CallView, now: float) -> None:
        if now >= self._level_at:
            self._level_at = now + self._policy.report_s
            levels = self._sound.report()
            if call.media is not MediaState.ACTIVE:
                levels = replace(levels, tx_dbfs=SILENCE_DBFS)  # the voice goes on, but nobody is sent it
            self._emit(Report("level", {"call": call.call, **asdict(levels)}))
        if now >= self._quality_at:
            self._quality_at = now + QUALITY_S
            quality = self._backend.quality(call.call)
            if quality is not None:
                self._emit(Report("quality", {"call": call.call, **_quality_fields(quality)}))

    def _apply(self, event: Event) -> None:
        self._state = reduce(self._state, event)

    def _call(self) -> CallView:
        if self._state.call is None:
            raise CommandError("there is no call")
        return self._state.call

    @staticmethod
    def _is_current(event: Any, before: PhoneState) -> bool:
        return before.call is not None and before.call.call == event.call


def _word(intent: Intent) -> str:
    match intent:
        case Dial():
            return "dial"
        case SendDigits():
            return "dtmf"
        case verb:
            return str(verb)


def _quality_fields(quality: events.Quality) -> dict[str, Value]:
    return {
        "loss_percent": round(quality.loss_percent, 2),
        "jitter_ms": round(quality.jitter_ms, 1),
        "rtt_ms": None if quality.rtt_ms is None else round(quality.rtt_ms, 1),
        "received": quality.received,
        "lost": quality.lost,
        "remote_lost": quality.remote_lost,
    }


# Register and quit need the time and are seen to in `_do`.
_VERBS: Final[dict[Verb, Callable[[Core], None]]] = {
    Verb.ANSWER: Core._answer,
    Verb.REJECT: Core._reject,
    Verb.HANGUP: Core._hang_up,
    Verb.MUTE: lambda core: core._mute(True),
    Verb.UNMUTE: lambda core: core._mute(False),
    Verb.HOLD: lambda core: core._hold(True),
    Verb.RESUME: lambda core: core._hold(False),
    Verb.UNREGISTER: lambda core: core._keeper.unregister(),
    Verb.STATUS: Core._status,
}

_EVENTS: Final[dict[type, Callable[[Core, Any, PhoneState, float], None]]] = {
    events.Registered: Core._registered,
    events.Unregistered: Core._unregistered,
    events.RegistrationFailed: Core._registration_failed,
    events.ConnectionLost: Core._connection_lost,
    events.IncomingCall: Core._incoming,
    events.Progress: Core._progress,
    events.Confirmed: Core._confirmed,
    events.MediaChanged: Core._media_changed,
    events.UpdateRefused: Core._update_refused,
    events.DigitReceived: Core._digit,
    events.CallEnded: Core._ended,
    events.Fault: Core._fault,
}
