from __future__ import annotations

from dataclasses import replace

from engine.calls.directory import Trunk
from engine.calls.trunk_load import TokenBucket, TrunkLoad
from engine.calls.trunk_records import TrunkFailure
from engine.ids import TrunkName

PBX = Trunk(name=TrunkName("pbx"), host="192.0.2.1")
FULL, FAST = TrunkFailure.FULL, TrunkFailure.TOO_FAST


def begun(bucket: TokenBucket, now: float) -> bool:
    if not bucket.has(now):
        return False
    bucket.take(now)
    return True


def test_a_bucket_gives_its_rate_and_a_second_of_it_at_once() -> None:
    bucket = TokenBucket(4, 0)
    assert [begun(bucket, 0) for _ in range(5)] == [True] * 4 + [False]
    assert sum(begun(bucket, n / 100) for n in range(1, 1001)) == 40
    assert sum(begun(bucket, 1000) for _ in range(10)) == 4, "no more than a second's worth is saved"


def test_less_than_one_a_second_still_gives_one() -> None:
    bucket = TokenBucket(0.5, 0)
    assert [begun(bucket, at) for at in (0, 1, 1.9, 2, 3.9, 4)] == [True, False, False, True, False, True]


def test_limits_of_each_direction_and_of_both() -> None:
    load, trunk = TrunkLoad(), replace(PBX, max_in=2, max_out=2, max_calls=3)
    for begin in (load.begin_in, load.begin_out, load.begin_out):
        assert load.full_in(trunk, 0) is None
        begin(0)
    assert load.full_in(trunk, 0) is FULL, "three in all"
    assert load.full_out(trunk, 0) is FULL
    load.calls_out -= 1
    assert (load.full_in(trunk, 0), load.full_out(trunk, 0)) == (None, None)
    load.begin_in(0)
    load.calls_out -= 1
    assert (load.full_in(trunk, 0), load.full_out(trunk, 0)) == (FULL, None), "two in"
    assert TrunkLoad().full_in(PBX, 0) is None


def test_rates_of_each_direction() -> None:
    load, trunk = TrunkLoad(), replace(PBX, cps_in=1, cps_out=2)
    seen = []
    for _ in range(3):
        seen.append((load.full_in(trunk, 0), load.full_out(trunk, 0)))
        load.begin_in(0)
        load.begin_out(0)
    assert seen == [(None, None), (FAST, None), (FAST, FAST)]
    load.rates_changed()
    assert (load.full_in(PBX, 0), load.full_out(PBX, 0)) == (None, None)
