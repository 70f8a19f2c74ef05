"""Once a second: how late the loop is, and what is measured rather than told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engine.app.core import Core
from engine.clock import Clock
from engine.metrics.gauges import EngineGauges, TrunkFigures
from engine.net.reactor import Reactor, Timer
from engine.store.writer import EventWriter, WriterHealth

_PERIOD_S: Final = 1.0


class Heartbeat:
    """Samples the loop's lag, the store, the media process and SIP's counters into the metrics, and lets the store
    know that calls live and where phones are. What waits to be told to the media process waits no longer."""

    def __init__(
        self,
        reactor: Reactor,
        clock: Clock,
        core: Core,
        writer: EventWriter,
        gauges: EngineGauges,
        *,
        keep_bindings: Callable[[], None],
        flush_media: Callable[[], None],
        refused_handshakes: Callable[[], Mapping[str, int]],
    ) -> None:
        self._reactor = reactor
        self._clock = clock
        self._core = core
        self._writer = writer
        self._gauges = gauges
        self._keep_bindings = keep_bindings
        self._flush_media = flush_media
        self._refused_handshakes = refused_handshakes
        self._due = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """Beat from now on."""
        self._due = self._clock.monotonic() + _PERIOD_S
        self._timer = self._reactor.callLater(_PERIOD_S, self._beat)

    def stop(self) -> None:
        """Beat no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _beat(self) -> None:
        now = self._clock.monotonic()
        self._gauges.loop_lag(max(0.0, now - self._due), now)
        state = self._writer.state()
        self._gauges.store(pending=state.pending, degraded=state.health is WriterHealth.DEGRADED)
        if self._core.calls.live().calls:
            self._writer.alive(self._clock.wall())
        self._keep_bindings()
        self._flush_media()
        self._gauges.media([plane.load.stats for plane in self._core.media.planes])
        self._gauges.media_load([(plane.load.cpu_share, plane.load.busy) for plane in self._core.media.planes])
        self._gauges.trunks(trunk_figures(self._core, now))
        self._gauges.handshakes(self._refused_handshakes())
        endpoint = self._core.endpoint
        self._gauges.sip(endpoint.counters, endpoint.retransmissions, endpoint.drops)
        live = endpoint.live()
        self._gauges.sip_live(
            transactions=live.transactions,
            dialogs=live.dialogs,
            bindings=live.bindings,
            connections=endpoint.connections,
        )
        if endpoint.guard is not None:
            self._gauges.guard(
                {**endpoint.guard.dropped, "amplification": endpoint.withheld}, len(endpoint.guard.bans(now))
            )
        self._due = now + _PERIOD_S
        self._timer = self._reactor.callLater(_PERIOD_S, self._beat)


def trunk_figures(core: Core, now: float) -> dict[str, TrunkFigures]:
    """How much each trunk carries."""
    spent = core.calls.all_spent(now)
    figures: dict[str, TrunkFigures] = {}
    for name, trunk in core.directory.trunks.items():
        line = core.calls.line(name)
        figures[name] = TrunkFigures(line.calls_in, line.calls_out, spent.get(f"trunk:{name}", 0.0), trunk.daily_spend)
    return figures
