from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.directory import Agent, AgentStatus, Directory, Queue, Trunk
from engine.calls.log import (
    AgentReachable,
    AgentStateChanged,
    AgentStatusChanged,
    AgentUnreachable,
    CallerLeft,
    DirectoryChanged,
    LogBody,
    MediaLost,
    MediaStarted,
    OfferEnded,
    OfferOutcome,
    QueueExit,
)
from engine.calls.media_records import OneWayHeard
from engine.calls.recording_records import RecordingEnded, RecordingFound
from engine.calls.trunk_records import (
    CircuitState,
    TollCutOff,
    TollRefusal,
    TollRefused,
    TrunkCircuitChanged,
    TrunkFailure,
    TrunkRegistrationChanged,
    TrunkStateChanged,
    TrunkTried,
)
from engine.ids import AgentName, LegId, OfferId, QueueName, TrunkName
from engine.metrics.metrics import MetricSet
from engine.metrics.observers import MetricsObserver
from tests.support.records import ANNA, SALES, call_ended, leg_closed, queue_call, record

BERT = AgentName("bert")


class Rig:
    def __init__(self) -> None:
        self.metrics = MetricSet(version="1")
        self.observer = MetricsObserver(self.metrics)

    def see(self, *bodies: LogBody, call: str | None = None) -> None:
        for n, body in enumerate(bodies):
            self.observer.observe([record(n, body, call=call)])

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"hearthline_{name}", labels)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def changed(action: str, kind: str, name: str) -> DirectoryChanged:
    return DirectoryChanged(action=action, kind=kind, name=name, by="api")


def test_the_life_of_a_queue_call(rig: Rig) -> None:
    call = queue_call("c1")
    seen: list[tuple[float | None, float | None]] = []
    for entry in call:
        rig.observer.observe([entry])
        seen.append((rig.value("calls_active"), rig.value("queue_waiting", queue="sales")))
    assert seen == [(1, None)] * 3 + [(1, 1)] * 4 + [(1, 0)] * 2 + [(0, 0)] * 3
    assert rig.value("calls_total", direction="inbound", outcome="success") == 1
    assert rig.value("queue_wait_seconds_sum", queue="sales", result="connected") == 3
    assert rig.value("queue_wait_seconds_count", queue="sales", result="connected") == 1
    assert rig.value("ring_seconds_sum", queue="sales", outcome="answered") == 2
    assert rig.value("rtp_lost_total") == 3
    assert rig.value("rtp_jitter_seconds_count") == 2
    assert rig.value("rtp_jitter_seconds_sum") == pytest.approx(0.003)


def test_callers_who_leave_are_counted_by_why(rig: Rig) -> None:
    for n, why in enumerate(QueueExit):
        for entry in queue_call(f"c{n}")[:4]:
            rig.observer.observe([entry])
        left = CallerLeft(queue=SALES, why=why, waited_s=30.0, position=1, entry_position=1)
        rig.see(left, call=f"c{n}")
        assert rig.value("queue_waiting", queue="sales") == 0
        assert rig.value("queue_wait_seconds_count", queue="sales", result=why.value) == 1
        assert rig.value("queue_wait_seconds_bucket", queue="sales", result=why.value, le="20.0") == 0
        assert rig.value("queue_wait_seconds_bucket", queue="sales", result=why.value, le="30.0") == 1


def test_a_call_that_ends_waits_no_more_even_if_the_queue_forgot_to_say_so(rig: Rig) -> None:
    for entry in queue_call("c1")[:4]:
        rig.observer.observe([entry])
    rig.see(call_ended(EndCause(outcome=Outcome.CLIENT, reason=Reason.ABANDONED)), call="c1")
    assert rig.value("queue_waiting", queue="sales") == 0
    assert rig.value("calls_total", direction="inbound", outcome="client") == 1


def test_the_end_of_a_call_of_the_run_before_is_counted_apart(rig: Rig) -> None:
    rig.see(call_ended(), call="old")
    assert rig.value("calls_total", direction="unknown", outcome="success") == 1
    assert rig.value("calls_active") == 0


def test_every_direction_and_outcome_is_there_from_the_start(rig: Rig) -> None:
    assert rig.value("calls_total", direction="outbound", outcome="upstream") == 0


@pytest.mark.parametrize("outcome", OfferOutcome)
def test_rings_are_counted_by_outcome(rig: Rig, outcome: OfferOutcome) -> None:
    rig.see(OfferEnded(offer=OfferId("o"), queue=SALES, agent=ANNA, outcome=outcome, rang_s=14.0), call="c")
    assert rig.value("ring_seconds_bucket", queue="sales", outcome=outcome.value, le="12.0") == 0
    assert rig.value("ring_seconds_bucket", queue="sales", outcome=outcome.value, le="15.0") == 1


def test_agents_are_in_one_state_and_one_status_each(rig: Rig) -> None:
    rig.observer.seed(Directory.of([Agent(name=ANNA), Agent(name=BERT, status=AgentStatus.BREAK)]))
    assert rig.value("agents", state="unreachable") == 2
    assert rig.value("agent_status", status="available") == 1
    assert rig.value("agent_status", status="break") == 1
    rig.see(
        AgentStateChanged(agent=ANNA, state="idle", previous="unreachable"),
        AgentStateChanged(agent=ANNA, state="in_call", previous="idle"),
        AgentStatusChanged(agent=BERT, status=AgentStatus.AVAILABLE, reason="", by="api"),
    )
    assert rig.value("agents", state="unreachable") == 1
    assert rig.value("agents", state="idle") == 0
    assert rig.value("agents", state="in_call") == 1
    assert rig.value("agent_status", status="available") == 2
    assert rig.value("agent_status", status="break") == 0


def test_agents_come_and_go_with_the_directory(rig: Rig) -> None:
    rig.see(changed("put", "agent", "anna"))
    assert rig.value("agents", state="unreachable") == 1
    rig.see(AgentStateChanged(agent=ANNA, state="idle", previous="unreachable"), changed("put", "agent", "anna"))
    assert rig.value("agents", state="idle") == 1, "an agent who is changed keeps the state"
    rig.see(AgentReachable(agent=ANNA, contact="", source="", user_agent=""), changed("drop", "agent", "anna"))
    assert rig.value("agents", state="idle") == 0
    assert rig.value("agent_status", status="available") == 0
    assert rig.value("registrations") == 0


def test_registrations_count_agents_not_messages(rig: Rig) -> None:
    here = AgentReachable(agent=ANNA, contact="sip:a", source="192.0.2.1:5060", user_agent="x")
    rig.see(here, here, AgentReachable(agent=BERT, contact="sip:b", source="192.0.2.1:5061", user_agent="x"))
    assert rig.value("registrations") == 2
    rig.see(AgentUnreachable(agent=ANNA, reason="expired"))
    assert rig.value("registrations") == 1


def test_trunks(rig: Rig) -> None:
    pbx = TrunkName("pbx")
    silent = Trunk(name=TrunkName("silent"), host="192.0.2.2", ping_s=0)
    rig.observer.seed(Directory.of([Trunk(name=pbx, host="192.0.2.1"), silent]))
    assert rig.value("trunk_up", trunk="pbx") == 0
    assert rig.value("trunk_up", trunk="silent") == 1, "a trunk that is never asked is taken for up"
    rig.see(TrunkStateChanged(trunk=pbx, up=True, detail=""))
    assert rig.value("trunk_up", trunk="pbx") == 1
    rig.see(changed("drop", "trunk", "pbx"))
    assert rig.value("trunk_up", trunk="pbx") is None


def test_what_a_trunk_fails_and_the_toll_guard_refuses(rig: Rig) -> None:
    pbx = TrunkName("pbx")
    rig.observer.seed(Directory.of([Trunk(name=pbx, host="192.0.2.1")]))
    assert rig.value("trunk_circuit_open", trunk="pbx") == 0
    assert rig.value("toll_refused_total", why="abroad") == 0
    for state, shown in ((CircuitState.OPEN, 1), (CircuitState.HALF_OPEN, 1), (CircuitState.CLOSED, 0)):
        rig.see(TrunkCircuitChanged(trunk=pbx, state=state, detail=""))
        assert rig.value("trunk_circuit_open", trunk="pbx") == shown
    rig.see(TrunkRegistrationChanged(trunk=pbx, registered=True, detail=""))
    assert rig.value("trunk_registered", trunk="pbx") == 1
    rig.see(TrunkTried(trunk=pbx, why=TrunkFailure.SILENT))
    rig.see(TrunkTried(trunk=pbx, why=TrunkFailure.SILENT))
    assert rig.value("trunk_failed_calls_total", trunk="pbx", why="silent") == 2
    rig.see(TollRefused(origin="agent:anna", trunk=pbx, number="+44", why=TollRefusal.ABROAD, detail=""))
    rig.see(TollCutOff(origin="agent:anna", trunk=pbx, detail=""))
    assert rig.value("toll_refused_total", why="abroad") == 1
    assert rig.value("toll_cut_off_total") == 1
    rig.see(TrunkCircuitChanged(trunk=pbx, state=CircuitState.OPEN, detail=""))
    rig.see(changed("put", "trunk", "pbx"))
    assert rig.value("trunk_circuit_open", trunk="pbx") == 0
    rig.see(changed("drop", "trunk", "pbx"))
    assert rig.value("trunk_registered", trunk="pbx") is None
    assert rig.value("trunk_failed_calls_total", trunk="pbx", why="silent") is None


def test_a_dropped_queue_takes_its_series_along(rig: Rig) -> None:
    rig.observer.seed(Directory.of([Queue(name=SALES), Queue(name=QueueName("help"))]))
    for entry in queue_call("c1"):
        rig.observer.observe([entry])
    assert b'queue="sales"' in rig.metrics.render()
    rig.see(changed("drop", "queue", "sales"))
    assert b'queue="sales"' not in rig.metrics.render()
    assert rig.value("queue_waiting", queue="help") == 0
    rig.see(changed("put", "queue", "sales"))
    assert rig.value("queue_waiting", queue="sales") == 0


def test_the_media_process_comes_and_goes(rig: Rig) -> None:
    for plane in (0, 1):
        rig.see(MediaStarted(pid=1, port_min=20002, port_max=29998, plane=plane))
        rig.metrics.media_legs.labels(plane).set(4)
    assert rig.value("media_up", plane="1") == 1
    rig.see(MediaLost(detail="killed", legs=4, plane=1))
    assert (rig.value("media_up", plane="0"), rig.value("media_up", plane="1")) == (1, 0)
    assert (rig.value("media_legs", plane="0"), rig.value("media_legs", plane="1")) == (4, 0)


def test_duplicates_are_no_loss_and_silence_has_no_jitter(rig: Rig) -> None:
    silent = type(leg_closed("a"))(
        leg=leg_closed("a").leg,
        packets_received=0,
        packets_sent=10,
        lost=-2,
        jitter_ms=0.0,
        remote_lost=None,
        round_trip_ms=None,
    )
    rig.see(silent, call="c1")
    assert rig.value("rtp_lost_total") == 0
    assert rig.value("rtp_jitter_seconds_count") == 0


def test_how_legs_sounded_is_told_by_trunk(rig: Rig) -> None:
    legs = (
        replace(leg_closed("a", lost=20), who="trunk:pbx", discarded=6, unauthentic=2, mos=3.3),
        replace(leg_closed("b"), who="agent:anna", mos=4.4),
        replace(leg_closed("c"), who="trunk:pbx", packets_received=0, round_trip_ms=None),
    )
    rig.see(*legs, call="c1")
    assert rig.value("rtp_loss_ratio_count", trunk="pbx") == 1
    assert rig.value("rtp_loss_ratio_sum", trunk="pbx") == pytest.approx(26 / 520)
    assert rig.value("rtp_loss_ratio_sum", trunk="") == 0
    assert rig.value("rtp_mos_sum", trunk="pbx") == pytest.approx(3.3)
    assert rig.value("rtp_mos_count", trunk="") == 1
    assert rig.value("rtp_round_trip_seconds_count", trunk="pbx") == 1
    assert rig.value("rtp_round_trip_seconds_sum", trunk="") == pytest.approx(0.02)
    assert (rig.value("rtp_discarded_total"), rig.value("srtp_unauthentic_total")) == (6, 2)


def test_one_way_audio_is_counted_when_it_begins_and_goes_with_its_trunk(rig: Rig) -> None:
    begins = OneWayHeard(leg=LegId("a"), who="trunk:pbx", way="in", over=False)
    rig.see(begins, replace(begins, over=True), begins, replace(begins, who="agent:anna", way="out"), call="c1")
    assert rig.value("rtp_one_way_total", trunk="pbx", way="in") == 2
    assert rig.value("rtp_one_way_total", trunk="", way="out") == 1
    rig.see(changed("drop", "trunk", "pbx"))
    assert rig.value("rtp_one_way_total", trunk="pbx", way="in") is None
    assert rig.value("rtp_one_way_total", trunk="", way="out") == 1


def test_recordings_that_are_found_run_like_others(rig: Rig) -> None:
    rig.see(RecordingFound(recording="r", path="/r.flac", seconds=3.0), call="c")
    assert rig.value("recordings") == 1
    rig.see(RecordingEnded(recording="r", path="/r.flac", seconds=9.0, octets=1, lost_s=0.0, trouble=""), call="c")
    assert (rig.value("recordings"), rig.value("recorded_seconds_total")) == (0, 9.0)
