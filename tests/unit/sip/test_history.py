from __future__ import annotations

import pytest

from engine.sip.headers import NameAddr, parse_name_addr_list
from engine.sip.history import retargeted
from engine.sip.limits import MAX_HISTORY


def entries(text: str) -> tuple[NameAddr, ...]:
    return parse_name_addr_list(text)


def last(text: str) -> str:
    return str(retargeted(entries(text), "100", "h.example")[-1])


def test_an_entry_is_one_level_below_the_last() -> None:
    assert last("<sip:1@a>;index=1") == "<sip:100@h.example>;index=1.1;rc=1"
    assert last("<sip:1@a>;index=1, <sip:2@a>;index=1.2") == "<sip:100@h.example>;index=1.2.1;rc=1.2"


@pytest.mark.parametrize("index", ["", ";index", ";index=x", ";index=1..2", f";index={'.'.join('1' * 16)}"])
def test_without_a_usable_index_nothing_is_told(index: str) -> None:
    assert retargeted(entries(f"<sip:1@a>{index}"), "100", "h.example") == ()


def test_the_oldest_are_left_out_past_the_bound() -> None:
    many = entries(", ".join(f"<sip:{number}@a>;index=1.{number}" for number in range(30)))
    told = retargeted(many, "100", "h.example")
    assert len(told) == MAX_HISTORY
    assert told[-2].uri.user == "29"
