from __future__ import annotations

from engine.acd.strategies import STRATEGIES, Candidate, Reach, longest_idle
from engine.calls.directory import StrategyName


def test_every_strategy_that_a_queue_can_name_is_there() -> None:
    assert set(STRATEGIES) == set(StrategyName)


def test_only_ringall_rings_everybody() -> None:
    assert {name for name, strategy in STRATEGIES.items() if strategy.reach is Reach.ALL} == {StrategyName.RINGALL}


def test_the_penalty_goes_before_everything_in_every_strategy() -> None:
    low = Candidate(penalty=0, idle_since=900.0, joined=9)
    high = Candidate(penalty=1, idle_since=100.0, joined=1)
    for strategy in STRATEGIES.values():
        assert strategy.key(low) < strategy.key(high)
        assert strategy.key(low)[0] == 0


def test_longest_idle_takes_who_came_to_rest_first_and_then_who_joined_first() -> None:
    first = Candidate(penalty=0, idle_since=100.0, joined=7)
    second = Candidate(penalty=0, idle_since=200.0, joined=1)
    third = Candidate(penalty=0, idle_since=200.0, joined=2)
    assert sorted([third, second, first], key=longest_idle) == [first, second, third]
