"""How a queue chooses among its idle members: a strategy is one sort key per candidate, the lowest is asked first.

The idea is that of app_queue's `calc_metric`: the penalty is the high digits of the key, the strategy the low ones. The
key is computed when a member becomes idle and must hold until the member is taken, so that idle members can be kept in
order and none is looked at twice; what changes while idle (a time since something) is put in as the instant itself.

A further strategy is a function and a line in `STRATEGIES`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from engine.calls.directory import StrategyName

SortKey = tuple[float, ...]
"""Lowest first. The first element is always the penalty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What a strategy may look at."""

    penalty: int
    idle_since: float
    """Monotonic seconds: end of the last call and its wrap-up, or since becoming routable."""
    joined: int
    """Rises with every member that joins the queue."""


class Reach(StrEnum):
    """How many members ring for one caller."""

    ONE = "one"
    ALL = "all"
    """All idle members of the lowest penalty at once; the first to answer has the caller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    key: Callable[[Candidate], SortKey]
    reach: Reach = Reach.ONE


def longest_idle(candidate: Candidate) -> SortKey:
    """Who has waited longest for a call goes first; those who came at the same instant in the order of joining."""
    return (candidate.penalty, candidate.idle_since, candidate.joined)


def joining_order(candidate: Candidate) -> SortKey:
    """The order in which members joined the queue; for `ringall`, where it only decides whose phone is called first."""
    return (candidate.penalty, candidate.joined)


STRATEGIES: Final[dict[StrategyName, Strategy]] = {
    StrategyName.LONGEST_IDLE: Strategy(key=longest_idle),
    StrategyName.RINGALL: Strategy(key=joining_order, reach=Reach.ALL),
}
