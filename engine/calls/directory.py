"""Who and what exists: agents, queues, memberships, trunks and groups, as the store keeps and the engine sees them.

`Directory` is one consistent snapshot in memory, replaced piece by piece by `apply`. The store is its owner on disk;
whoever changes it writes there first and then hands the same `Change` to the running core.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from engine.calls.trunk import Trunk, TrunkGroup
from engine.errors import NotFound
from engine.ids import AgentName, GroupName, QueueName, TrunkName

__all__ = [
    "Agent",
    "AgentStatus",
    "Change",
    "Directory",
    "Drop",
    "Entity",
    "Member",
    "Put",
    "Queue",
    "StrategyName",
    "Trunk",
    "TrunkGroup",
]


class AgentStatus(StrEnum):
    """What a person chose. What the engine derives from it is `acd.agent.AgentState`."""

    AVAILABLE = "available"
    BREAK = "break"
    LOGGED_OUT = "logged_out"


class StrategyName(StrEnum):
    """How a queue chooses among its idle members."""

    LONGEST_IDLE = "longest-idle"
    RINGALL = "ringall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    name: AgentName
    """[a-z0-9._-]{1,64}; the user part that the phone registers."""
    display: str = ""
    context: str = "agents"
    """Dialplan context that this agent's own calls enter."""
    ha1_md5: str = ""
    """Digest secrets kept as HA1 for the engine's realm (RFC 7616 3.4.2); the password itself is shown once."""
    ha1_sha256: str = ""
    status: AgentStatus = AgentStatus.AVAILABLE
    """Kept over restarts, with its reason and since when."""
    status_reason: str = ""
    status_since: float = 0.0
    """Seconds since the epoch, UTC."""
    destinations: tuple[str, ...] = ()
    """Numbers that this agent may call on trunks, by their beginnings; see `toll_rules.Destinations`. Empty: whatever
    the context allows, except foreign countries."""
    max_outbound: int = 0
    """Calls of this agent on trunks at once; 0 means no bound."""
    daily_spend: float = 0.0
    """What this agent's calls on trunks may cost a day, in the currency of the price list; 0 means no bound."""
    srtp: str = "off"
    """One of `trunk.SRTP`, for the agent's phones."""
    codecs: tuple[str, ...] = ()
    """Words of `codec_words` for the agent's phones, best first; empty: the engine's own list."""
    record: bool = False
    """Record the calls of this agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    name: QueueName
    strategy: StrategyName = StrategyName.LONGEST_IDLE
    ring_timeout_s: float = 15.0
    """How long one offer rings before it counts as no answer."""
    retry_s: float = 5.0
    """Rest after a round of offers that nobody took, before the same caller is offered again."""
    wrap_up_s: float = 10.0
    """Time after a call in which the agent gets no new one."""
    max_wait_s: float = 0.0
    """After this wait the caller is let go with a busy tone's cause; 0 means never."""
    max_callers: int = 0
    """Callers waiting at once; a further one is refused with 486. 0 means no bound."""
    music: str = ""
    """Music for those who wait: a playlist of the configuration by its name, or a sound file; empty means the engine's
    own."""
    rona_break: bool = True
    """Set an agent who does not answer to a break (RONA), so that the next caller does not wait for nobody."""
    record: bool = False
    """Record the calls of this queue, from the agent's answer on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    queue: QueueName
    agent: AgentName
    penalty: int = 0
    """Members with a lower penalty are asked first."""


Entity = Agent | Queue | Member | Trunk | TrunkGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """Add this, or replace what has its name."""

    entity: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Remove what has the name of this; memberships go with their agent or queue."""

    entity: Entity


Change = Put | Drop


@dataclass(slots=True)
class Directory:
    """The snapshot. Only `apply` changes it."""

    agents: dict[AgentName, Agent] = field(default_factory=dict)
    queues: dict[QueueName, Queue] = field(default_factory=dict)
    members: dict[tuple[QueueName, AgentName], Member] = field(default_factory=dict)
    trunks: dict[TrunkName, Trunk] = field(default_factory=dict)
    groups: dict[GroupName, TrunkGroup] = field(default_factory=dict)

    @classmethod
    def of(cls, entities: Iterable[Entity]) -> Directory:
        """A directory that holds these. Raises NotFound for a membership of nobody."""
        directory = cls()
        for entity in sorted(entities, key=lambda e: isinstance(e, Member)):
            directory.apply(Put(entity=entity))
        return directory

    def apply(self, change: Change) -> None:
        """Carry out one change. Raises NotFound where a membership names what is not there."""
        match change:
            case Put(entity=Agent() as agent):
                self.agents[agent.name] = agent
            case Put(entity=Queue() as queue):
                self.queues[queue.name] = queue
            case Put(entity=Trunk() as trunk):
                self.trunks[trunk.name] = trunk
            case Put(entity=TrunkGroup() as group):
                self.groups[group.name] = group
            case Put(entity=Member() as member):
                self._put_member(member)
            case Drop(entity=Agent(name=agent_name)):
                self.agents.pop(agent_name, None)
                self.members = {k: m for k, m in self.members.items() if m.agent != agent_name}
            case Drop(entity=Queue(name=queue_name)):
                self.queues.pop(queue_name, None)
                self.members = {k: m for k, m in self.members.items() if m.queue != queue_name}
            case Drop(entity=Trunk(name=trunk_name)):
                self.trunks.pop(trunk_name, None)
            case Drop(entity=TrunkGroup(name=group_name)):
                self.groups.pop(group_name, None)
            case Drop(entity=Member() as member):
                self.members.pop((member.queue, member.agent), None)

    def _put_member(self, member: Member) -> None:
        if member.queue not in self.queues:
            raise NotFound(f"no queue {member.queue!r}; there are: {', '.join(self.queues) or 'none'}")
        if member.agent not in self.agents:
            raise NotFound(f"no agent {member.agent!r}; there are: {', '.join(self.agents) or 'none'}")
        self.members[member.queue, member.agent] = member
