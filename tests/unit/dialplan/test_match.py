from __future__ import annotations

import pytest

from engine.dialplan.match import find, reach
from tests.support.dialplans import dialplan, extension

PLAN = dialplan(
    '[context.agents]\ninclude = ["inside", "outbound"]\n'
    '[context.inside]\ninclude = ["deep"]\n'
    '[context.outbound]\ninclude = ["deep"]\n'
    + "".join(
        extension(context, number, "echo = true")
        for context, number in (
            ("agents", "_6XX"),
            ("agents", "_60X"),
            ("agents", "605"),
            ("inside", "600"),
            ("inside", "_7."),
            ("deep", "88"),
            ("deep", "777"),
            ("outbound", "_8X"),
            ("outbound", "_7XX"),
            ("secret", "999"),
        )
    )
)


@pytest.mark.parametrize(
    ("number", "context", "pattern"),
    [
        ("605", "agents", "605"),  # written out goes before patterns
        ("600", "agents", "_60X"),  # the more specific pattern; own context before what an include has written out
        ("650", "agents", "_6XX"),
        ("777", "inside", "_7."),  # the first include before the second, and before its own includes
        ("88", "deep", "88"),  # an include of the first include before the second
        ("81", "outbound", "_8X"),
    ],
)
def test_what_is_found(number: str, context: str, pattern: str) -> None:
    match = find(PLAN, "agents", number)
    assert match is not None
    assert (match.context.name, match.extension.pattern.text) == (context, pattern)


@pytest.mark.parametrize(("context", "number"), [("agents", "999"), ("inside", "81"), ("agents", ""), ("nope", "600")])
def test_a_context_reaches_what_it_includes_and_nothing_else(context: str, number: str) -> None:
    assert find(PLAN, context, number) is None


def test_contexts_are_searched_in_the_order_of_the_includes_each_once() -> None:
    assert [context.name for context in reach(PLAN, "agents")] == ["agents", "inside", "deep", "outbound"]
    assert [context.name for context in reach(PLAN, "secret")] == ["secret"]
