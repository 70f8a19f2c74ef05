"""A softphone core on a table: SIP stack and sound are scripted, time is a number that a test moves."""

from __future__ import annotations

from dataclasses import dataclass, field

from softphone.audio.sound import AudioReport
from softphone.core import Core, Policy
from softphone.errors import BackendError
from softphone.model.intents import Intent, Verb
from softphone.report import Report
from softphone.sip import events
from softphone.sip.events import BackendEvent, CallNumber, MediaState, Quality


class FakeBackend:
    """Notes what it is asked; says nothing by itself."""

    address = "127.0.0.1:5070"

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.refuses: set[str] = set()
        """Names of methods that raise."""
        self.statistics: Quality | None = None
        self._last = 100

    def poll(self, timeout_s: float) -> list[BackendEvent]:
        del timeout_s
        return []

    def register(self) -> None:
        self._note("register")

    def unregister(self) -> None:
        self._note("unregister")

    def dial(self, uri: str) -> CallNumber:
        self._note("dial", uri)
        self._last += 1
        return CallNumber(self._last)

    def ring(self, call: CallNumber) -> None:
        self._note("ring", call)

    def answer(self, call: CallNumber) -> None:
        self._note("answer", call)

    def hangup(self, call: CallNumber, code: int) -> None:
        self._note("hangup", call, code)

    def hold(self, call: CallNumber) -> None:
        self._note("hold", call)

    def resume(self, call: CallNumber) -> None:
        self._note("resume", call)

    def send_digits(self, call: CallNumber, digits: str) -> None:
        self._note("send_digits", call, digits)

    def quality(self, call: CallNumber) -> Quality | None:
        del call
        return self.statistics

    def close(self) -> None:
        self._note("close")

    def _note(self, name: str, *arguments: object) -> None:
        self.asked.append((name, *arguments))
        if name in self.refuses:
            raise BackendError(f"{name}: refused by the test")


@dataclass(slots=True)
class FakeSound:
    """Notes what it is told."""

    told: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What the next `service` says."""

    def mute(self, muted: bool) -> None:
        self.told.append("mute" if muted else "unmute")

    def call_began(self) -> None:
        self.told.append("began")

    def call_ended(self) -> None:
        self.told.append("ended")

    def report(self) -> AudioReport:
        return AudioReport(rx_dbfs=-20.0, tx_dbfs=-30.0, ring_fill_ms=40.0, mic_fill_ms=38.5, underruns=1, overruns=0)

    def service(self, now: float) -> list[str]:
        del now
        problems, self.problems = self.problems, []
        return problems


class PhoneRig:
    """A core with its fakes; every step happens at `now`."""

    def __init__(
        self, *, register: bool = False, auto_answer_s: float | None = None, random: float = 0.0, report_s: float = 1.0
    ) -> None:
        self.now = 1000.0
        self.backend = FakeBackend()
        self.sound = FakeSound()
        self.reports: list[Report] = []
        self.core = Core(
            backend=self.backend,
            sound=self.sound,
            emit=self.reports.append,
            policy=Policy(register=register, auto_answer_s=auto_answer_s, report_s=report_s),
            random=lambda: random,
        )
        self.core.start(self.now)

    def do(self, intent: Intent) -> None:
        self.core.intend(intent, self.now)

    def happens(self, *happened: BackendEvent) -> None:
        for event in happened:
            self.core.happened(event, self.now)

    def passes(self, seconds: float, *, step: float = 0.02) -> None:
        """Let time pass as the real loop does, in small steps."""
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + step)
            self.core.tick(self.now)

    def said(self, *names: str) -> list[Report]:
        """Reports so far, of these names if any are given."""
        return [report for report in self.reports if not names or report.event in names]

    def asked(self, name: str) -> int:
        """How often the backend was asked for `name`."""
        return sum(1 for call in self.backend.asked if call[0] == name)

    @property
    def finished(self) -> bool:
        return self.core.finished(self.now)

    def talk(self, *, number: int = 1) -> CallNumber:
        """Bring an incoming call up."""
        call = CallNumber(number)
        self.happens(incoming(number))
        self.do(Verb.ANSWER)
        self.happens(media(number, MediaState.ACTIVE), events.Confirmed(call=call))
        return call


def incoming(number: int, *, uri: str = "sip:caller@pbx", display: str = "Ann") -> events.IncomingCall:
    return events.IncomingCall(call=CallNumber(number), uri=uri, display=display)


def media(number: int, state: MediaState, codec: str = "PCMU/8000") -> events.MediaChanged:
    return events.MediaChanged(call=CallNumber(number), state=state, codec=codec)


def ended(number: int, code: int = 200, reason: str = "OK") -> events.CallEnded:
    return events.CallEnded(call=CallNumber(number), code=code, reason=reason)
