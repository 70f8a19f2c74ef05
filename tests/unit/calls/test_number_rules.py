from __future__ import annotations

import time

import pytest

from engine.calls.events import Party
from engine.calls.number_rules import NumberRules, RuleError, dialable


@pytest.mark.parametrize(
    ("rules", "number", "wanted"),
    [
        (["strip:2"], "00493012", "493012"),
        (["strip:9"], "123", ""),
        (["prefix:+49"], "3012", "+493012"),
        (["strip:1", "prefix:+49"], "03012", "+493012"),
        (["prefix:+49", "strip:1"], "03012", "4903012"),
        (["e164:49"], "03012", "+493012"),
        (["e164:49"], "004412", "+4412"),
        (["e164:49"], "+4412", "+4412"),
        (["e164:49"], "110", "110"),
        ([r"replace:\+49(.*):0\1"], "+493012", "03012"),
        ([r"replace:\+49(.*):0\1"], "+443012", "+443012"),
        ([r"replace:(1)(2|)3:\1x\2"], "13", "1x"),
        (["replace:[0-3]+:7"], "4012", "4012"),
        (["replace:[0-3]+:7"], "012", "7"),
        ([r"replace:1{3}:"], "111", ""),
        ([], "12", "12"),
    ],
)
def test_a_number_is_changed_in_the_order_of_the_rules(rules: list[str], number: str, wanted: str) -> None:
    assert NumberRules.of(rules).number(number) == wanted


def test_a_caller_is_changed_or_hidden() -> None:
    caller = Party(number="03012", display="Anna")
    assert NumberRules.of(["e164:49"]).party(caller) == Party(number="+493012", display="Anna")
    assert NumberRules.of(["e164:49", "anonymous"]).party(caller) == Party(number="", display="")
    assert NumberRules.of([]).party(caller) is caller


def test_the_country_of_a_rule_is_known() -> None:
    assert NumberRules.of(["strip:1", "e164:49"]).country == "49"
    assert NumberRules.of(["strip:1"]).country == ""


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("", "is no rule"),
        ("strip", "is no rule"),
        ("shout:2", "there are: strip:N, prefix:TEXT, e164:COUNTRY, replace:REGEX:TEXT, anonymous"),
        ("strip:-1", "whole number 0 to 32"),
        ("strip:33", "whole number 0 to 32"),
        ("prefix:", "needs digits"),
        ("prefix:a b", "needs digits"),
        ("prefix:1@evil", "needs digits"),
        ("e164:049", "country code"),
        ("e164:", "country code"),
        ("replace:1", "a colon and a text"),
        ("replace::1", "a regular expression"),
        (r"replace:1:\1", "0 groups"),
        (r"replace:(1):\0", "1 groups"),
        (r"replace:1:a@b", "the text may have"),
        ("replace:1:a;b", "the text may have"),
        ("replace:(1+)+:2", "only a character or a .set. may be repeated"),
        ("replace:1**:2", "only a character or a .set. may be repeated"),
        ("replace:(?=1)1:2", "not allowed"),
        (r"replace:(1)\1:2", "not allowed"),
        ("replace:1*2*3*4*:2", "more than 3"),
        ("replace:1|2|3|4|5:2", "more than 3"),
        ("replace:(1)(1)(1)(1)(1)(1)(1)(1)(1)(1):2", "more than 9 groups"),
        ("replace:(1:2", "cannot be used"),
        ("replace:[1:2", "not allowed"),
        ("x" * 200, "at most 128"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_would_be(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        NumberRules.of([rule])


def test_only_callers_can_be_anonymous_and_rules_are_not_endless() -> None:
    with pytest.raises(RuleError, match="for callers"):
        NumberRules.of(["anonymous"], callers=False)
    with pytest.raises(RuleError, match=r"there are: [^ ]+, [^ ]+, [^ ]+, replace:REGEX:TEXT$"):
        NumberRules.of(["x:1"], callers=False)
    with pytest.raises(RuleError, match="more than 16"):
        NumberRules.of(["strip:1"] * 17)


@pytest.mark.parametrize("regex", ["[0-9]*[0-9]*[0-9]*x", "1*1*1*x", ".*.*.*x", "1?[1]{1,64}1*x", "1*1{9}1{9}1{9}"])
def test_the_worst_expression_that_is_allowed_is_quick(regex: str) -> None:
    try:
        rules = NumberRules.of([f"replace:{regex}:2"])
    except RuleError:
        return
    begun = time.process_time()
    assert rules.number("1" * 10_000) == "1" * 64
    assert time.process_time() - begun < 0.1


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        ("+49 (30) 123-45/6", "+4930123456"),
        ("0-0.44", "0044"),
        ("*21#", "*21#"),
        ("sales.desk_2", "sales.desk_2"),
        ("", None),
        ("1@evil.example", None),
        ("1;phone-context=x", None),
        ("1\r\nEvil: 1", None),
        ("1%0d", None),
        ("1?Route=x", None),
        ("1<x>", None),
        ('1"', None),
        ("1:2", None),
        ("1&2", None),
        ("1,2", None),
        ("\u0663", None),
        ("1" * 65, None),
    ],
)
def test_only_a_number_is_dialable(number: str, wanted: str | None) -> None:
    assert dialable(number) == wanted
