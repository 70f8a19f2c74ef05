"""The short form of `make soak`: half an hour in virtual time."""

from __future__ import annotations

from tests.bench.soak import LongDay


def test_half_an_hour_leaves_nothing_behind() -> None:
    day = LongDay(seed=3).run(0.5)
    assert day.calls > 50
    assert day.connected > day.calls / 3
