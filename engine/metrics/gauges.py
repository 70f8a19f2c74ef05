"""Setters for what the event log does not tell: the media process, SIP's counters, the store, the event loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

from engine.media.commands import PlaneStats
from engine.metrics.metrics import MetricSet

SIP_METHODS: Final = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER"}
    | {"REGISTER", "SUBSCRIBE", "UPDATE"}
)
"""RFC 3261 and its extensions. A stranger may send any word; it is counted as `other`."""

SIP_CODES: Final = frozenset(
    {100, 180, 181, 182, 183, 200, 202, 300, 301, 302, 305, 380, 400, 401, 403, 404, 405, 406, 407, 408, 410, 413, 415}
    | {
        416,
        420,
        421,
        422,
        423,
        480,
        481,
        482,
        483,
        484,
        485,
        486,
        487,
        488,
        489,
        491,
        500,
        501,
        502,
        503,
        504,
        600,
        603,
    }
)
"""Those in use; any other is counted under its class, such as `4xx`."""

OTHER: Final = "other"
REQUEST: Final = "request"

LAG_WINDOW_S: Final = 60.0

_T = TypeVar("_T", bound=str)
_K = TypeVar("_K")


class Totals:
    """What was told before of totals that only rise."""

    def __init__(self) -> None:
        self._told: dict[object, int] = {}

    def news(self, totals: Mapping[_K, int]) -> Iterator[tuple[_K, int]]:
        """Each that has risen, and by how much."""
        for key, total in totals.items():
            new = total - self._told.get(key, 0)
            if new:
                self._told[key] = total
                yield key, new


class EngineGauges:
    """Told about once a second."""

    def __init__(self, metrics: MetricSet) -> None:
        self._metrics = metrics
        self._plane: PlaneStats | None = None
        self._sip = Totals()
        self._repeated = Totals()
        self._sip_dropped = Totals()
        self._dropped = Totals()
        self._lag_window = 0.0
        self._lag_max = (0.0, 0.0)

    def media(self, stats: PlaneStats | None) -> None:
        """What the media process said of itself last; None while none is connected."""
        metrics = self._metrics
        metrics.media_up.set(stats is not None)
        metrics.media_legs.set(0 if stats is None else stats.legs)
        if stats is None:
            return
        before = self._plane
        # Another media process counts from nothing again; the same one, found again, goes on.
        same = before is not None and stats.ticks >= before.ticks
        received, sent = (before.packets_received, before.packets_sent) if before is not None and same else (0, 0)
        metrics.rtp_packets.labels(direction="in").inc(max(0, stats.packets_received - received))
        metrics.rtp_packets.labels(direction="out").inc(max(0, stats.packets_sent - sent))
        metrics.ports_taken.set(stats.ports_taken)
        metrics.tick_lateness.labels(quantile="0.5").set(stats.lateness_p50_ms / 1000.0)
        metrics.tick_lateness.labels(quantile="0.999").set(stats.lateness_p999_ms / 1000.0)
        metrics.tick_lateness.labels(quantile="1").set(stats.lateness_max_ms / 1000.0)
        self._plane = stats

    def sip(
        self,
        counted: Mapping[tuple[str, str, int | str, _T], int],
        repeated: Mapping[tuple[str, str, _T], int],
        dropped: Mapping[str, int],
    ) -> None:
        """SIP's own counters, totals since the start: messages by ("in" | "out", method, status or "request",
        transport), repetitions by ("in" | "out", method, transport), and by reason what nothing came of."""
        metrics = self._metrics
        for (direction, method, code, transport), new in self._sip.news(counted):
            metrics.sip_messages.labels(direction, _method(method), _code(code), transport).inc(new)
        for (direction, method, transport), new in self._repeated.news(repeated):
            metrics.sip_retransmissions.labels(direction, _method(method), transport).inc(new)
        for reason, new in self._sip_dropped.news(dropped):
            metrics.sip_dropped.labels(reason).inc(new)

    def sip_live(self, *, transactions: int, dialogs: int, bindings: int, connections: int) -> None:
        """What the SIP stack holds now."""
        metrics = self._metrics
        metrics.sip_transactions.set(transactions)
        metrics.sip_dialogs.set(dialogs)
        metrics.sip_bindings.set(bindings)
        metrics.sip_connections.set(connections)

    def guard(self, dropped: Mapping[str, int], bans: int) -> None:
        """What the guard did not let in, totals by reason since the start, and how many sources are banned."""
        for reason, new in self._dropped.news(dropped):
            self._metrics.guard_dropped.labels(reason).inc(new)
        self._metrics.guard_bans.set(bans)

    def store(self, *, pending: int, degraded: bool) -> None:
        """How the event writer does."""
        self._metrics.store_pending.set(pending)
        self._metrics.store_degraded.set(degraded)

    def loop_lag(self, lag_s: float, now: float) -> None:
        """How late the loop ran something that was due; `now` is monotonic."""
        self._metrics.loop_lag.observe(lag_s)
        window = now // LAG_WINDOW_S
        if window != self._lag_window:
            # The window before counts too, so that a scrape just after the turn still sees what was.
            last = self._lag_max[1] if window == self._lag_window + 1 else 0.0
            self._lag_window, self._lag_max = window, (last, 0.0)
        self._lag_max = (self._lag_max[0], max(self._lag_max[1], lag_s))
        self._metrics.loop_lag_max.set(max(self._lag_max))


def _method(method: str) -> str:
    return method if method in SIP_METHODS else OTHER


def _code(code: int | str) -> str:
    if isinstance(code, int):
        return str(code) if code in SIP_CODES else f"{code // 100}xx" if 100 <= code <= 699 else OTHER
    return REQUEST if code == REQUEST else OTHER
