from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.calls.events import FromAgent, FromTrunk, Origin
from engine.calls.routing import Feature, NoRoute, Router, ToEcho, ToFeature, ToGroup, ToQueue, ToTrunk
from engine.dialplan.router import DialplanRouter
from engine.ids import AgentName, GroupName, QueueName, TrunkName
from tests.support.dialplans import dialplan, extension

AGENT = FromAgent(agent=AgentName("anna"))
TRUNK = FromTrunk(trunk=TrunkName("pbx"))

OUT = extension("outbound", "_9.", 'trunk = "isp"\nstrip = 1\nprefix = "00"\nring_timeout_s = 45')
ROUTER = DialplanRouter(
    dialplan(
        '[context.agents]\ninclude = ["inside", "outbound"]\n'
        '[context.closed]\ninclude = ["inside", "outbound"]\n'
        '[context.open]\ntrunk_to_trunk = true\ninclude = ["outbound"]\n'
        '[context.tricked]\ninclude = ["open"]\n'
        + extension("inside", "600", 'queue = "sales"')
        + extension("inside", "_X!", "echo = true")
        + extension("inside", "*12", 'feature = "break"\nreason = "lunch"')
        + OUT
    )
)


def route(called: str, *, context: str = "agents", origin: Origin = AGENT) -> object:
    router: Router = ROUTER
    return router.route(context=context, called=called, origin=origin)


def test_a_number_goes_where_the_dialplan_says() -> None:
    assert route("600") == ToQueue(queue=QueueName("sales"))
    assert route("*12") == ToFeature(feature=Feature.BREAK, reason="lunch")
    assert route("7") == ToEcho()
    assert route("600", context="closed", origin=TRUNK) == ToQueue(queue=QueueName("sales"))


def test_dashes_are_not_looked_at_and_do_not_go_out() -> None:
    assert route("6-00") == ToQueue(queue=QueueName("sales"))
    out = route("9-030-1234", context="outbound")
    assert out == ToTrunk(trunk=TrunkName("isp"), number="000301234", ring_timeout_s=45)


def test_nothing_from_a_trunk_goes_to_a_trunk() -> None:
    found = route("90301234", context="outbound", origin=TRUNK)
    assert isinstance(found, NoRoute)
    assert found.forbidden
    assert "context 'outbound' does not say trunk_to_trunk = true" in found.explanation


def test_unless_the_context_through_which_it_entered_says_so() -> None:
    assert isinstance(route("90301234", context="open", origin=TRUNK), ToTrunk)


def test_an_included_context_that_allows_it_does_not_count() -> None:
    found = route("90301234", context="tricked", origin=TRUNK)
    assert isinstance(found, NoRoute)
    assert found.forbidden


def test_feature_codes_are_for_agents() -> None:
    found = route("*12", context="closed", origin=TRUNK)
    assert isinstance(found, NoRoute)
    assert found.forbidden
    assert "only agents" in found.explanation


def test_no_route_says_where_was_searched_and_what_is_near() -> None:
    found = route("*1")
    assert found == NoRoute(explanation="nothing matches '*1' in agents, inside, outbound; nearest: *12")


def test_a_context_that_is_not_there() -> None:
    found = route("600", context="inbound")
    assert isinstance(found, NoRoute)
    assert not found.forbidden
    assert found.explanation == (
        "no context 'inbound' in plan.toml; there are: agents, closed, open, tricked, inside, outbound"
    )


@pytest.mark.parametrize("origin", [AGENT, TRUNK])
@given(called=st.text(max_size=80), context=st.sampled_from(["agents", "closed", "open", "nope"]))
def test_it_never_raises_and_no_trunk_reaches_a_trunk(origin: Origin, called: str, context: str) -> None:
    found = ROUTER.route(context=context, called=called, origin=origin)
    if origin is TRUNK and context != "open":
        assert not isinstance(found, ToTrunk | ToFeature)


def test_a_long_number_of_a_stranger_is_not_repeated_whole() -> None:
    found = route("*" * 5000)
    assert isinstance(found, NoRoute)
    assert len(found.explanation) < 200


def test_a_group_of_trunks_is_as_shut_to_trunks_as_one() -> None:
    plan = dialplan(extension("agents", "_0.", 'trunk_group = "out"\nstrip = 1\nring_timeout_s = 45'))
    router = DialplanRouter(plan)
    found = router.route(context="agents", called="0301", origin=FromAgent(agent=AgentName("anna")))
    assert found == ToGroup(group=GroupName("out"), number="301", ring_timeout_s=45)
    refused = router.route(context="agents", called="0301", origin=FromTrunk(trunk=TrunkName("isp")))
    assert isinstance(refused, NoRoute)
    assert refused.forbidden
