"""The legs of one protocol: found by id and by the protocol's session, moved along the table, told about once.

Any implementation of `LegPort` needs this and none of it knows a protocol; `SipLegs` is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from engine.calls.causes import EndCause
from engine.calls.events import Ended, LegEvent, Party, PresenceEvent
from engine.calls.leg import TABLE, LegAction, LegInput, LegState
from engine.ids import AgentName, LegId

S = TypeVar("S", bound=Hashable)
L = TypeVar("L", bound="BookedLeg")


@dataclass(slots=True, kw_only=True, eq=False)
class BookedLeg:
    """What every leg has, whatever it speaks."""

    id: LegId
    state: LegState = LegState.IDLE
    agent: AgentName | None = None
    """Whose phone it is; None for a line. Set by `LegBook.own`."""
    other: Party | None = None
    """Who is on the other side, as shown to the agent."""
    cause: EndCause | None = None
    """Why we ended it; None while we have not."""
    early: bool = False
    """The far side has sent tones or words of its own before any answer."""


class LegBook(Generic[L, S]):
    """Legs that are not over, and the events that nobody has taken yet."""

    def __init__(self) -> None:
        self._legs: dict[LegId, L] = {}
        self._by_session: dict[S, L] = {}
        self._sessions: dict[LegId, S] = {}
        self._events: list[LegEvent | PresenceEvent] = []
        self._owned: dict[AgentName, dict[LegId, L]] = {}
        self.watched: Container[str] = frozenset()
        """Agents the course of whose legs somebody watches."""
        self.touched: dict[AgentName, None] = {}
        """Those of them with whose legs something happened, until somebody takes note."""
        self.bound: Callable[[LegId, S], None] | None = None
        """Told by which session the protocol knows a leg."""

    def __len__(self) -> int:
        return len(self._legs)

    def add(self, leg: L) -> L:
        """A leg begins."""
        self._legs[leg.id] = leg
        return leg

    def own(self, leg: L, agent: AgentName, other: Party) -> None:
        """The leg is this agent's phone."""
        leg.agent, leg.other = agent, other
        self._owned.setdefault(agent, {})[leg.id] = leg

    def of_agent(self, agent: AgentName) -> tuple[L, ...]:
        """The agent's legs that are not over, the oldest first."""
        return tuple(self._owned.get(agent, {}).values())

    def bind(self, leg: L, session: S) -> None:
        """The protocol knows the leg by this from now on, and by nothing else."""
        before = self._sessions.get(leg.id)
        if before is not None:
            del self._by_session[before]
        self._by_session[session] = leg
        self._sessions[leg.id] = session
        if self.bound is not None:
            self.bound(leg.id, session)

    def find(self, leg: LegId) -> L | None:
        """The leg of this id; None once it is over."""
        return self._legs.get(leg)

    def at(self, session: S) -> L | None:
        """The leg of a session; None once it is over."""
        return self._by_session.get(session)

    def session(self, leg: L) -> S:
        """What the protocol knows the leg by. The table lets nothing through that needs it before there is one."""
        return self._sessions[leg.id]

    def step(self, leg: L, happened: LegInput) -> LegAction | None:
        """Move the leg on. What is to be done about it; None where the table drops the input."""
        transition = TABLE.get((leg.state, happened))
        if transition is None:
            return None
        leg.state = transition.state
        if leg.agent in self.watched and leg.agent is not None:
            self.touched[leg.agent] = None
        return transition.action

    def command(self, leg: LegId, command: LegInput) -> tuple[L, LegAction] | None:
        """Move a leg on by a command from above. None where that comes too late or twice."""
        found = self._legs.get(leg)
        action = None if found is None else self.step(found, command)
        return None if found is None or action is None else (found, action)

    def gone(self, leg: L, cause: EndCause) -> None:
        """The protocol has nothing more of the leg: tell it, with our own cause if we ended it, else with this."""
        if self.step(leg, LegInput.GONE) is not None:
            self.tell(Ended(leg=leg.id, cause=leg.cause or cause, early=leg.early))
        self.forget(leg)

    def forget(self, leg: L) -> None:
        """The leg is over."""
        self._legs.pop(leg.id, None)
        if leg.agent is not None:
            own = self._owned.get(leg.agent, {})
            if own.pop(leg.id, None) is not None and not own:
                del self._owned[leg.agent]
        session = self._sessions.pop(leg.id, None)
        if session is not None:
            self._by_session.pop(session, None)

    def tell(self, *events: LegEvent | PresenceEvent) -> None:
        """Queue events for the layer above."""
        self._events += events

    def take(self) -> list[LegEvent | PresenceEvent]:
        """Drain what was told, in order."""
        taken, self._events = self._events, []
        return taken
