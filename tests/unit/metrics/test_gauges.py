from __future__ import annotations

from dataclasses import replace

import pytest

from engine.media.events import PlaneStats
from engine.metrics.gauges import EngineGauges, TrunkFigures
from engine.metrics.metrics import MetricSet
from engine.sip.flow import Transport

STATS = PlaneStats(
    legs=4,
    relayed_edges=2,
    mixed_legs=1,
    ticks=500,
    late_ticks=1,
    lateness_p50_ms=0.1,
    lateness_p999_ms=1.5,
    lateness_max_ms=2.5,
    packets_received=1000,
    packets_sent=900,
    ports_taken=3,
    cpu_s=1.0,
    tick_p50_ms=0.5,
    tick_p99_ms=4.0,
    collections=7,
)


class Rig:
    def __init__(self) -> None:
        self.metrics = MetricSet(version="1")
        self.gauges = EngineGauges(self.metrics)

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"hearthline_{name}", labels)


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_media_totals_become_counters(rig: Rig) -> None:
    rig.gauges.media([STATS])
    rig.gauges.media([replace(STATS, ticks=550, packets_received=1600, packets_sent=1500, legs=6)])
    assert rig.value("rtp_packets_total", direction="in") == 1600
    assert rig.value("rtp_packets_total", direction="out") == 1500
    assert rig.value("media_legs", plane="0") == 6
    assert rig.value("media_up", plane="0") == 1
    assert rig.value("ports_taken", plane="0") == 3
    assert rig.value("tick_lateness_seconds", plane="0", quantile="0.5") == pytest.approx(0.0001)
    assert rig.value("tick_lateness_seconds", plane="0", quantile="0.999") == pytest.approx(0.0015)
    assert rig.value("tick_lateness_seconds", plane="0", quantile="1") == pytest.approx(0.0025)


def test_each_media_process_is_shown_for_itself_and_packets_are_counted_together(rig: Rig) -> None:
    rig.gauges.media([STATS, replace(STATS, legs=9, packets_received=50, tick_p99_ms=8.0)])
    rig.gauges.media_load([(0.25, ""), (0.9, "it takes 90% of a core")])
    assert [rig.value("media_legs", plane=plane) for plane in "01"] == [4, 9]
    assert rig.value("rtp_packets_total", direction="in") == 1050
    assert [rig.value("tick_seconds", plane=plane, quantile="0.99") for plane in "01"] == [0.004, 0.008]
    assert rig.value("tick_seconds", plane="0", quantile="0.5") == 0.0005
    assert [rig.value("media_cpu_share", plane=plane) for plane in "01"] == [0.25, 0.9]
    assert [rig.value("media_busy", plane=plane) for plane in "01"] == [0, 1]
    assert rig.value("media_collections", plane="1") == 7
    rig.gauges.media([STATS, None])
    assert [rig.value("media_up", plane=plane) for plane in "01"] == [1, 0]


def test_another_media_process_counts_on_top(rig: Rig) -> None:
    rig.gauges.media([STATS])
    rig.gauges.media([None])
    assert rig.value("media_up", plane="0") == 0
    assert rig.value("media_legs", plane="0") == 0
    rig.gauges.media([replace(STATS, ticks=50, packets_received=100, packets_sent=80)])
    assert rig.value("rtp_packets_total", direction="in") == 1100
    assert rig.value("rtp_packets_total", direction="out") == 980


def test_the_same_media_process_found_again_counts_nothing_twice(rig: Rig) -> None:
    rig.gauges.media([STATS])
    rig.gauges.media([None])
    rig.gauges.media([replace(STATS, ticks=501, packets_received=1010)])
    assert rig.value("rtp_packets_total", direction="in") == 1010


def test_sip_totals_become_counters(rig: Rig) -> None:
    udp, tls = Transport.UDP, Transport.TLS
    invites, answers = ("in", "INVITE", "request", udp), ("out", "INVITE", 200, tls)
    rig.gauges.sip({invites: 3, answers: 2}, {("out", "INVITE", udp): 1}, {"unmatched": 1})
    rig.gauges.sip({invites: 5, answers: 2}, {("out", "INVITE", udp): 4, ("in", "HACK", tls): 1}, {"unmatched": 3})
    assert rig.value("sip_messages_total", direction="in", method="INVITE", code="request", transport="UDP") == 5
    assert rig.value("sip_messages_total", direction="out", method="INVITE", code="200", transport="TLS") == 2
    assert rig.value("sip_retransmissions_total", direction="out", method="INVITE", transport="UDP") == 4
    assert rig.value("sip_retransmissions_total", direction="in", method="other", transport="TLS") == 1
    assert rig.value("sip_dropped_total", reason="unmatched") == 3


def test_what_the_stack_holds(rig: Rig) -> None:
    rig.gauges.sip_live(transactions=4, dialogs=3, bindings=2, connections=1)
    assert [rig.value(f"sip_{what}") for what in ("transactions", "dialogs", "bindings", "connections")] == [4, 3, 2, 1]


def test_a_stranger_cannot_make_series(rig: Rig) -> None:
    udp = Transport.UDP
    junk = {("in", f"HACK{n}", "request", udp): 1 for n in range(50)}
    codes = {("in", "INVITE", 400 + n, udp): 1 for n in range(100)}
    odd = {("in", "INVITE", 7, udp): 1, ("in", "INVITE", 1000, udp): 1, ("in", "INVITE", "what", udp): 1}
    rig.gauges.sip({**junk, **codes, **odd}, {}, {})
    of = {"direction": "in", "transport": "UDP"}
    assert rig.value("sip_messages_total", method="other", code="request", **of) == 50
    assert rig.value("sip_messages_total", method="INVITE", code="486", **of) == 1
    assert (rig.value("sip_messages_total", method="INVITE", code="4xx", **of) or 0) > 50
    assert rig.value("sip_messages_total", method="INVITE", code="other", **of) == 3


def test_the_store(rig: Rig) -> None:
    rig.gauges.store(pending=12, degraded=True)
    assert rig.value("store_pending_events") == 12
    assert rig.value("store_degraded") == 1
    rig.gauges.store(pending=0, degraded=False)
    assert rig.value("store_degraded") == 0


def test_the_worst_lag_is_forgotten_after_a_while(rig: Rig) -> None:
    rig.gauges.loop_lag(0.2, now=600.0)
    rig.gauges.loop_lag(0.001, now=659.0)
    assert rig.value("loop_lag_max_seconds") == 0.2
    rig.gauges.loop_lag(0.002, now=661.0)
    assert rig.value("loop_lag_max_seconds") == 0.2
    rig.gauges.loop_lag(0.001, now=721.0)
    assert rig.value("loop_lag_max_seconds") == 0.002
    assert rig.value("loop_lag_seconds_count") == 4
    rig.gauges.loop_lag(0.003, now=7200.0)
    assert rig.value("loop_lag_max_seconds") == 0.003


def test_what_the_guard_dropped_becomes_a_counter(rig: Rig) -> None:
    rig.gauges.guard({"unknown": 5, "rate": 0}, 2)
    rig.gauges.guard({"unknown": 8, "rate": 1}, 1)
    assert rig.value("guard_dropped_total", reason="unknown") == 8
    assert rig.value("guard_dropped_total", reason="rate") == 1
    assert rig.value("guard_bans") == 1


def test_what_a_trunk_carries_is_shown_while_it_is_there(rig: Rig) -> None:
    rig.gauges.trunks({"pbx": TrunkFigures(3, 1, 2.5, 10.0), "line": TrunkFigures(0, 0, 0.0, 0.0)})
    assert rig.value("trunk_calls", trunk="pbx", direction="in") == 3
    assert rig.value("trunk_calls", trunk="pbx", direction="out") == 1
    assert rig.value("trunk_spent_today", trunk="pbx") == 2.5
    assert rig.value("trunk_spend_limit", trunk="pbx") == 10
    assert rig.value("trunk_calls", trunk="line", direction="in") == 0
    assert rig.value("trunk_spend_limit", trunk="line") is None
    rig.gauges.trunks({"pbx": TrunkFigures(2, 1, 2.5, 0.0)})
    assert rig.value("trunk_calls", trunk="pbx", direction="in") == 2
    assert rig.value("trunk_spend_limit", trunk="pbx") is None, "it has none any more"
    for direction in ("in", "out"):
        assert rig.value("trunk_calls", trunk="line", direction=direction) is None
    assert rig.value("trunk_spent_today", trunk="line") is None
    rig.gauges.trunks({"pbx": TrunkFigures(2, 1, 2.5, 1.0)})
    rig.gauges.trunks({})
    assert rig.value("trunk_spend_limit", trunk="pbx") is None


def test_refused_handshakes_become_a_counter(rig: Rig) -> None:
    rig.gauges.handshakes({"slow": 2, "rate": 0})
    rig.gauges.handshakes({"slow": 3, "rate": 0})
    assert rig.value("tls_handshakes_refused_total", reason="slow") == 3
    assert rig.value("tls_handshakes_refused_total", reason="rate") is None
