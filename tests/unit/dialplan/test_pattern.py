from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dialplan.pattern import PatternError, dialled, parse


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("600", ["600"], ["60", "6000", "601", ""]),
        ("*11", ["*11"], ["11", "*1"]),
        ("alice", ["alice"], ["Alice", "alic"]),
        ("+4930", ["+4930"], ["4930"]),
        ("555-1234", ["5551234"], ["555"]),
        ("_6XX", ["600", "699"], ["60", "6000", "6A0", "700"]),
        ("_6xx", ["600"], ["6xx"]),
        ("_Z", ["1", "9"], ["0"]),
        ("_N", ["2", "9"], ["1", "0"]),
        ("_[15-7]", ["1", "5", "6", "7"], ["2", "4", "8", "-"]),
        ("_[a-c*]", ["a", "b", "*"], ["d"]),
        ("_[5-]", ["5", "-"], ["6"]),
        ("_9NXXXXXX.", ["92345678.", "923456789012"], ["92345678", "91345678901"]),
        ("_9.", ["91", "9+49#*"], ["9", "8"]),
        ("_9!", ["9", "91"], ["8", ""]),
        ("_X!", ["1", "10"], ["", "a"]),
        ("_!", ["", "anything"], []),
        ("_5-5-X", ["551"], ["5-5-1"]),
        ("_*1X", ["*10"], ["10"]),
        ("_+49.", ["+491"], ["449", "491"]),
    ],
)
def test_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    found = parse(pattern)
    assert [number for number in matching if not found.matches(number)] == []
    assert [number for number in others if found.matches(number)] == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("6XX", 'write "_6XX"'),
        ("9.", 'write "_9."'),
        ("60 0", "allowed in a number"),
        ("sip:6", "allowed in a number"),
        ("---", "more than dashes"),
        ("_", "followed by a pattern"),
        ("_-", "followed by a pattern"),
        ("_9.X", "'.' must be the last"),
        ("_9!!", "'!' must be the last"),
        ("_9[12", "place 2 is never closed"),
        ("_9[]", "admits nothing"),
        ("_[7-3]", "runs backwards"),
        ("_9]", "cannot stand in a pattern"),
        ("_9 X", "cannot stand in a pattern"),
    ],
)
def test_what_is_no_pattern_says_why(pattern: str, message: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse(pattern)
    assert message in str(caught.value)


# The ranks are those of Asterisk's `ext_cmp_pattern_pos` (main/pbx.c).
@pytest.mark.parametrize(
    "order",
    [
        ["_9011.", "_9XXX.", "_9."],
        ["_12345", "_1234.", "_12X."],
        ["_6[12]X", "_6NX", "_6ZX", "_6XX", "_6.", "_6!"],
        ["_NXX", "_XXX"],
        ["_9NXX.", "_9X5"],  # the first difference decides, not the length
        ["_5X.", "_5X!", "_5X"],
        ["_[12]", "_[13]", "_[23]"],
    ],
)
def test_the_more_specific_pattern_goes_first(order: list[str]) -> None:
    patterns = [parse(text) for text in reversed(order)]
    assert [p.text for p in sorted(patterns, key=lambda p: p.rank)] == order


def test_two_ways_of_writing_one_pattern_are_one() -> None:
    assert parse("_6xX").text == parse("_6-XX").text == "_6XX"
    assert parse("6-00").text == "600"


@pytest.mark.parametrize(
    ("pattern", "shortest"), [("600", 3), ("_6XX", 3), ("_9.", 2), ("_9!", 1), ("_[1-3]5!", 2), ("_!", 0)]
)
def test_the_shortest_number_that_matches(pattern: str, shortest: int) -> None:
    assert parse(pattern).shortest == shortest


def test_dashes_in_a_dialled_number_are_not_looked_at() -> None:
    assert dialled("555-12-34") == "5551234"


@given(st.text(max_size=12))
def test_any_text_is_a_pattern_or_says_why_not(text: str) -> None:
    try:
        found = parse(text)
    except PatternError:
        return
    assert parse(found.text) == found
