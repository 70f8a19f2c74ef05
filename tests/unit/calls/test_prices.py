from __future__ import annotations

import pytest

from engine.calls.prices import Price, PriceList
from engine.calls.toll_rules import Numbering

GERMANY = Numbering(country="49")
LIST = """
# what our provider asks
+49,    0.01          # landlines
+4915,  0.09, 0, German mobile, all of it
0900,   1.99, 0.50
all,    2
"""


def test_the_longest_beginning_has_the_price() -> None:
    prices = PriceList.parse(LIST, GERMANY)
    assert prices.price("+4930") == Price(per_minute=0.01)
    assert prices.price("+491512") == Price(per_minute=0.09)
    assert prices.price("+499001") == Price(per_minute=1.99, per_call=0.5)
    assert prices.price("+881") == Price(per_minute=2)
    assert prices.price("") == Price(per_minute=2)


def test_what_is_not_in_the_list_has_no_price() -> None:
    assert PriceList.parse("+49, 1", GERMANY).price("+44") is None
    assert PriceList().price("+49") is None


def test_a_price_is_by_the_second_and_a_minute_is_asked_for_before() -> None:
    price = Price(per_minute=0.6, per_call=0.1)
    assert price.of(30) == pytest.approx(0.3)
    assert price.first_minute() == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("+49", "needs a beginning, a price per minute"),
        ("+49, x", "could not convert"),
        ("+49, -1", "a price is 0 or more"),
        ("+49, nan", "a price is 0 or more"),
        ("+49, 1, -1", "a price is 0 or more"),
        ("abc, 1", "no beginning of a number"),
        ("!+49, 1", "needs a beginning"),
        ("+49, 1\n0049, 2", "line 2: 0049 is there already"),
    ],
)
def test_what_cannot_be_read_is_told_by_line(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^line \d: ") as refused:
        PriceList.parse(line, GERMANY)
    assert said in str(refused.value)


def test_all_faults_are_told_but_not_thousands() -> None:
    with pytest.raises(ValueError, match="line 10") as refused:
        PriceList.parse("x\n" * 50, GERMANY)
    assert len(str(refused.value).splitlines()) == 10
