"""What the API shows of the running core."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.api.views import CallerView, MediaView, MemberView, PlaneView, TrunkView
from engine.app.views import agent_views, trunk_view
from engine.calls.directory import AgentStatus, Drop, Put, Trunk
from engine.calls.lines import LineState
from engine.calls.sip_registrations import RegistrationState
from engine.calls.trunk_records import CircuitState
from engine.calls.trunk_watch import TrunkHealth
from engine.ids import AgentName, TrunkName
from engine.media.events import Welcome
from tests.support.centre_rig import CentreRig, ringing
from tests.support.plane_stats import STATS
from tests.support.running_centre import CentreBench
from tests.support.sip_phone import SDP_ANSWER


@pytest.fixture
def bench(database: Engine, tmp_path: Path) -> Iterator[CentreBench]:
    bench = CentreBench(database, tmp_path)
    yield bench
    bench.history.close()


def answer(bench: CentreBench) -> None:
    bench.rig.alice.endpoint.accept(ringing(bench.rig.alice), SDP_ANSWER, now=bench.rig.wire.now)
    bench.rig.wire.run(1.0)


def test_a_queue_with_a_caller_whom_an_agent_is_rung_for(bench: CentreBench) -> None:
    bench.rig.register(bench.rig.alice)
    bench.rig.call()
    bench.rig.wire.run(1.5)
    queue = bench.centre.queue("demo")
    settings = bench.rig.core.directory.queues[next(iter(bench.rig.core.directory.queues))]
    for setting in ("strategy", "ring_timeout_s", "retry_s", "wrap_up_s", "max_wait_s", "max_callers", "music"):
        assert getattr(queue, setting) == getattr(settings, setting)
    assert queue.rona_break is True
    (caller,) = queue.callers
    (call,) = bench.centre.calls()
    assert caller == CallerView(
        call=call.call,
        caller="5551000",
        display="",
        position=1,
        waited_s=pytest.approx(2.0, abs=0.1),  # type: ignore[arg-type]
        ringing=("alice",),
    )
    assert queue.members == (
        MemberView(queue="demo", agent="alice", penalty=0, state="ringing", resting=False),
        MemberView(queue="demo", agent="bob", penalty=0, state="unreachable", resting=False),
    )
    assert (queue.idle, queue.talking) == (0, 0)
    assert queue.counters["entered"] == 1


def test_an_agent_before_and_after_the_phone_registers(bench: CentreBench) -> None:
    agent = bench.centre.agent("alice")
    assert (agent.state, agent.reachable, agent.contact, agent.source) == ("unreachable", False, "", "")
    assert (agent.context, agent.has_secret, agent.queues) == ("agents", True, ("demo",))
    bench.rig.register(bench.rig.alice)
    bench.rig.wire.run(3.0)
    agent = bench.centre.agent("alice")
    assert (agent.state, agent.status, agent.status_reason, agent.call) == ("idle", "available", "", None)
    assert agent.state_for_s == pytest.approx(4.0, abs=0.1)
    assert (agent.reachable, agent.source) == (True, "192.0.2.3:5060")
    assert agent.contact.startswith("sip:alice@192.0.2.3")


def test_an_agents_own_settings_are_shown(bench: CentreBench) -> None:
    bob = bench.rig.core.directory.agents[AgentName("bob")]
    other = replace(bob, ha1_sha256="", context="office", display="Bob B.")
    bench.rig.core.change_directory(Put(entity=other), "test", bench.rig.wire.now)
    seen = bench.centre.agent("bob")
    assert (seen.has_secret, seen.context, seen.display) == (False, "office", "Bob B.")
    assert bench.centre.agent("alice").context == "agents"


def test_a_break_is_shown_with_its_reason_and_since_when(bench: CentreBench) -> None:
    bench.run(bench.centre.set_status("alice", AgentStatus.BREAK, "lunch", "test"))
    agent = bench.centre.agent("alice")
    assert (agent.status, agent.status_reason) == ("break", "lunch")
    assert agent.status_since == bench.rig.clock.wall()


def test_a_call_from_the_queue_to_the_talk(bench: CentreBench) -> None:
    bench.rig.register(bench.rig.alice)
    bench.rig.call()
    bench.rig.wire.run(1.5)
    (call,) = bench.centre.calls()
    assert (call.direction, call.phase, call.origin, call.destination) == (
        "inbound",
        "waiting",
        "trunk:pbx",
        "queue:demo",
    )
    assert (call.caller, call.called, call.queue, call.agent, call.ringing) == (
        "5551000",
        "600",
        "demo",
        None,
        ("agent:alice",),
    )
    assert call.age_s == pytest.approx(2.0, abs=0.1)
    assert call.answered_for_s == pytest.approx(2.0, abs=0.1)
    assert call.talking_for_s is None
    answer(bench)
    call = bench.centre.call(call.call)
    assert (call.phase, call.agent, call.ringing) == ("talking", "alice", ())
    assert call.talking_for_s == pytest.approx(1.0, abs=0.1)
    assert bench.centre.agent("alice").call == call.call
    assert bench.centre.queue("demo").talking == 1


def test_a_call_that_is_not_answered_yet_says_so(bench: CentreBench) -> None:
    bench.rig.spares = 0
    bench.rig.lose_media()
    bench.rig.wire.run(2.0)
    bench.rig.centre.plane.held = True
    bench.rig.call()
    (call,) = bench.centre.calls()
    assert (call.answered_for_s, call.phase) == (None, "setup")


@pytest.mark.parametrize(
    ("up", "round_trip_s", "ping_s", "shown", "detail"),
    [
        (None, None, 30.0, False, "not asked yet"),
        (True, 0.0123, 30.0, True, "answers in 12 ms"),
        (True, None, 0.0, True, "not asked (ping_s 0)"),
        (False, None, 30.0, False, "does not answer"),
    ],
)
def test_a_trunk_and_how_it_does(
    up: bool | None, round_trip_s: float | None, ping_s: float, shown: bool, detail: str
) -> None:
    trunk = Trunk(
        name=TrunkName("sip"),
        host="192.0.2.1",
        port=5070,
        transport="tcp",
        addresses=("192.0.2.2",),
        match_port=True,
        context="office",
        ping_s=ping_s,
    )
    assert trunk_view(TrunkHealth(trunk=trunk, up=up, round_trip_s=round_trip_s)) == TrunkView(
        name="sip",
        host="192.0.2.1",
        port=5070,
        transport="tcp",
        addresses=("192.0.2.2",),
        match_port=True,
        context="office",
        ping_s=ping_s,
        up=shown,
        detail=detail,
    )


def test_a_trunks_calls_circuit_cost_and_registration() -> None:
    trunk = Trunk(name=TrunkName("sip"), host="192.0.2.1", user="x", secret="hush", registers=True)
    line = LineState(calls_in=1, calls_out=2, circuit=CircuitState.OPEN, detail="3 calls in a row failed")
    registration = RegistrationState(registered=True, detail="for 300 s")
    view = trunk_view(TrunkHealth(trunk=trunk, up=False, reason="answered 503"), line, 1.5, registration)
    assert (view.calls_in, view.calls_out, view.circuit, view.circuit_detail) == (1, 2, "open", line.detail)
    assert (view.registered, view.registration_detail, view.spent_today) == (True, "for 300 s", 1.5)
    assert (view.detail, view.has_secret) == ("answered 503", True)
    assert "hush" not in repr(view)


def test_the_media_process_while_it_is_there(bench: CentreBench) -> None:
    core = bench.rig.core
    core.media_event(Welcome(version=1, pid=77, port_min=20002, port_max=29998, legs=4), bench.rig.wire.now)
    assert bench.centre.media().legs == 4, "it tells at once how many it has"
    core.media_event(STATS, bench.rig.wire.now)
    shown = bench.centre.media()
    (plane,) = shown.planes
    assert plane == PlaneView(
        plane=0,
        up=True,
        state="ready",
        pid=77,
        port_min=20002,
        port_max=29998,
        legs=1,
        relayed_edges=2,
        mixed_legs=3,
        tick_p50_ms=0.6,
        tick_p99_ms=0.7,
        lateness_p50_ms=0.1,
        lateness_p999_ms=0.3,
        lateness_max_ms=0.4,
        packets_received=10,
        packets_sent=11,
        ports_taken=5,
        cpu_s=0.5,
        cpu_share=0.0,
        collections=8,
    )
    assert replace(shown, planes=()) == MediaView(
        up=True,
        pid=77,
        port_min=20002,
        port_max=29998,
        legs=1,
        relayed_edges=2,
        mixed_legs=3,
        lateness_p50_ms=0.1,
        lateness_p999_ms=0.3,
        lateness_max_ms=0.4,
        packets_received=10,
        packets_sent=11,
        ports_taken=5,
        cpu_s=0.5,
    )
    core.media_lost("gone", bench.rig.wire.now)
    gone = bench.centre.media()
    assert (gone.up, gone.pid, gone.legs, gone.port_min, gone.cpu_s) == (False, 0, 0, 0, 0.0)


def test_what_is_dropped_is_shown_no_more(bench: CentreBench) -> None:
    directory = bench.rig.core.directory
    for entity in (*directory.agents.values(), *directory.queues.values(), *directory.trunks.values()):
        bench.rig.core.change_directory(Drop(entity=entity), "test", bench.rig.wire.now)
    assert (bench.centre.agents(), bench.centre.queues(), bench.centre.trunks()) == ([], [], [])


def test_an_agent_is_shown_with_the_phones_in_the_order_of_calling() -> None:
    rig = CentreRig()
    rig.register(rig.alice)
    rig.wire.run(100)
    alice, bob = agent_views(rig.core, rig.wire.now)
    (phone,) = alice.bindings
    assert (phone.contact, phone.source, phone.transport) == ("sip:alice@192.0.2.3:5060", "192.0.2.3:5060", "UDP")
    assert phone.expires_s == pytest.approx(199, abs=1)
    assert (phone.user_agent, phone.q, phone.path) == ("Hearthline", 1.0, ())
    assert bob.bindings == ()
