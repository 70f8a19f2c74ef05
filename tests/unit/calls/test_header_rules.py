from __future__ import annotations

import pytest

from engine.calls.header_rules import HeaderRules
from engine.calls.number_rules import RuleError


def test_headers_are_added_with_the_numbers_of_the_call() -> None:
    rules = HeaderRules.of(
        [
            "header-add:x-account:7:8",
            "header-add:p-asserted-identity: <sip:{caller}@{domain}>",
            "header-add:X-To:{called}",
        ]
    )
    assert rules.headers(caller="+4930", called="112", domain="example.com") == (
        ("x-account", "7:8"),
        ("P-Asserted-Identity", "<sip:+4930@example.com>"),
        ("X-To", "112"),
    )
    assert rules.removed == frozenset()


def test_headers_are_removed_by_name() -> None:
    rules = HeaderRules.of(["header-remove:Diversion", "header-remove:X-Mine"])
    assert rules.removed == {"diversion", "x-mine"}
    assert rules.added == ()


@pytest.mark.parametrize(
    "name", ["Via", "Route", "Contact", "From", "Content-Length", "Authorization", "Replaces", "X-", ""]
)
def test_nothing_that_routes_proves_or_frames_can_be_touched(name: str) -> None:
    for rule in (f"header-add:{name}:x", f"header-remove:{name}"):
        with pytest.raises(RuleError, match="may not be changed"):
            HeaderRules.of([rule])


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("header-add:X-A:a\r\nEvil: 1", "printable ASCII"),
        ("header-add:X-A:", "1 to 256"),
        ("header-add:X-A:" + "x" * 257, "1 to 256"),
        ("header-add:X-A:\u00e4", "printable ASCII"),
        ("header-add:X-A:{secret}", "places are"),
        ("header-add:X-A", "is no rule"),
        ("header-remove:X-A:1", "is no rule"),
        ("header-set:X-A:1", "is no rule"),
    ],
)
def test_what_is_no_rule_is_refused(rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        HeaderRules.of([rule])


def test_rules_are_not_endless() -> None:
    with pytest.raises(RuleError, match="more than 16"):
        HeaderRules.of(["header-remove:X-A"] * 17)
