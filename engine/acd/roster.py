"""Changes of the directory while calls are up: agents, queues and memberships come, change and go."""

from __future__ import annotations

from engine.acd.agent import AgentInput, LiveAgent
from engine.acd.caller import CallerInput
from engine.acd.floor import Floor
from engine.acd.line import set_max_wait
from engine.acd.queue import LiveMember, LiveQueue
from engine.calls.directory import Agent, Change, Drop, Member, Put, Queue, Trunk
from engine.calls.ports import WithdrawReason
from engine.errors import NotFound
from engine.ids import AgentName, QueueName


def change(floor: Floor, wanted: Change, now: float) -> None:
    """Follow one change. Raises NotFound for a membership of nobody."""
    match wanted:
        case Put(entity=Agent() as agent):
            put_agent(floor, agent, now)
        case Put(entity=Queue() as queue):
            put_queue(floor, queue)
        case Put(entity=Member() as member):
            put_member(floor, member)
        case Drop(entity=Agent(name=agent_name)):
            drop_agent(floor, agent_name, now)
        case Drop(entity=Queue(name=queue_name)):
            drop_queue(floor, queue_name, now)
        case Drop(entity=Member(queue=queue_name, agent=agent_name)):
            drop_member(floor, queue_name, agent_name, now)
        case Put(entity=Trunk()) | Drop(entity=Trunk()):
            pass  # trunks are no concern of queues


def put_agent(floor: Floor, config: Agent, now: float) -> None:
    """A new agent starts with the status that was kept; of a known one the status stays as it is, because its owner
    is the running engine."""
    known = floor.agents.get(config.name)
    if known is not None and not known.removed:
        known.config = config
        return
    fresh = LiveAgent(
        config=config,
        status=config.status,
        status_reason=config.status_reason,
        status_since=config.status_since,
        state_since=now,
        idle_since=now,
    )
    if known is None:
        floor.agents[config.name] = fresh
        return
    known.config, known.removed = config, False  # removed and put back within one call: the phone is still in it
    known.status, known.status_reason, known.status_since = config.status, config.status_reason, config.status_since


def put_queue(floor: Floor, config: Queue) -> None:
    """A new queue, or new settings: waits are measured by them from now on, idle members ordered by them."""
    queue = floor.queues.get(config.name)
    if queue is None:
        floor.queues[config.name] = LiveQueue(config=config)
        return
    queue.config = config
    for caller in queue.callers.values():
        set_max_wait(floor, queue, caller)
    for name in tuple(queue.idle):
        queue.rank(name, floor.agents[name].idle_since)
    floor.changed(config.name)


def put_member(floor: Floor, config: Member) -> None:
    """A new member is offered a waiting caller at once; of a known one only the penalty changes."""
    queue, agent = floor.queues.get(config.queue), floor.agents.get(config.agent)
    if queue is None or agent is None or agent.removed:
        raise NotFound(f"no queue {config.queue!r} or no agent {config.agent!r}: nobody to be a member")
    known = queue.members.get(config.agent)
    if known is None:
        floor.joined += 1
        queue.members[config.agent] = LiveMember(penalty=config.penalty, joined=floor.joined)
        agent.queues[config.queue] = None
    else:
        known.penalty = config.penalty
    floor.rank(agent)


def drop_member(floor: Floor, queue_name: QueueName, agent_name: AgentName, now: float) -> None:
    """The member rings no longer for this queue; a call that is up goes on."""
    queue, agent = floor.queues.get(queue_name), floor.agents.get(agent_name)
    if queue is None or agent is None or agent_name not in queue.members:
        return
    if agent.offer is not None and floor.offers[agent.offer].queue == queue_name:
        offer = floor.offers[agent.offer]
        floor.withdraw(offer, WithdrawReason.AGENT_UNAVAILABLE, now)
        floor.untaken(offer, now)
    floor.end_rest(agent, queue)
    queue.idle.discard(agent_name)
    del queue.members[agent_name]
    del agent.queues[queue_name]


def drop_agent(floor: Floor, name: AgentName, now: float) -> None:
    """The agent gets no more calls; one that is up goes on, and then the agent is forgotten."""
    agent = floor.agents.get(name)
    if agent is None:
        return
    agent.removed = True
    floor.advance_agent(agent, AgentInput.UNAVAILABLE, now)
    for queue in tuple(agent.queues):
        drop_member(floor, queue, name, now)
    if agent.call is None:
        del floor.agents[name]


def drop_queue(floor: Floor, name: QueueName, now: float) -> None:
    """Everybody in the line is let go; calls that are up go on."""
    queue = floor.queues.get(name)
    if queue is None:
        return
    for caller in tuple(queue.callers.values()):
        floor.advance_caller(caller, CallerInput.QUEUE_REMOVED, now)
    for agent_name in tuple(queue.members):
        drop_member(floor, name, agent_name, now)
    del floor.queues[name]
