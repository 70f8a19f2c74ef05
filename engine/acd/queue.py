"""One queue while the engine runs: the line of callers and the members who are free to take one."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from engine.acd.caller import Caller
from engine.acd.ranking import Ranking
from engine.acd.stats import QueueCounters
from engine.acd.strategies import STRATEGIES, Candidate, SortKey, Strategy
from engine.calls.directory import Queue
from engine.ids import AgentName, CallId


@dataclass(slots=True, eq=False, kw_only=True)
class LiveMember:
    """An agent in this queue."""

    penalty: int
    joined: int
    resting: bool = False
    """Did not take this queue's offer a moment ago (busy, refused, silent): not asked again until `retry_s` is over.
    Other queues may ask."""


@dataclass(slots=True, eq=False, kw_only=True)
class LiveQueue:
    """The line and the idle members, each kept in order, so that a match is the two first ones."""

    config: Queue
    members: dict[AgentName, LiveMember] = field(default_factory=dict)
    callers: dict[CallId, Caller] = field(default_factory=dict)
    """Everybody in the line, in the order of arrival; those for whom agents ring too."""
    waiting: Ranking[CallId, float] = field(default_factory=Ranking)
    """Those for whom nobody rings, by arrival."""
    idle: Ranking[AgentName, SortKey] = field(default_factory=Ranking)
    """Members who may be offered a caller now, in the strategy's order."""
    counters: QueueCounters = field(default_factory=QueueCounters)
    _arrivals: list[int] = field(default_factory=list)
    """`Caller.arrival` of everybody in the line, rising; finds a position in O(log n)."""

    @property
    def strategy(self) -> Strategy:
        return STRATEGIES[self.config.strategy]

    @property
    def full(self) -> bool:
        """Whether a further caller must be refused."""
        return 0 < self.config.max_callers <= len(self.callers)

    def admit(self, caller: Caller) -> None:
        """Put the caller at the end of the line."""
        self.callers[caller.call] = caller
        self._arrivals.append(caller.arrival)

    def remove(self, caller: Caller) -> None:
        """Take a caller who does not wait any more out of the line."""
        del self.callers[caller.call]
        del self._arrivals[self.position(caller) - 1]

    def position(self, caller: Caller) -> int:
        """The caller's place in the line; 1 is next."""
        return bisect_left(self._arrivals, caller.arrival) + 1

    def rank(self, agent: AgentName, idle_since: float) -> None:
        """Count this member among the idle ones."""
        member = self.members[agent]
        candidate = Candidate(penalty=member.penalty, idle_since=idle_since, joined=member.joined)
        self.idle.put(agent, self.strategy.key(candidate))
