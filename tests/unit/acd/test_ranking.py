from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.acd.ranking import Ranking


def test_the_lowest_key_is_first_and_equal_keys_keep_the_order_of_putting() -> None:
    ranking: Ranking[str, float] = Ranking()
    for item, key in (("c", 2.0), ("a", 1.0), ("b", 1.0)):
        ranking.put(item, key)
    assert list(ranking) == ["a", "b", "c"]
    assert (ranking.first(), ranking.first_key(), len(ranking)) == ("a", 1.0, 3)


def test_putting_an_item_again_moves_it() -> None:
    ranking: Ranking[str, float] = Ranking()
    ranking.put("a", 1.0)
    ranking.put("b", 2.0)
    ranking.put("a", 3.0)
    assert list(ranking) == ["b", "a"]
    assert ranking.first() == "b"


def test_an_empty_ranking_has_no_first() -> None:
    ranking: Ranking[str, float] = Ranking()
    ranking.put("a", 1.0)
    ranking.discard("a")
    ranking.discard("a")
    assert (ranking.first(), ranking.first_key(), len(ranking)) == (None, None, 0)
    assert "a" not in ranking


def test_memory_follows_what_is_alive_not_what_ever_was() -> None:
    ranking: Ranking[int, float] = Ranking()
    ranking.put(-1, 0.0)  # stays on top, so that nothing below is ever dropped by looking
    for item in range(10_000):
        ranking.put(item, 1.0 + item)
        ranking.discard(item)
    assert len(ranking._heap) < 200
    for turn in range(10_000):
        ranking.put(-2, 1.0 + turn)
    assert len(ranking._heap) < 200


@given(st.lists(st.tuples(st.integers(0, 8), st.one_of(st.none(), st.integers(0, 5)))))
def test_it_orders_like_a_sorted_dict(steps: list[tuple[int, int | None]]) -> None:
    ranking: Ranking[int, float] = Ranking()
    model: dict[int, tuple[int, int]] = {}
    for turn, (item, key) in enumerate(steps):
        if key is None:
            ranking.discard(item)
            model.pop(item, None)
        else:
            ranking.put(item, float(key))
            model[item] = (key, turn)
        expected = sorted(model, key=lambda known: model[known])
        assert list(ranking) == expected
        assert ranking.first() == (expected[0] if expected else None)
