from __future__ import annotations

from collections import Counter

from engine.calls.trunk import TrunkGroup
from engine.calls.trunk_choice import TrunkChoice
from engine.ids import GroupName, TrunkName


def group(*members: str) -> TrunkGroup:
    return TrunkGroup(name=GroupName("out"), members=members)


def everybody(_: TrunkName) -> bool:
    return True


def firsts(choice: TrunkChoice, of: TrunkGroup, calls: int, without: str = "") -> str:
    return "".join(choice.order(of, lambda trunk: trunk not in without)[0] for _ in range(calls))


def test_lower_priorities_go_first_whatever_their_weight() -> None:
    assert TrunkChoice().order(group("c:3", "a:1:1", "b:2:100"), everybody) == ["a", "b", "c"]


def test_calls_are_shared_by_weight_evenly_and_not_in_runs() -> None:
    shared = firsts(TrunkChoice(), group("a:1:5", "b:1:1", "c:1:1"), 7)
    assert Counter(shared) == {"a": 5, "b": 1, "c": 1}
    assert shared == "aabacaa"
    assert firsts(TrunkChoice(), group("a", "b"), 6) == "ababab"


def test_everybody_of_a_priority_is_in_the_order_once_and_those_without_weight_last() -> None:
    choice, of = TrunkChoice(), group("z:1:0", "a:1:3", "b:1:1", "later:2")
    for _ in range(5):
        order = choice.order(of, everybody)
        assert sorted(order[:2]) == ["a", "b"]
        assert order[2:] == ["z", "later"]


def test_who_cannot_be_used_leaves_its_calls_to_the_others_by_weight_and_gains_nothing() -> None:
    of, choice = group("a:1:5", "b:1:2", "c:1:1"), TrunkChoice()
    assert Counter(firsts(choice, of, 30, without="a")) == {"b": 20, "c": 10}
    assert Counter(firsts(choice, of, 16)) == {"a": 10, "b": 4, "c": 2}


def test_where_the_first_priority_is_dead_the_second_shares_the_calls() -> None:
    of = group("a:1", "b:2:3", "c:2:1")
    assert Counter(firsts(TrunkChoice(), of, 8, without="a")) == {"b": 6, "c": 2}
    assert TrunkChoice().order(of, lambda trunk: False) == []


def test_a_changed_group_begins_anew() -> None:
    choice = TrunkChoice()
    assert firsts(choice, group("a", "b"), 1) == "a"
    assert firsts(choice, group("a", "b"), 1) == "a"
    same = group("a", "b")
    assert firsts(choice, same, 1) == "a"
    choice.forget(same.name)
    assert firsts(choice, same, 2) == "ab"
