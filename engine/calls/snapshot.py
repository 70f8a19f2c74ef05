"""Live calls as plain values, for the API, the command line and whoever else only looks."""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.call import Call
from engine.calls.destination import Phase
from engine.calls.log import CallDirection
from engine.calls.supervisors import LiveSupervisor, live_supervisors
from engine.calls.switchboard import CallLeg
from engine.ids import AgentName, CallId, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSound:
    """How one leg of a live call sounds, as it was told last."""

    who: str
    """"agent:NAME" or "trunk:NAME"."""
    mos: float | None
    lost: int
    jitter_ms: float
    round_trip_ms: float | None
    level_dbm0: float | None
    one_way: tuple[str, ...]
    """Ways in which nothing passes now: "in", "out"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """One call as it stands. Times are monotonic seconds; the reader subtracts from its own now."""

    call: CallId
    direction: CallDirection
    phase: Phase
    origin: str
    """"agent:NAME" or "trunk:NAME"."""
    caller: str
    caller_display: str
    called: str
    destination: str
    """As in `CallRouted`."""
    queue: QueueName | None
    agent: AgentName | None
    """The agent who talks, if any."""
    ringing: tuple[str, ...]
    """Far legs that were called and have not answered, as "agent:NAME" or "trunk:NAME"."""
    started: float
    answered_at: float | None
    connected_at: float | None
    caller_codec: str = ""
    """What the caller's leg is coded in: "PCMA", "G722", "opus"; empty before it is up."""
    peer_codec: str = ""
    """The same of whoever talks to him."""
    sound: tuple[LiveSound, ...] = ()
    """Of each leg that was measured."""
    session: str = ""
    """As `events.Carried` has it, like the next."""
    diverted_from: str = ""
    supervisors: tuple[LiveSupervisor, ...] = ()
    recording: str = ""
    """As `recordings.RecordingState` has it."""


def live_call(call: Call) -> LiveCall:
    """How this call stands now."""
    peer = call.destination.other(call.caller)
    return LiveCall(
        call=call.id,
        direction=call.direction,
        phase=call.destination.phase(),
        origin=call.caller.who,
        caller=call.party.number,
        caller_display=call.party.display,
        called=call.called,
        destination=call.destination.name,
        queue=call.queue,
        agent=call.agent,
        ringing=tuple(leg.who for leg in call.far.values() if not leg.answered),
        started=call.started,
        answered_at=call.answered_at,
        connected_at=call.connected_at,
        caller_codec=_codec(call.caller),
        peer_codec="" if peer is None else _codec(peer),
        sound=tuple([_sound(leg) for leg in (call.caller, *call.far.values()) if leg.quality or leg.one_way]),
        session=call.carried.session,
        diverted_from=call.carried.diverted_from,
        supervisors=live_supervisors(call.board, call.id),
        recording=call.board.recordings.state(call.id).value,
    )


def _codec(leg: CallLeg) -> str:
    return "" if leg.remote is None else leg.remote.codec_name


def _sound(leg: CallLeg) -> LiveSound:
    told = leg.quality
    return LiveSound(
        who=leg.who,
        mos=None if told is None else told.mos,
        lost=0 if told is None else told.lost,
        jitter_ms=0.0 if told is None else told.jitter_ms,
        round_trip_ms=None if told is None else told.round_trip_ms,
        level_dbm0=None if told is None else told.level_dbm0,
        one_way=tuple(sorted(leg.one_way)),
    )
