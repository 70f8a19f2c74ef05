from __future__ import annotations

from engine.sip.token_bucket import TimeBudget, TokenBucket


def test_so_many_at_once_and_so_many_a_second() -> None:
    bucket = TokenBucket(2.0, 3.0, 100.0)
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(100.4)
    assert bucket.take(100.5)
    assert not bucket.take(100.5)


def test_a_long_rest_fills_it_no_further() -> None:
    bucket = TokenBucket(2.0, 3.0, 0.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_asking_takes_nothing() -> None:
    bucket = TokenBucket(1.0, 1.0, 0.0)
    assert bucket.has(0.0)
    assert bucket.take(0.0)
    assert not bucket.has(0.9)
    assert bucket.has(1.0)


def test_only_a_share_of_the_time_may_be_spent() -> None:
    budget = TimeBudget(0.1, 0.2, 100.0)
    assert budget.left(100.0)
    budget.spend(0.3)
    assert not budget.left(100.0)
    assert not budget.left(100.9)
    assert budget.left(101.1)
    budget.spend(1.0)
    assert not budget.left(110.9)
    assert budget.left(111.2)


def test_time_that_was_not_spent_is_not_saved_up() -> None:
    budget = TimeBudget(0.1, 0.2, 0.0)
    assert budget.left(1000.0)
    budget.spend(0.2)
    assert not budget.left(1000.0)
