"""Who rings for whom: finds the next pair among the queues where something changed, and changes nothing.

Idle members and waiting callers are kept in order, so one match costs O(log n) with any number of agents; only a
strategy that rings everybody looks at everybody. An agent who becomes free and is a member of several queues serves the
one with the lower penalty for it; at equal penalty the caller who came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.acd.caller import Caller, CallerState
from engine.acd.offer import Offer
from engine.acd.queue import LiveQueue
from engine.acd.strategies import Reach
from engine.ids import AgentName, OfferId


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    queue: LiveQueue
    caller: Caller
    agents: tuple[AgentName, ...]
    """To be rung now, in this order; never empty."""


def next_match(queues: Iterable[LiveQueue], offers: Mapping[OfferId, Offer]) -> Match | None:
    """The most urgent match in these queues; None when there is nothing left to offer.

    `offers` are those that stand now.
    """
    best: Match | None = None
    best_rank: tuple[int, int] | None = None
    for queue in queues:
        agent = queue.idle.first()
        if agent is None:
            continue
        penalty = queue.members[agent].penalty
        caller = _caller_for(queue, penalty, offers)
        if caller is None:
            continue
        rank = (penalty, caller.arrival)
        if best_rank is None or rank < best_rank:
            best_rank = rank
            best = Match(queue=queue, caller=caller, agents=(agent,))
    if best is not None and best.queue.strategy.reach is Reach.ALL:
        return Match(queue=best.queue, caller=best.caller, agents=_everybody(best.queue))
    return best


def _caller_for(queue: LiveQueue, penalty: int, offers: Mapping[OfferId, Offer]) -> Caller | None:
    """Whom an idle member of this penalty should be rung for: the first for whom nobody rings; where all ring, the
    first for whom somebody of this penalty, or of a higher one, rings already."""
    first = queue.waiting.first()
    if first is not None:
        return queue.callers[first]
    if queue.strategy.reach is Reach.ALL:
        for caller in queue.callers.values():
            if caller.state is CallerState.OFFERED and penalty <= _penalty(queue, caller, offers):
                return caller
    return None


def _penalty(queue: LiveQueue, caller: Caller, offers: Mapping[OfferId, Offer]) -> int:
    """The highest penalty among those who ring for this caller."""
    return max(queue.members[offers[offer].agent].penalty for offer in caller.offers)


def _everybody(queue: LiveQueue) -> tuple[AgentName, ...]:
    """All idle members of the lowest penalty among them."""
    ranked = list(queue.idle)
    lowest = queue.members[ranked[0]].penalty
    return tuple(agent for agent in ranked if queue.members[agent].penalty == lowest)
