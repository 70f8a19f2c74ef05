from __future__ import annotations

from engine.acd.agent import AgentState
from engine.acd.caller import CallerState
from engine.acd.snapshot import AgentView, CallerView, LiveCounts, MemberView
from engine.acd.stats import QueueCounters
from engine.calls.directory import AgentStatus, Queue, StrategyName
from engine.ids import AgentName, CallId, QueueName
from tests.support.acd_floor import WALL, AcdFloor, queue_of

ANNA = AgentName("anna")


def test_a_queue_as_the_api_shows_it() -> None:
    queue = Queue(name=QueueName("q"), wrap_up_s=0, max_callers=3, max_wait_s=30)
    floor = AcdFloor(*queue_of("anna", "ben", queue=queue), registered=["anna", "ben"])
    floor.connect("c1")
    floor.call("c2", number="+491")
    floor.pass_time(4)
    floor.call("c3")
    floor.call("c4")
    floor.call("refused")
    floor.pass_time(1)
    view = floor.queue()
    assert (view.strategy, view.talking, view.idle) == (StrategyName.LONGEST_IDLE, 1, 0)
    assert view.callers[0] == CallerView(
        call=CallId("c2"),
        caller="+491",
        display="",
        position=1,
        entry_position=1,
        waited_s=5,
        state=CallerState.OFFERED,
        ringing=(AgentName("ben"),),
    )
    assert [(c.position, c.waited_s, c.state) for c in view.callers[1:]] == [
        (2, 1, CallerState.WAITING),
        (3, 1, CallerState.WAITING),
    ]
    assert view.members[0] == MemberView(agent=ANNA, penalty=0, resting=False)
    assert (view.counters.entered, view.counters.connected, view.counters.refused) == (4, 1, 1)
    floor.hang_up("c2")
    floor.pass_time(30)
    counters = floor.queue().counters
    assert (counters.abandoned, counters.timed_out) == (1, 2)
    assert (counters.offers, counters.offers_untaken) == (3, 2)
    assert view.counters.abandoned == 0, "a copy"


def test_an_agent_as_the_api_shows_it() -> None:
    floor = AcdFloor(*queue_of("anna"))
    floor.pass_time(3)
    assert floor.agent("anna") == AgentView(
        name=ANNA,
        display="",
        status=AgentStatus.AVAILABLE,
        status_reason="",
        status_since=0,
        state=AgentState.UNREACHABLE,
        state_for_s=3,
        call=None,
        queues=(QueueName("q"),),
        reachable=False,
        contact="",
        source="",
        user_agent="",
    )
    floor.register("anna")
    floor.call("c1")
    floor.pass_time(2)
    view = floor.agent("anna")
    assert (view.state, view.state_for_s, view.call) == (AgentState.OFFERED, 2, "c1")
    assert (view.reachable, view.contact, view.source) == (True, "sip:anna@home", "192.0.2.1:5060")
    floor.pause("anna", "lunch")
    assert floor.agent("anna").status_since == WALL + floor.now


def test_live_counts() -> None:
    floor = AcdFloor(*queue_of("anna", "ben", queue=Queue(name=QueueName("q"), max_wait_s=60)), registered=["anna"])
    floor.connect("c1")
    floor.register("ben")
    floor.call("c2")
    floor.engage("anna", "own")
    assert floor.acd.live() == LiveCounts(callers=1, offers=1, talks=1, own_calls=1, deadlines=2, effects=1)


def test_hold_time_moves_as_app_queues_does() -> None:
    counters = QueueCounters(hold_s=10.0)
    counters.connect(30.0)
    assert counters.hold_s == 15.0
