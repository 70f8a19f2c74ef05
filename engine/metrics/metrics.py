"""Every metric that Hearthline exports, declared once: name, help, labels, buckets.

`docs/metrics.md` is written from this (`python -m engine.metrics`). Labels are bounded: queues and trunks are those of
the directory, files those of the configuration, everything else is an enumeration of ours.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

WAIT_BUCKETS: Final = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
"""Seconds; 20 is the usual goal of a service level."""
RING_BUCKETS: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 15.0, 20.0, 30.0, 60.0)
JITTER_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
LOSS_BUCKETS: Final = (0.0, 0.001, 0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 0.3)
TRIP_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
MOS_BUCKETS: Final = (1.5, 2.0, 2.5, 3.0, 3.25, 3.5, 3.75, 4.0, 4.2, 4.3)
LAG_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Of what `render` gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One metric, for the reference."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


_M = TypeVar("_M", Counter, Gauge, Histogram)


class MetricSet:
    """All metrics and the registry that they live in; one a process, made by the composition root."""

    def __init__(self, *, version: str) -> None:
        # A "_created" series beside every counter doubles the page and no alert reads it; the library has only a
        # switch for the whole process.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.declared: list[Declaration] = []
        self._calls()
        self._queues_and_agents()
        self._signalling()
        self._media()
        self._recordings()
        self._engine()
        build = self._gauge("hearthline_build_info", "Always 1; what runs.", "version", "python")
        build.labels(version=version, python=platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)

    def render(self) -> bytes:
        """The page that Prometheus asks for."""
        return generate_latest(self.registry)

    def certificate_ends(self, file: str, at: float) -> None:
        """One of ours is good until then, in seconds since the epoch."""
        self._certificate_end.labels(file=file).set(at)

    def _calls(self) -> None:
        self.calls_total = self._counter(
            "hearthline_calls_total", "Calls that ended, by whose doing it was.", "direction", "outcome"
        )
        self.calls_active = self._gauge("hearthline_calls_active", "Calls that are up or being set up.")

    def _queues_and_agents(self) -> None:
        self.queue_waiting = self._gauge("hearthline_queue_waiting", "Callers who wait now.", "queue")
        self.queue_wait = self._histogram(
            "hearthline_queue_wait_seconds",
            "Time from entering a queue to an agent (connected) or out of it (abandoned, timeout, ...).",
            WAIT_BUCKETS,
            "queue",
            "result",
        )
        self.ring = self._histogram(
            "hearthline_ring_seconds", "Time from an offer to its end.", RING_BUCKETS, "queue", "outcome"
        )
        self.agents = self._gauge("hearthline_agents", "Agents by what the engine sees them do.", "state")
        self.agent_status = self._gauge("hearthline_agent_status", "Agents by what they chose.", "status")

    def _signalling(self) -> None:
        self.registrations = self._gauge("hearthline_registrations", "Agents whose phone is registered.")
        self.trunk_up = self._gauge("hearthline_trunk_up", "1 when the trunk answers.", "trunk")
        self._certificate_end = self._gauge(
            "hearthline_certificate_end_timestamp_seconds",
            "When a certificate of SIP over TLS stops being good, in seconds since the epoch.",
            "file",
        )
        self.trunk_circuit_open = self._gauge(
            "hearthline_trunk_circuit_open", "1 while the trunk gets no calls because it failed too many.", "trunk"
        )
        self.trunk_registered = self._gauge(
            "hearthline_trunk_registered", "1 when we are registered at the trunk; of those that want it.", "trunk"
        )
        self.trunk_tried = self._counter(
            "hearthline_trunk_failed_calls_total", "Calls that a trunk did not carry, by why.", "trunk", "why"
        )
        self.trunk_calls = self._gauge(
            "hearthline_trunk_calls", "Calls on the trunk that are up or being set up.", "trunk", "direction"
        )
        self.trunk_spent = self._gauge(
            "hearthline_trunk_spent_today", "What calls on the trunk have cost since midnight.", "trunk"
        )
        self.trunk_spend_limit = self._gauge(
            "hearthline_trunk_spend_limit", "What calls on the trunk may cost a day; of those with a limit.", "trunk"
        )
        self.toll_refused = self._counter(
            "hearthline_toll_refused_total", "Calls refused by the guard against toll fraud, by why.", "why"
        )
        self.toll_cut_off = self._counter(
            "hearthline_toll_cut_off_total", "Calls ended because the day's money was spent."
        )
        self.sip_messages = self._counter(
            "hearthline_sip_messages_total",
            "SIP messages; code is the status of a response, or request.",
            "direction",
            "method",
            "code",
            "transport",
        )
        self.sip_retransmissions = self._counter(
            "hearthline_sip_retransmissions_total",
            "SIP messages that came or were sent again, by the method of their request.",
            "direction",
            "method",
            "transport",
        )
        self.sip_dropped = self._counter(
            "hearthline_sip_dropped_total",
            "SIP input that nothing came of: malformed, unanswerable (refused, with no way to say so), unmatched "
            "(responses that nobody asked for), unexpected (in the state that the transaction is in).",
            "reason",
        )
        self.sip_transactions = self._gauge("hearthline_sip_transactions", "SIP transactions that are kept.")
        self.sip_dialogs = self._gauge("hearthline_sip_dialogs", "SIP dialogs that stand, early ones too.")
        self.sip_bindings = self._gauge("hearthline_sip_bindings", "Phones that are registered.")
        self.sip_connections = self._gauge("hearthline_sip_connections", "TCP and TLS connections that stand.")

        self.tls_refused = self._counter(
            "hearthline_tls_handshakes_refused_total",
            "TLS handshakes of peers that came to nothing: rate (too many from there), slow, certificate (theirs is "
            "missing or not good), protocol (no TLS, or none that we speak), distrust (they refused ours), gone.",
            "reason",
        )
        self.guard_dropped = self._counter(
            "hearthline_guard_dropped_total",
            "SIP messages that the guard did not let in: rate, unknown, unknown_invites, banned, scanner, no_sip; and "
            "amplification, answers not given because they were too long for an address that may be forged.",
            "reason",
        )
        self.guard_bans = self._gauge("hearthline_guard_bans", "Sources that are banned now.")

    def _media(self) -> None:
        self.rtp_packets = self._counter("hearthline_rtp_packets_total", "RTP packets.", "direction")
        self.rtp_lost = self._counter("hearthline_rtp_lost_total", "RTP packets that never came, of legs that closed.")
        self.rtp_jitter = self._histogram(
            "hearthline_rtp_jitter_seconds", "Interarrival jitter (RFC 3550) of a leg when it closed.", JITTER_BUCKETS
        )
        self.rtp_loss = self._histogram(
            "hearthline_rtp_loss_ratio",
            "Part of a leg's packets that never came or came too late, when it closed; trunk is empty for phones.",
            LOSS_BUCKETS,
            "trunk",
        )
        self.rtp_round_trip = self._histogram(
            "hearthline_rtp_round_trip_seconds", "Round trip of a leg (RTCP) when it closed.", TRIP_BUCKETS, "trunk"
        )
        self.rtp_mos = self._histogram(
            "hearthline_rtp_mos", "Mean opinion score (ITU-T G.107) of what was heard on a leg.", MOS_BUCKETS, "trunk"
        )
        self.rtp_one_way = self._counter(
            "hearthline_rtp_one_way_total",
            "Times that nothing passed on a leg that talked with another: in (from its peer) or out.",
            "trunk",
            "way",
        )
        self.rtp_discarded = self._counter(
            "hearthline_rtp_discarded_total", "RTP packets that came too late to be played, of legs that closed."
        )
        self.srtp_unauthentic = self._counter(
            "hearthline_srtp_unauthentic_total",
            "SRTP packets that were not the peer's or were played again, of legs that closed.",
        )
        self.media_legs = self._gauge("hearthline_media_legs", "Legs that the media process has open.", "plane")
        self.tick_lateness = self._gauge(
            "hearthline_tick_lateness_seconds",
            "How late the media process began its ticks in the last second; quantile 1 is the worst.",
            "plane",
            "quantile",
        )
        self.tick_seconds = self._gauge(
            "hearthline_tick_seconds",
            "Processor time that a tick of the media process took in the last five seconds; it has 0.02.",
            "plane",
            "quantile",
        )
        self.media_cpu_share = self._gauge("hearthline_media_cpu_share", "What it takes of one core.", "plane")
        self.media_busy = self._gauge(
            "hearthline_media_busy", "1 while the media process gets no new calls, for want of time.", "plane"
        )
        self.media_collections = self._gauge(
            "hearthline_media_collections",
            "Runs of the media process's garbage collector while it had legs: none, unless something leaks.",
            "plane",
        )
        self.ports_taken = self._gauge(
            "hearthline_ports_taken", "RTP ports of its range that other programs hold.", "plane"
        )
        self.media_up = self._gauge("hearthline_media_up", "1 when the media process is connected.", "plane")

    def _recordings(self) -> None:
        self.recordings = self._gauge("hearthline_recordings", "Recordings that run, or are being finished.")
        self.recorded_seconds = self._counter("hearthline_recorded_seconds_total", "Of recordings that are finished.")
        self.recording_lost = self._counter(
            "hearthline_recording_lost_seconds_total", "Sound that no disk took, of recordings that are finished."
        )
        self.recording_gaps = self._counter(
            "hearthline_recording_gaps_total", "Times that a recording began to lose sound."
        )
        self.recordings_missed = self._counter(
            "hearthline_recordings_missed_total", "Recordings that could not be made, or not gone on with."
        )

    def _engine(self) -> None:
        self.loop_lag = self._histogram(
            "hearthline_loop_lag_seconds", "How late the event loop ran what was due.", LAG_BUCKETS
        )
        self.loop_lag_max = self._gauge(
            "hearthline_loop_lag_max_seconds", "The worst of it in the last one to two minutes."
        )
        self.store_pending = self._gauge("hearthline_store_pending_events", "Records that wait for the disk.")
        self.store_degraded = self._gauge(
            "hearthline_store_degraded", "1 when the store cannot be written; records wait in memory."
        )
        self.defects = self._counter(
            "hearthline_defects_total", "Errors of the engine's own that it survived; each is in the log."
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return self._declare(Counter(name, help_, labels, registry=self.registry), "counter", name, help_, labels)

    def _gauge(self, name: str, help_: str, *labels: str) -> Gauge:
        return self._declare(Gauge(name, help_, labels, registry=self.registry), "gauge", name, help_, labels)

    def _histogram(self, name: str, help_: str, buckets: Sequence[float], *labels: str) -> Histogram:
        made = Histogram(name, help_, labels, registry=self.registry, buckets=buckets)
        return self._declare(made, "histogram", name, help_, labels)

    def _declare(self, metric: _M, kind: str, name: str, help_: str, labels: tuple[str, ...]) -> _M:
        self.declared.append(Declaration(name=name, kind=kind, labels=labels, help=help_))
        return metric
