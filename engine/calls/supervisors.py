"""Supervisors as an operator sees them: who hears which call, and how; to send one there, and away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.events import FromAgent, Offered
from engine.calls.log import CallDirection, CallRouted, CallStarted
from engine.calls.supervision import Supervision, SupervisionMode
from engine.calls.switchboard import Switchboard
from engine.errors import AlreadyExists, InvalidRequest, NotFound, Unavailable
from engine.ids import AgentName, CallId, LegId

_SENT_AWAY = EndCause(outcome=Outcome.SUCCESS, reason=Reason.OPERATOR, sip_code=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSupervisor:
    """One supervisor on a call."""

    agent: AgentName
    mode: SupervisionMode
    call: CallId
    """The call between the engine and the supervisor's phone."""
    up: bool
    """The phone has answered."""


class Supervisors:
    """See the module. `unavailable` says why no call is taken now, None where one is."""

    def __init__(self, board: Switchboard, unavailable: Callable[[Offered], Reason | None]) -> None:
        self._board = board
        self._unavailable = unavailable

    def of(self, call: CallId) -> tuple[LiveSupervisor, ...]:
        """Those of one call."""
        return live_supervisors(self._board, call)

    def supervise(self, call: CallId, agent: AgentName, mode: SupervisionMode, now: float, by: str) -> None:
        """Call this agent's phone and let it hear a call, in this way; where it does so already, change the way. `by`
        names the door ("api", "cli").

        Raises NotFound for an unknown call or agent, InvalidRequest where nobody talks in that call or the agent is in
        it, AlreadyExists where the agent supervises another call, Unavailable where no call is taken now.
        """
        watched = self._watched(call)
        there = self._supervision(call, agent)
        if there is not None:
            there.change(mode, by, now)
            return
        board = self._board
        leg = LegId(board.ids.token())
        offered = Offered(
            leg=leg, origin=FromAgent(agent=agent), called=watched.agent or watched.called, caller=watched.party,
            protocol_id="",
        )  # fmt: skip
        self._check(watched, offered, agent)
        own = Call(board, offered, watched.party, CallDirection.INTERNAL, now)
        own.beside = watched.caller.id
        own.caller.dialog = False  # until the phone is called
        own.destination = supervision = Supervision(own, watched, mode, by)
        board.supervised.setdefault(call, []).append(supervision)
        started = CallStarted(
            direction=own.direction,
            leg=leg,
            origin=own.caller.who,
            context="",
            called=own.called,
            caller=own.party.number,
            caller_display=own.party.display,
            protocol_id="",
        )
        board.log(own.id, started, now)
        board.log(own.id, CallRouted(destination=supervision.name), now)
        supervision.start(now)

    def dismiss(self, call: CallId, agent: AgentName, now: float) -> None:
        """Hang up the supervisor's phone; the call goes on. Raises NotFound."""
        self._watched(call)
        there = self._supervision(call, agent)
        if there is None:
            raise NotFound(f"agent {agent!r} does not supervise call {call!r}")
        there.call.finish(_SENT_AWAY, ENGINE, now)

    def _check(self, watched: Call, offered: Offered, agent: AgentName) -> None:
        if agent not in self._board.directory.agents:
            raise NotFound(f"no agent {agent!r}")
        if watched.destination.other(watched.caller) is None:
            raise InvalidRequest(f"call {watched.id!r}: nobody talks in it; found {watched.destination.name}")
        if agent in {leg.agent for leg in (watched.caller, *watched.far.values())}:
            raise InvalidRequest(f"agent {agent!r} is in call {watched.id!r} already")
        for leg in (watched.caller, *watched.far.values()):
            if leg.remote is not None and leg.keeps_undecoded:
                spoken = leg.remote.codec_name
                raise InvalidRequest(
                    f"call {watched.id!r} is spoken in {spoken}, which nobody else can be mixed with;"
                    f" {leg.who} was asked for another codec and refused"
                )
        for call, supervisions in self._board.supervised.items():
            if any(each.agent == agent for each in supervisions):
                raise AlreadyExists(f"agent {agent!r} supervises call {call!r}")
        reason = self._unavailable(offered)
        if reason is not None:
            raise Unavailable(f"no call is taken now: {reason}")

    def _watched(self, call: CallId) -> Call:
        found = self._board.calls.get(call)
        if found is None:
            raise NotFound(f"no live call {call!r}")
        return found

    def _supervision(self, call: CallId, agent: AgentName) -> Supervision | None:
        supervisions = self._board.supervised.get(call, ())
        return next((each for each in supervisions if each.agent == agent), None)


def live_supervisors(board: Switchboard, call: CallId) -> tuple[LiveSupervisor, ...]:
    """Those of one call, in the order in which they came."""
    return tuple(
        LiveSupervisor(agent=each.agent, mode=each.mode, call=each.call.id, up=each.up)
        for each in board.supervised.get(call, ())
    )
