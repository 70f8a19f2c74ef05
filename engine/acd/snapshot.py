"""How the floor looks now, as plain values for the API, the status command and the wallboard."""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.acd.agent import AgentState, LiveAgent
from engine.acd.caller import CallerState
from engine.acd.floor import Floor
from engine.acd.queue import LiveQueue
from engine.acd.stats import QueueCounters
from engine.calls.directory import AgentStatus, StrategyName
from engine.ids import AgentName, CallId, QueueName


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerView:
    call: CallId
    caller: str
    display: str
    position: int
    """1 is next."""
    entry_position: int
    waited_s: float
    state: CallerState
    ringing: tuple[AgentName, ...]
    """Agents who are being rung for this caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberView:
    agent: AgentName
    penalty: int
    resting: bool
    """Did not take an offer of this queue a moment ago; will be asked again soon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueView:
    name: QueueName
    strategy: StrategyName
    callers: tuple[CallerView, ...]
    members: tuple[MemberView, ...]
    idle: int
    """Members who could take a caller now."""
    talking: int
    """Calls of this queue that are up."""
    counters: QueueCounters
    """Since the engine started; a copy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentView:
    name: AgentName
    display: str
    status: AgentStatus
    status_reason: str
    status_since: float
    """Seconds since the epoch, UTC; 0 when it was never changed."""
    state: AgentState
    state_for_s: float
    call: CallId | None
    """The call that the agent is in or, while a phone rings, the call that it rings for."""
    queues: tuple[QueueName, ...]
    reachable: bool
    contact: str
    """Empty when unreachable, as are the next two."""
    source: str
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    queues: tuple[QueueView, ...]
    agents: tuple[AgentView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCounts:
    """What is alive; at rest all are 0."""

    callers: int
    offers: int
    talks: int
    own_calls: int
    deadlines: int
    effects: int
    """Decided and not taken away."""


def snapshot(floor: Floor, now: float) -> Snapshot:
    """Everything, at this instant. Costs as much as there is to tell: ask on demand, not on every event."""
    talking: dict[QueueName, int] = {}
    for _, queue in floor.talks.values():
        talking[queue] = talking.get(queue, 0) + 1
    return Snapshot(
        queues=tuple(_queue(floor, queue, talking.get(name, 0), now) for name, queue in floor.queues.items()),
        agents=tuple(_agent(floor, agent, now) for agent in floor.agents.values() if not agent.removed),
    )


def live(floor: Floor) -> LiveCounts:
    """Counts for tests that ask whether anything was left behind."""
    return LiveCounts(
        callers=len(floor.callers),
        offers=len(floor.offers),
        talks=len(floor.talks),
        own_calls=sum(len(agent.own_calls) for agent in floor.agents.values()),
        deadlines=len(floor.deadlines),
        effects=len(floor.effects),
    )


def _queue(floor: Floor, queue: LiveQueue, talking: int, now: float) -> QueueView:
    callers = tuple(
        CallerView(
            call=caller.call,
            caller=caller.number,
            display=caller.display,
            position=position,
            entry_position=caller.entry_position,
            waited_s=now - caller.entered_at,
            state=caller.state,
            ringing=tuple(floor.offers[offer].agent for offer in caller.offers),
        )
        for position, caller in enumerate(queue.callers.values(), start=1)
    )
    return QueueView(
        name=queue.config.name,
        strategy=queue.config.strategy,
        callers=callers,
        members=tuple(
            MemberView(agent=name, penalty=member.penalty, resting=member.resting)
            for name, member in queue.members.items()
        ),
        idle=len(queue.idle),
        talking=talking,
        counters=replace(queue.counters),
    )


def _agent(floor: Floor, agent: LiveAgent, now: float) -> AgentView:
    ringing_for = floor.offers[agent.offer].call if agent.offer is not None else None
    return AgentView(
        name=agent.config.name,
        display=agent.config.display,
        status=agent.status,
        status_reason=agent.status_reason,
        status_since=agent.status_since,
        state=agent.state,
        state_for_s=now - agent.state_since,
        call=agent.call if agent.call is not None else ringing_for,
        queues=tuple(agent.queues),
        reachable=agent.reachable,
        contact=agent.contact,
        source=agent.source,
        user_agent=agent.user_agent,
    )
