"""Setters for what the event log does not tell: the media process, SIP's counters, the store, the event loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from engine.media.events import PlaneStats
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


class TrunkFigures(NamedTuple):
    """How much a trunk carries."""

    calls_in: int
    calls_out: int
    spent: float
    """Today."""
    limit: float
    """Of that; 0 means none."""


class EngineGauges:
    """Told about once a second."""

    def __init__(self, metrics: MetricSet) -> None:
        self._metrics = metrics
        self._planes: dict[int, PlaneStats] = {}
        self._sip = Totals()
        self._repeated = Totals()
        self._sip_dropped = Totals()
        self._dropped = Totals()
        self._handshakes = Totals()
        self._trunks: dict[str, TrunkFigures] = {}
        self._limited: set[str] = set()
        """Trunks that are shown with a limit."""
        self._lag_window = 0.0
        self._lag_max = (0.0, 0.0)

    def media(self, planes: Sequence[PlaneStats | None]) -> None:
        """What each media process said of itself last; None while it is not connected."""
        for number, stats in enumerate(planes):
            self._media_plane(number, stats)

    def media_load(self, planes: Sequence[tuple[float, str]]) -> None:
        """Of each media process: what it takes of a core, and why it gets no new calls, empty where it does."""
        for number, (cpu_share, busy) in enumerate(planes):
            self._metrics.media_cpu_share.labels(number).set(cpu_share)
            self._metrics.media_busy.labels(number).set(bool(busy))

    def _media_plane(self, number: int, stats: PlaneStats | None) -> None:
        metrics = self._metrics
        metrics.media_up.labels(number).set(stats is not None)
        metrics.media_legs.labels(number).set(0 if stats is None else stats.legs)
        if stats is None:
            return
        before = self._planes.get(number)
        # Another media process counts from nothing again; the same one, found again, goes on.
        same = before is not None and stats.ticks >= before.ticks
        received, sent = (before.packets_received, before.packets_sent) if before is not None and same else (0, 0)
        metrics.rtp_packets.labels(direction="in").inc(max(0, stats.packets_received - received))
        metrics.rtp_packets.labels(direction="out").inc(max(0, stats.packets_sent - sent))
        metrics.ports_taken.labels(number).set(stats.ports_taken)
        metrics.tick_lateness.labels(number, "0.5").set(stats.lateness_p50_ms / 1000.0)
        metrics.tick_lateness.labels(number, "0.999").set(stats.lateness_p999_ms / 1000.0)
        metrics.tick_lateness.labels(number, "1").set(stats.lateness_max_ms / 1000.0)
        metrics.tick_seconds.labels(number, "0.5").set(stats.tick_p50_ms / 1000.0)
        metrics.tick_seconds.labels(number, "0.99").set(stats.tick_p99_ms / 1000.0)
        metrics.media_collections.labels(number).set(stats.collections)
        self._planes[number] = stats

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

    def trunks(self, figures: Mapping[str, TrunkFigures]) -> None:
        """All trunks and how much they carry now. The series of others go, so that their number is bounded."""
        metrics, told = self._metrics, self._trunks
        for name, now in figures.items():
            if now != told.get(name):
                told[name] = now
                metrics.trunk_calls.labels(name, "in").set(now.calls_in)
                metrics.trunk_calls.labels(name, "out").set(now.calls_out)
                metrics.trunk_spent.labels(name).set(now.spent)
                self._limit(name, now.limit)
        for name in [name for name in told if name not in figures]:
            del told[name]
            metrics.trunk_calls.remove(name, "in")
            metrics.trunk_calls.remove(name, "out")
            metrics.trunk_spent.remove(name)
            self._limit(name, 0)

    def _limit(self, trunk: str, limit: float) -> None:
        if limit:
            self._metrics.trunk_spend_limit.labels(trunk).set(limit)
            self._limited.add(trunk)
        elif trunk in self._limited:
            self._metrics.trunk_spend_limit.remove(trunk)
            self._limited.discard(trunk)

    def handshakes(self, refused: Mapping[str, int]) -> None:
        """TLS handshakes that came to nothing, totals by reason since the start."""
        for reason, new in self._handshakes.news(refused):
            self._metrics.tls_refused.labels(reason).inc(new)

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
