from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.task import Clock as TwistedClock

from engine.app.heartbeat import Heartbeat
from engine.metrics.gauges import EngineGauges
from engine.metrics.metrics import MetricSet
from engine.store.writer import WriterHealth, WriterState
from tests.support.centre_rig import CentreRig
from tests.support.plane_stats import STATS


class Late:
    """The reactor's clock, `late` seconds ahead of when it rings."""

    def __init__(self, reactor: TwistedClock) -> None:
        self._reactor = reactor
        self.late = 0.0

    def monotonic(self) -> float:
        return float(self._reactor.seconds()) + self.late

    def wall(self) -> float:
        return 1_000.0 + float(self._reactor.seconds())


@dataclass
class Writer:
    degraded: bool = False
    seen_alive: list[float] = field(default_factory=list)

    def alive(self, wall: float) -> None:
        self.seen_alive.append(wall)

    def state(self) -> WriterState:
        health = WriterHealth.DEGRADED if self.degraded else WriterHealth.OK
        return WriterState(health=health, pending=7, oldest_s=0.0, last_error="", rejected=0)


class Rig:
    def __init__(self) -> None:
        self.reactor = TwistedClock()
        self.clock = Late(self.reactor)
        self.centre = CentreRig()
        self.writer = Writer()
        self.metrics = MetricSet(version="1")
        writer: Any = self.writer
        self.kept = 0
        self.flushed = 0
        self.beat = Heartbeat(
            *(self.reactor, self.clock, self.centre.core, writer, EngineGauges(self.metrics)),
            keep_bindings=self._keep,
            flush_media=self._flush,
            refused_handshakes=lambda: {"slow": 4},
        )
        self.beat.start()

    def _keep(self) -> None:
        self.kept += 1

    def _flush(self) -> None:
        self.flushed += 1

    def value(self, metric: str) -> float:
        found = re.search(rf"^hearthline_{re.escape(metric)} (\S+)$", self.metrics.render().decode(), re.MULTILINE)
        assert found is not None, metric
        return float(found.group(1))


def test_it_beats_once_a_second_until_it_is_stopped() -> None:
    rig = Rig()
    rig.reactor.pump([0.5] * 7)
    assert rig.value("loop_lag_seconds_count") == 3
    assert (rig.kept, rig.flushed) == (3, 3)
    rig.beat.stop()
    assert rig.reactor.getDelayedCalls() == []


def test_it_measures_how_late_the_loop_is() -> None:
    rig = Rig()
    rig.reactor.advance(1.0)
    assert rig.value("loop_lag_seconds_sum") == 0
    rig.clock.late = 0.25
    rig.reactor.advance(1.0)
    assert rig.value("loop_lag_max_seconds") == 0.25
    rig.reactor.advance(1.0)
    assert rig.value("loop_lag_seconds_sum") == 0.25, "lateness is of one beat, not handed on to the next"


def test_it_samples_store_media_and_sip() -> None:
    rig = Rig()
    rig.writer.degraded = True
    rig.centre.core.media.planes[0].load.stats = STATS
    rig.centre.register(rig.centre.alice)
    rig.reactor.advance(1.0)
    assert rig.value("store_pending_events") == 7
    assert rig.value("store_degraded") == 1
    assert rig.value('media_legs{plane="0"}') == STATS.legs
    assert rig.value('sip_messages_total{code="request",direction="in",method="REGISTER",transport="UDP"}') == 2
    rig.centre.wire.lose(lambda sent: sent.source == rig.centre.alice.address)
    rig.centre.call()
    rig.centre.wire.run(1.0)
    assert rig.value('trunk_calls{direction="in",trunk="pbx"}') == 0
    assert rig.value('tls_handshakes_refused_total{reason="slow"}') == 4
    rig.writer.degraded = False
    rig.reactor.advance(1.0)
    assert rig.value("store_degraded") == 0
    assert rig.value('sip_retransmissions_total{direction="out",method="INVITE",transport="UDP"}') == 1
    assert rig.value('trunk_calls{direction="in",trunk="pbx"}') == 1
    assert rig.value('trunk_spent_today{trunk="pbx"}') == 0


def test_the_store_hears_every_second_that_calls_live_and_nothing_without_calls() -> None:
    rig = Rig()
    rig.reactor.advance(1.0)
    assert rig.writer.seen_alive == []
    rig.centre.call()
    rig.reactor.pump([1.0] * 2)
    assert rig.writer.seen_alive == [1002.0, 1003.0]
