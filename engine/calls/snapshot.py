"""Live calls as plain values, for the API, the command line and whoever else only looks."""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.call import Call
from engine.calls.destination import Phase
from engine.calls.log import CallDirection
from engine.ids import AgentName, CallId, QueueName


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
    session: str = ""
    """As `events.Carried` has it, like the next."""
    diverted_from: str = ""


def live_call(call: Call) -> LiveCall:
    """How this call stands now."""
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
        session=call.carried.session,
        diverted_from=call.carried.diverted_from,
    )
