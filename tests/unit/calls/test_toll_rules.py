from __future__ import annotations

import pytest

from engine.calls.toll_rules import Destinations, Numbering, check_destination

GERMANY = Numbering(country="49")
AMERICA = Numbering(country="1", international="011", national="1")
NOWHERE = Numbering()


@pytest.mark.parametrize(
    ("numbering", "number", "wanted"),
    [
        (GERMANY, "004930123", "+4930123"),
        (GERMANY, "030123", "+4930123"),
        (GERMANY, "+4930123", "+4930123"),
        (GERMANY, "110", "110"),
        (AMERICA, "14155550100", "+14155550100"),
        (AMERICA, "01149301", "+49301"),
        (NOWHERE, "030123", "030123"),
        (NOWHERE, "0049", "+49"),
        (GERMANY, "+0044", "+44"),
        (GERMANY, "00044", "+44"),
    ],
)
def test_a_number_has_one_form(numbering: Numbering, number: str, wanted: str) -> None:
    assert numbering.canonical(number) == wanted


@pytest.mark.parametrize(
    ("numbering", "number", "wanted"),
    [
        (GERMANY, "030123", ()),
        (GERMANY, "+44301", ()),
        (GERMANY, "*31#0044", ("310044", "31", "1", "+44")),
        (GERMANY, "*6709", ("6709", "709", "+499", "9")),
        (GERMANY, "*1110044", ("1110044", "110044", "10044", "+44")),
        (GERMANY, "+490900", ("+49900",)),
        (GERMANY, "+490049044", ("+49044", "+4944")),
        (GERMANY, "w+490900", ("490900", "+490900", "+49900")),
        (GERMANY, "0_044", ("+44", "+49", "+4944")),
        (GERMANY, "sales.desk_2", ("2",)),
        (GERMANY, "sales", ()),
        (AMERICA, "*67011443", ("67011443", "7011443", "+443", "+11443", "+1443")),
        (Numbering(country="39", national=""), "+390612", ()),
        (NOWHERE, "+490900", ()),
    ],
)
def test_what_a_number_may_hide(numbering: Numbering, number: str, wanted: tuple[str, ...]) -> None:
    assert numbering.hidden(number) == wanted


def test_a_part_of_a_number_is_let_by_home_unless_forbidden_and_abroad_if_allowed() -> None:
    listed = Destinations(["+44", "!0900"], GERMANY)
    assert listed.lets("31", abroad=False)
    assert not listed.lets("+499001", abroad=False)
    assert not listed.lets("+33", abroad=True)
    assert listed.lets("+4420", abroad=True)


def test_abroad_is_what_is_in_no_country_of_ours() -> None:
    assert GERMANY.abroad("+4412")
    assert not GERMANY.abroad("+4912")
    assert not GERMANY.abroad("4412")
    assert NOWHERE.abroad("+4912")
    assert not NOWHERE.abroad("+4912", "49")
    assert NOWHERE.abroad("+4912", "")


def test_the_longest_beginning_decides() -> None:
    listed = Destinations(["+44", "!0044 7".replace(" ", ""), "+44790", "0900", "!0900123"], GERMANY)
    assert [
        listed.allow(GERMANY.canonical(number)) for number in ("004420", "00447", "0044790", "09001", "0900123")
    ] == [
        True,
        False,
        True,
        True,
        False,
    ]
    assert listed.allow("+4930") is False, "what is not in a list that names some is not allowed"


def test_a_list_that_only_forbids_says_nothing_of_the_rest() -> None:
    assert Destinations([], GERMANY).allow("+44") is None
    forbids = Destinations(["!0900"], GERMANY)
    assert forbids.allow("+499001") is False
    assert forbids.allow("+4930") is None
    assert forbids.allow("") is None


def test_all_is_everything() -> None:
    assert Destinations(["all"], GERMANY).allow("+881") is True
    assert Destinations(["!all", "110"], GERMANY).allow("+881") is False
    assert Destinations(["!all", "110"], GERMANY).allow("110") is True


@pytest.mark.parametrize("entry", ["", "!", "a", "+44x", "+44 20", "1" * 21, "!!1"])
def test_what_is_no_beginning_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="is no beginning of a number"):
        check_destination(entry)


@pytest.mark.parametrize("entry", ["all", "!all", "+", "0049", "!+44", "*21", "#"])
def test_what_is_one_is_taken(entry: str) -> None:
    check_destination(entry)
