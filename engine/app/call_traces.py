"""Which SIP messages belong to which call: joins our calls to the Call-IDs of their legs, and finds them again.

The recorder of the stack knows Call-IDs only. The caller's is in the record of the call's start; those that we call are
told by the legs as they begin, while the call that they are for is alive. The last calls are kept, ended or not.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from engine.app.config import TraceConfig
from engine.calls.journal import Record
from engine.calls.log import CallEnded, CallStarted
from engine.calls.manager import CallManager
from engine.calls.sip_leg import SipLegs
from engine.errors import InvalidRequest, NotFound
from engine.ids import CallId, LegId
from engine.sip.endpoint import Endpoint
from engine.sip.errors import RemoteSipError
from engine.sip.events import SessionId
from engine.sip.ladder import LocalAddress
from engine.sip.message import Request
from engine.sip.parser import parse_datagram
from engine.sip.recorder import Kind, Recorder, RecorderLimits, Trace
from engine.sip.trace_text import Passed, passed

_LEGS_BOUND: Final = 64
"""Of one call, the latest: one whom nobody answers for hours has a new leg with every ring."""
_SHORT: Final = 4
"""Characters of a call's name that may stand for it."""


@dataclass(slots=True, kw_only=True, eq=False)
class TracedCall:
    """One of the last calls."""

    call: CallId
    caller_leg: str = ""
    """The Call-ID of the caller's leg."""
    at: float | None = None
    """When it began, in seconds since the epoch."""
    origin: str = ""
    caller: str = ""
    called: str = ""
    ended: str = ""
    """Why it ended; empty while it lives."""
    placed: deque[str] = field(default_factory=lambda: deque(maxlen=_LEGS_BOUND))
    """Call-IDs of the legs that we called."""

    @property
    def legs(self) -> tuple[str, ...]:
        """All Call-IDs, the caller's first."""
        return (*((self.caller_leg,) if self.caller_leg else ()), *self.placed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """What was found."""

    messages: Sequence[Passed]
    left: str = ""
    """The Call-ID of the caller's side."""
    cut: bool = False
    """Whether the first messages of a leg may be missing."""


def trace_calls(
    config: TraceConfig,
    endpoint: Endpoint,
    legs: SipLegs,
    calls: CallManager,
    *,
    ours: LocalAddress,
    wall: Callable[[], float],
) -> CallTraces | None:
    """Have the messages of these parts kept; None where that is switched off."""
    if not config.enabled:
        return None
    limits = RecorderLimits(legs=config.calls * 4, messages=config.messages, octets=config.megabytes * 2**20)
    endpoint.recorder = Recorder(limits, wall)
    traces = CallTraces(endpoint.recorder, endpoint.call_id, calls.call_of, config.calls, ours)
    legs.tell_bound(traces.bound)
    return traces


class CallTraces:
    """See the module."""

    def __init__(
        self,
        recorder: Recorder,
        call_id: Callable[[SessionId], str | None],
        call_of: Callable[[LegId], CallId | None],
        most: int,
        ours: LocalAddress,
    ) -> None:
        """`call_id` gives the Call-ID of a session that we began, `call_of` the call of a leg."""
        self._recorder = recorder
        self._call_id = call_id
        self._call_of = call_of
        self._most = most
        self._calls: OrderedDict[CallId, TracedCall] = OrderedDict()
        self.ours = ours
        """Our address as a peer on a flow sees it."""

    # --- fed ---

    def bound(self, leg: LegId, session: SessionId) -> None:
        """A leg has a session."""
        call_id = self._call_id(session)
        call = None if call_id is None else self._call_of(leg)
        if call is not None and call_id is not None:
            self._entry(call).placed.append(call_id)

    def observe(self, records: Sequence[Record]) -> None:
        """Take note of calls that began and ended."""
        for record in records:
            body = record.body
            if record.call is None:
                continue
            if isinstance(body, CallStarted):
                call = self._entry(record.call)
                call.caller_leg, call.at, call.origin = body.protocol_id, record.wall, body.origin
                call.caller, call.called = body.caller, body.called
            elif isinstance(body, CallEnded) and record.call in self._calls:
                self._calls[record.call].ended = f"{body.cause.reason.value} after {body.total_s:.1f} s"

    def _entry(self, call: CallId) -> TracedCall:
        found = self._calls.get(call)
        if found is None:
            found = self._calls[call] = TracedCall(call=call)
            if len(self._calls) > self._most:
                _, oldest = self._calls.popitem(last=False)
                for call_id in oldest.legs:
                    self._recorder.forget(call_id)
        return found

    # --- asked ---

    def calls(self) -> list[TracedCall]:
        """The last calls, the latest first."""
        return list(reversed(self._calls.values()))

    def call(self, wanted: str) -> Traced:
        """The messages of a call, of all its legs. `wanted` is our name of it, the beginning of that, or a SIP Call-ID,
        also one that is of no call. Raises NotFound, and InvalidRequest for a beginning of several."""
        found = self._named(wanted)
        if found is None:
            lone = self._recorder.find(wanted)
            if lone is None:
                raise NotFound(f"no call {wanted!r} among the last {len(self._calls)} that are kept")
            return _traced([lone], left=wanted if lone[0][1] == "in" else "")
        traces = [trace for name in found.legs if (trace := self._recorder.find(name)) is not None]
        if not traces:
            raise NotFound(f"the messages of call {found.call} are forgotten already; [trace] says how many are kept")
        return _traced(traces, left=found.caller_leg)

    def agent(self, name: str) -> Traced:
        """The registrations of an agent, those that failed too. Raises NotFound where none is kept."""
        others = chain(self._recorder.of(Kind.OTHER), self._recorder.of(Kind.STRANGER))
        traces = [trace for trace in self._recorder.of(Kind.REGISTRATION) if trace.user == name]
        traces += [trace for trace in others if _registers(trace) == name]
        if not traces:
            raise NotFound(f"no registration of {name!r} is kept: none came since the start, or it is forgotten")
        return _traced(traces)

    def strangers(self) -> Traced:
        """The latest requests of nobody that we know."""
        return _traced(self._recorder.of(Kind.STRANGER))

    def _named(self, wanted: str) -> TracedCall | None:
        exact = self._calls.get(CallId(wanted))
        if exact is not None:
            return exact
        by_leg = [call for call in self._calls.values() if wanted in call.legs]
        if by_leg:
            return by_leg[-1]
        if len(wanted) < _SHORT:
            return None
        several = [call for call in self._calls.values() if call.call.startswith(wanted)]
        if len(several) > 1:
            raise InvalidRequest(f"{wanted!r} is the beginning of {len(several)} calls; give more of it")
        return several[0] if several else None


def _traced(traces: Iterable[Trace], left: str = "") -> Traced:
    found = list(traces)
    return Traced(messages=passed(found), left=left, cut=any(trace.cut for trace in found))


def _registers(trace: Trace) -> str | None:
    """The user that a REGISTER names; None for any other request."""
    data = trace[0][3]
    if not data.startswith(b"REGISTER "):
        return None
    try:
        message = parse_datagram(data)
        return message.to.uri.user if isinstance(message, Request) else None
    except RemoteSipError:
        return None
