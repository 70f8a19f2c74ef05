from __future__ import annotations

import pytest

from engine.errors import Unavailable
from engine.media.commands import CloseLeg, OpenLeg
from engine.media.events import LegFailed, LegOpened, Spares
from engine.media.stock import FULL, Stock
from tests.support.media_fakes import Bench


class Range:
    """Pairs to be bound, from 20002 on."""

    def __init__(self, pairs: int) -> None:
        self.free = list(range(20002, 20002 + 2 * pairs, 2))
        self.asked = 0
        self.told: list[object] = []
        self.stock = Stock(pairs, self.bind, self.told.append)

    def bind(self) -> int:
        self.asked += 1
        if not self.free:
            raise Unavailable("none left")
        return self.free.pop(0)


def test_it_is_filled_and_told_once_and_again_when_more_than_half_is_gone() -> None:
    pairs = Range(1000)
    pairs.stock.top_up()
    pairs.stock.top_up()
    first = tuple(range(20002, 20002 + 2 * FULL, 2))
    assert pairs.told == [Spares(ports=first)]

    for port in first[: FULL // 2]:
        assert pairs.stock.take(port)
    pairs.stock.top_up()
    assert len(pairs.told) == 1
    assert pairs.stock.take(first[-1])
    pairs.stock.top_up()
    begin = first[-1] + 2
    assert pairs.told[1:] == [Spares(ports=tuple(range(begin, begin + 2 * (FULL // 2 + 1), 2)))]


def test_a_pair_is_taken_once_and_only_if_it_is_spare() -> None:
    pairs = Range(8)
    pairs.stock.top_up()
    assert [pairs.stock.take(port) for port in (20002, 20002, 20006)] == [True, False, False]
    assert pairs.stock.all() == [Spares(ports=(20004,))]
    assert (pairs.stock.give(), pairs.stock.give(), pairs.stock.all()) == (20004, None, [])


def test_of_a_small_range_a_fourth_is_spare() -> None:
    pairs = Range(10)
    pairs.stock.top_up()
    assert pairs.told == [Spares(ports=(20002, 20004))]


def test_a_range_that_is_used_up_is_not_searched_again_and_again() -> None:
    pairs = Range(8)
    pairs.free.clear()
    for _ in range(5):
        pairs.stock.top_up()
    assert (pairs.asked, pairs.told) == (1, [])
    pairs.free.append(20016)
    pairs.stock.look_again()
    pairs.stock.top_up()
    assert pairs.told == [Spares(ports=(20016,))]


# --- on the switchboard ---


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.board.stock.top_up()
    return made


def test_a_leg_on_a_spare_pair_is_open_without_an_answer(bench: Bench) -> None:
    (spares,) = bench.told()
    assert isinstance(spares, Spares)
    bench.do(OpenLeg(leg="a", tag="", port=spares.ports[1]))
    assert bench.told() == []
    assert bench.board.legs["a"].port == spares.ports[1]
    bench.do(OpenLeg(leg="b", tag="", port=spares.ports[1]))
    (failed,) = bench.told()
    assert failed == LegFailed(leg="b", command="OpenLeg", reason=f"port {spares.ports[1]} is none of the spare ones")


def test_who_asks_for_no_certain_pair_gets_the_spare_ones_last(bench: Bench) -> None:
    (spares,) = bench.told()
    assert isinstance(spares, Spares)
    free = len(bench.wire.free)
    bench.do(*[OpenLeg(leg=str(number), tag="") for number in range(free + len(spares.ports) + 1)])
    *opened, failed = bench.told()
    ports = [event.port for event in opened if isinstance(event, LegOpened)]
    assert set(ports[:free]).isdisjoint(spares.ports)
    assert ports[free:] == list(spares.ports)
    assert isinstance(failed, LegFailed)
    bench.do(CloseLeg(leg="0"))
