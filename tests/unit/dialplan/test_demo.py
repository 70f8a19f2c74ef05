"""The dialplan that comes with Hearthline does what its comments and the README say."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.calls.events import FromAgent, FromTrunk
from engine.calls.routing import (
    Feature,
    NoRoute,
    Route,
    ToAgent,
    ToAnnouncement,
    ToEcho,
    ToFeature,
    ToQueue,
    ToReject,
    ToTrunk,
)
from engine.dialplan.load import load_dialplan
from engine.dialplan.router import DialplanRouter
from engine.ids import AgentName, QueueName, TrunkName
from tests.support.dialplans import write_wav

DEMO = Path(__file__).parents[3] / "dialplans" / "demo.toml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> DialplanRouter:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copy(DEMO, folder)
    write_wav(folder / "sounds" / "announcement.wav")
    return DialplanRouter(load_dialplan(folder / "demo.toml"))


def dial(demo: DialplanRouter, number: str) -> tuple[Route, Route]:
    """What an agent gets, and what a caller from a trunk gets."""
    agent = demo.route(context="agents", called=number, origin=FromAgent(agent=AgentName("anna")))
    trunk = demo.route(context="from-trunk", called=number, origin=FromTrunk(trunk=TrunkName("asterisk")))
    return agent, trunk


@pytest.mark.parametrize(
    ("number", "route"),
    [
        ("600", ToQueue(queue=QueueName("demo"))),
        ("601", ToEcho()),
        ("603", ToReject(status=486, reason="Busy Here")),
    ],
)
def test_what_everybody_may_dial(demo: DialplanRouter, number: str, route: Route) -> None:
    assert dial(demo, number) == (route, route)


def test_the_announcement(demo: DialplanRouter) -> None:
    for found in dial(demo, "602"):
        assert isinstance(found, ToAnnouncement)
        assert found.file.endswith("sounds/announcement.wav")


@pytest.mark.parametrize(
    ("number", "route"),
    [
        ("100", ToAgent(agent=AgentName("demo-agent"), ring_timeout_s=30)),
        ("*10", ToFeature(feature=Feature.STATUS)),
        ("*11", ToFeature(feature=Feature.AVAILABLE)),
        ("*12", ToFeature(feature=Feature.BREAK, reason="phone")),
        ("9030123", ToTrunk(trunk=TrunkName("asterisk"), number="030123", ring_timeout_s=60)),
    ],
)
def test_what_only_agents_may_dial(demo: DialplanRouter, number: str, route: Route) -> None:
    agent, trunk = dial(demo, number)
    assert agent == route
    assert isinstance(trunk, NoRoute)


def test_sounds_and_dialplan_belong_together() -> None:
    load_dialplan(DEMO)
