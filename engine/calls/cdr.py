"""Call detail records: one row per call, folded from the event log and from nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.journal import Record
from engine.calls.log import (
    CallAnswered,
    CallCarried,
    CallConnected,
    CallDirection,
    CallEnded,
    CallerConnected,
    CallerQueued,
    CallMerged,
    CallRouted,
    CallStarted,
    CallTransferred,
    EngineStarted,
    EngineStopped,
    MediaLost,
)
from engine.calls.media_records import LegClosed
from engine.calls.mixing_records import ConferenceJoined
from engine.calls.q850 import q850_of
from engine.calls.recording_records import RecordingBegan, RecordingGapped, RecordingMissed
from engine.calls.trunk_records import CallRated, TrunkTried
from engine.ids import AgentName, CallId, LegId, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class Cdr:
    """One call, over. Times of day are seconds since the epoch, UTC; None where it never came to that."""

    call: CallId
    protocol_id: str
    """The caller's protocol's name of the call (SIP Call-ID)."""
    direction: CallDirection
    origin: str
    """"agent:NAME" or "trunk:NAME"."""
    context: str
    caller: str
    caller_display: str
    called: str
    """As dialled."""
    destination: str
    """As `CallRouted` names it."""
    queue: QueueName | None
    agent: AgentName | None
    """Who talked: the agent that was rung, or who placed a call to a trunk."""
    peer: str
    """Who was connected to the caller, "agent:NAME" or "trunk:NAME"; empty when nobody was."""
    started: float
    answered: float | None
    """The caller's leg was up."""
    connected: float | None
    """Two people were put together, or the caller sat down in a conference."""
    ended: float
    waited_s: float
    talked_s: float
    total_s: float
    cause: EndCause
    ended_by: str
    """"caller", "agent", "called" or "engine"."""
    caller_quality: LegClosed | None
    """What was measured on the caller's leg; None when it never was up, or the media process was lost."""
    peer_quality: LegClosed | None
    tried: str = ""
    """Trunks that did not carry the call, in order, with why: "telco-a 503, telco-b silent"."""
    cost: float = 0.0
    """What it cost by the price list, on a trunk."""
    transferred_by: str = ""
    """Who put the call through to somebody else last, "agent:NAME" or "trunk:NAME"; empty where nobody did."""
    transferred_to: str = ""
    """Whereto: the number; of an attended transfer "agent:NAME" or "trunk:NAME"."""
    session: str = ""
    """Name of the session from end to end; empty like the next two where the caller's side told none."""
    diverted_from: str = ""
    """Number that forwarded the call last."""
    user_to_user: str = ""
    q850: int | None = None
    """The end in the telephone network's words (ITU-T Q.850), told by the peer or made of the status."""
    recording: str = ""
    """Paths of the recordings, with commas between; empty where there are none."""
    recording_gaps: int = 0
    """Times that the disk did not take what was recorded."""
    recording_missed: str = ""
    """Why it is not recorded, or not whole, though it should be; empty where it is, or should not be."""


@dataclass(slots=True)
class _Open:
    """A call as far as the log has told it."""

    wall: float
    started: CallStarted
    carried: CallCarried | None = None
    destination: str = ""
    queue: QueueName | None = None
    agent: AgentName | None = None
    answered: float | None = None
    connected: float | None = None
    peer: str = ""
    peer_leg: LegId | None = None
    ended: tuple[float, CallEnded] | None = None
    qualities: dict[LegId, LegClosed] = field(default_factory=dict)
    tried: list[str] = field(default_factory=list)
    rated: CallRated | None = None
    transferred: tuple[str, str] = ("", "")
    recordings: tuple[str, ...] = ()
    recording_gaps: int = 0
    recording_missed: str = ""
    moved: tuple[LegId, ...] = ()
    """Legs that went on in another call, which tells their quality."""

    def measured(self, ended: CallEnded) -> bool:
        """Whether every leg that was up has told its quality, or never will after such an end."""
        awaited = (self.started.leg if self.answered is not None else None, self.peer_leg)
        return all(leg is None or leg in self.qualities or leg in self.moved for leg in awaited) or _unmeasured(ended)

    # What the records of a call add to it.

    def note_carried(self, _wall: float, body: CallCarried) -> None:
        self.carried = body

    def note_route(self, _wall: float, body: CallRouted) -> None:
        self.destination = body.destination

    def note_answer(self, wall: float, _body: CallAnswered) -> None:
        self.answered = wall

    def note_queue(self, _wall: float, body: CallerQueued) -> None:
        self.queue = body.queue

    def note_agent(self, _wall: float, body: CallerConnected) -> None:
        self.queue, self.agent = body.queue, body.agent

    def note_peer(self, wall: float, body: CallConnected) -> None:
        if self.connected is None:
            self.connected = wall
        self.peer, self.peer_leg = body.peer, body.leg

    def note_joined(self, wall: float, _body: ConferenceJoined) -> None:
        if self.connected is None:
            self.connected = wall

    def note_transfer(self, _wall: float, body: CallTransferred) -> None:
        self.transferred = (body.by, body.to)

    def note_merge(self, _wall: float, body: CallMerged) -> None:
        self.moved = (*self.moved, body.leg)

    def note_quality(self, _wall: float, body: LegClosed) -> None:
        self.qualities[body.leg] = body

    def note_trunk(self, _wall: float, body: TrunkTried) -> None:
        self.tried.append(f"{body.trunk} {body.why if body.status is None else body.status}")

    def note_recording(self, _wall: float, body: RecordingBegan) -> None:
        self.recordings = (*self.recordings, body.path)

    def note_gap(self, _wall: float, body: RecordingGapped) -> None:
        self.recording_gaps += not body.over

    def note_missed(self, _wall: float, body: RecordingMissed) -> None:
        self.recording_missed = body.reason

    def note_rate(self, _wall: float, body: CallRated) -> None:
        self.rated = body

    def cost(self, talked_s: float) -> float:
        """By the price list, to the second."""
        return 0.0 if self.rated is None else self.rated.per_call + self.rated.per_minute * talked_s / 60

    def note_end(self, wall: float, body: CallEnded) -> None:
        self.ended = (wall, body)


_NOTES: Final[dict[type[Any], Callable[[_Open, float, Any], None]]] = {
    CallCarried: _Open.note_carried,
    CallRouted: _Open.note_route,
    CallAnswered: _Open.note_answer,
    CallerQueued: _Open.note_queue,
    CallerConnected: _Open.note_agent,
    CallConnected: _Open.note_peer,
    ConferenceJoined: _Open.note_joined,
    LegClosed: _Open.note_quality,
    TrunkTried: _Open.note_trunk,
    CallRated: _Open.note_rate,
    RecordingBegan: _Open.note_recording,
    RecordingGapped: _Open.note_gap,
    RecordingMissed: _Open.note_missed,
    CallTransferred: _Open.note_transfer,
    CallMerged: _Open.note_merge,
    CallEnded: _Open.note_end,
}

_NO_MORE_TOLD: Final = (MediaLost, EngineStopped)
"""After these, no leg tells its quality."""


class CdrFold:
    """Folds records into rows. A row comes out when its call has ended and the legs that were up have told their
    quality, or when that will never come (the media process or the engine was gone)."""

    def __init__(self) -> None:
        self._open: dict[CallId, _Open] = {}
        self._last_wall = 0.0

    def open_calls(self) -> int:
        """Calls whose row is still to come."""
        return len(self._open)

    def apply(self, record: Record) -> Sequence[Cdr]:
        """The rows that this record completes. Records must come in the order of their `seq`."""
        rows: Sequence[Cdr] = ()
        body, call = record.body, record.call
        note = _NOTES.get(type(body))
        if note is not None:
            if call is not None and (state := self._open.get(call)) is not None:
                note(state, record.wall, body)
                if state.ended is not None and state.measured(state.ended[1]):
                    rows = (self._row(call, state),)
        elif isinstance(body, CallStarted):
            if call is not None:
                self._open[call] = _Open(record.wall, body)
        elif isinstance(body, EngineStarted):
            rows = [self._row(call, state) for call, state in tuple(self._open.items())]
        elif isinstance(body, _NO_MORE_TOLD):
            rows = [self._row(call, state) for call, state in self._ended()]
        self._last_wall = record.wall
        return rows

    def _ended(self) -> list[tuple[CallId, _Open]]:
        return [(call, state) for call, state in self._open.items() if state.ended is not None]

    def _row(self, call: CallId, state: _Open) -> Cdr:
        del self._open[call]
        # Without its CallEnded the call was up when the engine died: the last that the log knows is all we know.
        wall, ended = state.ended or (self._last_wall, _cut_off(state, self._last_wall))
        started, carried = state.started, state.carried
        return Cdr(
            call=call,
            protocol_id=started.protocol_id,
            direction=started.direction,
            origin=started.origin,
            context=started.context,
            caller=started.caller,
            caller_display=started.caller_display,
            called=started.called,
            destination=state.destination,
            queue=ended.queue,
            agent=ended.agent,
            peer=state.peer,
            started=state.wall,
            answered=state.answered,
            connected=state.connected,
            ended=wall,
            waited_s=ended.waited_s,
            talked_s=ended.talked_s,
            total_s=ended.total_s,
            cause=ended.cause,
            ended_by=ended.ended_by,
            caller_quality=state.qualities.get(started.leg),
            peer_quality=state.qualities.get(state.peer_leg) if state.peer_leg is not None else None,
            tried=", ".join(state.tried),
            cost=state.cost(ended.talked_s),
            transferred_by=state.transferred[0],
            transferred_to=state.transferred[1],
            session="" if carried is None else carried.session,
            diverted_from="" if carried is None else carried.diverted_from,
            user_to_user="" if carried is None else carried.user_to_user,
            q850=q850_of(ended.cause),
            recording=",".join(state.recordings),
            recording_gaps=state.recording_gaps,
            recording_missed=state.recording_missed,
        )


def _unmeasured(ended: CallEnded) -> bool:
    """Whether the legs went in a way that lets nobody tell their quality."""
    return ended.cause.reason in (Reason.MEDIA_LOST, Reason.ENGINE_RESTART)


def _cut_off(state: _Open, wall: float) -> CallEnded:
    """The end of a call that has none in the log."""
    connected = wall if state.connected is None else state.connected
    return CallEnded(
        cause=EndCause(outcome=Outcome.INDETERMINATE, reason=Reason.ENGINE_RESTART),
        ended_by="engine",
        waited_s=0.0 if state.queue is None else connected - state.wall,
        talked_s=wall - connected,
        total_s=wall - state.wall,
        queue=state.queue,
        agent=state.agent,
    )
