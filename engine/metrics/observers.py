"""Keeps the metrics: a fold of the event log, and setters for what is not in it.

`observe` sees every record, on the loop, so it does one dictionary look-up for records that say nothing to it and keeps
the children of labelled metrics at hand; gauges look for themselves when somebody asks for them.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from engine.acd.agent import AgentState
from engine.calls.causes import Outcome
from engine.calls.directory import AgentStatus, Directory
from engine.calls.journal import Record
from engine.calls.log import (
    AgentReachable,
    AgentStateChanged,
    AgentStatusChanged,
    AgentUnreachable,
    CallDirection,
    CallEnded,
    CallerConnected,
    CallerLeft,
    CallerQueued,
    CallStarted,
    DirectoryChanged,
    MediaLost,
    MediaStarted,
    OfferEnded,
)
from engine.calls.media_records import LegClosed, OneWayHeard
from engine.calls.recording_records import (
    RecordingBegan,
    RecordingEnded,
    RecordingFound,
    RecordingGapped,
    RecordingMissed,
)
from engine.calls.trunk_records import (
    CircuitState,
    TollCutOff,
    TollRefusal,
    TollRefused,
    TrunkCircuitChanged,
    TrunkRegistrationChanged,
    TrunkStateChanged,
    TrunkTried,
)
from engine.ids import AgentName, CallId, QueueName
from engine.metrics.metrics import MetricSet

CONNECTED: Final = "connected"
"""Result of a wait that ended with an agent; the others are `QueueExit`."""

UNKNOWN: Final = "unknown"
"""Direction of a call whose beginning this process has not seen."""


class MetricsObserver:
    """Told of every record of the log, in order."""

    def __init__(self, metrics: MetricSet) -> None:
        self._metrics = metrics
        self._directions: dict[CallId, CallDirection] = {}
        self._waiting: dict[CallId, QueueName] = {}
        self._waiting_in: Tally[QueueName] = Tally()
        self._agents = _Census(metrics.agents, "state", [state.value for state in AgentState])
        self._statuses = _Census(metrics.agent_status, "status", [status.value for status in AgentStatus])
        self._reachable: set[AgentName] = set()
        self._running: set[str] = set()
        """Recordings that are not finished."""
        self._children: dict[tuple[Any, ...], Any] = {}
        self._on: dict[type[Any], Callable[[CallId | None, Any], None]] = {
            CallStarted: self._call_started,
            CallEnded: self._call_ended,
            CallerQueued: self._caller_queued,
            CallerConnected: self._caller_connected,
            CallerLeft: self._caller_left,
            OfferEnded: self._offer_ended,
            LegClosed: self._leg_closed,
            OneWayHeard: self._one_way,
            AgentStateChanged: lambda _, body: self._agents.move(body.agent, body.state),
            AgentStatusChanged: lambda _, body: self._statuses.move(body.agent, body.status.value),
            AgentReachable: self._agent_reachable,
            AgentUnreachable: self._agent_unreachable,
            TrunkStateChanged: lambda _, body: self._child(metrics.trunk_up, body.trunk).set(body.up),
            TrunkCircuitChanged: self._circuit_changed,
            TrunkRegistrationChanged: lambda _, body: self._child(metrics.trunk_registered, body.trunk).set(
                body.registered
            ),
            TrunkTried: lambda _, body: self._child(metrics.trunk_tried, body.trunk, body.why.value).inc(),
            TollRefused: lambda _, body: self._child(metrics.toll_refused, body.why.value).inc(),
            TollCutOff: lambda _, body: metrics.toll_cut_off.inc(),
            MediaStarted: lambda _, body: metrics.media_up.labels(body.plane).set(1),
            MediaLost: self._media_lost,
            DirectoryChanged: self._directory_changed,
            RecordingBegan: lambda _, body: self._running.add(body.recording),
            RecordingFound: lambda _, body: self._running.add(body.recording),
            RecordingGapped: lambda _, body: metrics.recording_gaps.inc(not body.over),
            RecordingEnded: self._recording_ended,
            RecordingMissed: self._recording_missed,
        }
        metrics.recordings.set_function(self._running.__len__)
        metrics.calls_active.set_function(self._directions.__len__)
        metrics.registrations.set_function(self._reachable.__len__)
        for why in TollRefusal:
            self._child(metrics.toll_refused, why.value)
        for direction in CallDirection:
            for outcome in Outcome:
                metrics.calls_total.labels(direction=direction.value, outcome=outcome.value)

    def seed(self, directory: Directory) -> None:
        """Begin with what exists before the first record: everybody unreachable, every queue empty."""
        for agent in directory.agents.values():
            self._agents.move(agent.name, AgentState.UNREACHABLE.value)
            self._statuses.move(agent.name, agent.status.value)
        for queue in directory.queues:
            self._show_queue(queue)
        for trunk in directory.trunks.values():
            self._child(self._metrics.trunk_up, trunk.name).set(trunk.ping_s == 0)
            self._child(self._metrics.trunk_circuit_open, trunk.name).set(0)

    def recall(self, records: Sequence[Record]) -> None:
        """Know calls that began in an earlier process and end in this one. What it has measured of them itself is not
        counted again."""
        self.observe([record for record in records if isinstance(record.body, CallStarted)])

    def observe(self, records: Sequence[Record]) -> None:
        """Note these records, in order."""
        for record in records:
            note = self._on.get(type(record.body))
            if note is not None:
                note(record.call, record.body)

    # --- calls ---

    def _call_started(self, call: CallId | None, body: CallStarted) -> None:
        assert call is not None
        self._directions[call] = body.direction

    def _call_ended(self, call: CallId | None, body: CallEnded) -> None:
        assert call is not None
        self._out_of_queue(call)
        direction = self._directions.pop(call, UNKNOWN)
        self._child(self._metrics.calls_total, str(direction), body.cause.outcome.value).inc()

    def _recording_ended(self, call: CallId | None, body: RecordingEnded) -> None:
        self._running.discard(body.recording)
        self._metrics.recorded_seconds.inc(body.seconds)
        self._metrics.recording_lost.inc(body.lost_s)

    def _recording_missed(self, call: CallId | None, body: RecordingMissed) -> None:
        self._running.discard(body.recording)
        self._metrics.recordings_missed.inc()

    # --- queues ---

    def _caller_queued(self, call: CallId | None, body: CallerQueued) -> None:
        assert call is not None
        self._out_of_queue(call)
        self._waiting[call] = body.queue
        self._waiting_in[body.queue] += 1
        self._show_queue(body.queue)

    def _caller_connected(self, call: CallId | None, body: CallerConnected) -> None:
        assert call is not None
        self._out_of_queue(call)
        self._child(self._metrics.queue_wait, body.queue, CONNECTED).observe(body.waited_s)

    def _caller_left(self, call: CallId | None, body: CallerLeft) -> None:
        assert call is not None
        self._out_of_queue(call)
        self._child(self._metrics.queue_wait, body.queue, body.why.value).observe(body.waited_s)

    def _out_of_queue(self, call: CallId) -> None:
        queue = self._waiting.pop(call, None)
        if queue is not None:
            self._waiting_in[queue] -= 1

    def _show_queue(self, queue: QueueName) -> None:
        if (self._metrics.queue_waiting, queue) not in self._children:
            waiting = self._child(self._metrics.queue_waiting, queue)
            waiting.set_function(partial(self._waiting_in.__getitem__, queue))

    def _offer_ended(self, _call: CallId | None, body: OfferEnded) -> None:
        self._child(self._metrics.ring, body.queue, body.outcome.value).observe(body.rang_s)

    # --- media ---

    def _leg_closed(self, _call: CallId | None, body: LegClosed) -> None:
        # Duplicates make the loss of RFC 3550 negative.
        if body.lost > 0:
            self._metrics.rtp_lost.inc(body.lost)
        metrics = self._metrics
        if body.packets_received:
            metrics.rtp_jitter.observe(body.jitter_ms / 1000.0)
            missing = max(0, body.lost) + body.discarded
            expected = body.packets_received + max(0, body.lost)
            self._child(metrics.rtp_loss, _trunk(body.who)).observe(missing / expected)
        if body.round_trip_ms is not None:
            self._child(metrics.rtp_round_trip, _trunk(body.who)).observe(body.round_trip_ms / 1000.0)
        if body.mos is not None:
            self._child(metrics.rtp_mos, _trunk(body.who)).observe(body.mos)
        if body.discarded:
            metrics.rtp_discarded.inc(body.discarded)
        if body.unauthentic:
            metrics.srtp_unauthentic.inc(body.unauthentic)

    def _one_way(self, _call: CallId | None, body: OneWayHeard) -> None:
        if not body.over:
            self._child(self._metrics.rtp_one_way, _trunk(body.who), body.way).inc()

    def _media_lost(self, _call: CallId | None, body: MediaLost) -> None:
        self._metrics.media_up.labels(body.plane).set(0)
        self._metrics.media_legs.labels(body.plane).set(0)

    # --- agents and lines ---

    def _agent_reachable(self, _call: CallId | None, body: AgentReachable) -> None:
        self._reachable.add(body.agent)

    def _agent_unreachable(self, _call: CallId | None, body: AgentUnreachable) -> None:
        self._reachable.discard(body.agent)

    def _directory_changed(self, _call: CallId | None, body: DirectoryChanged) -> None:
        match body.kind, body.action:
            case "agent", "put":
                self._agents.enter(AgentName(body.name), AgentState.UNREACHABLE.value)
                self._statuses.enter(AgentName(body.name), AgentStatus.AVAILABLE.value)
            case "agent", "drop":
                self._agents.leave(AgentName(body.name))
                self._statuses.leave(AgentName(body.name))
                self._reachable.discard(AgentName(body.name))
            case "queue", "put":
                self._show_queue(QueueName(body.name))
            case "queue", "drop":
                self._forget(body.name, {self._metrics.queue_waiting, self._metrics.queue_wait, self._metrics.ring})
            case "trunk", "put":
                self._child(self._metrics.trunk_up, body.name)
                # Changed settings are another chance.
                self._child(self._metrics.trunk_circuit_open, body.name).set(0)
            case "trunk", "drop":
                metrics = self._metrics
                of_trunks = {metrics.trunk_up, metrics.trunk_circuit_open, metrics.trunk_registered}
                of_sound = {metrics.rtp_loss, metrics.rtp_round_trip, metrics.rtp_mos, metrics.rtp_one_way}
                self._forget(body.name, {*of_trunks, *of_sound, metrics.trunk_tried})
            case _:
                pass

    def _circuit_changed(self, _call: CallId | None, body: TrunkCircuitChanged) -> None:
        self._child(self._metrics.trunk_circuit_open, body.trunk).set(body.state is not CircuitState.CLOSED)

    # --- children of labelled metrics ---

    def _child(self, metric: Any, *labels: str) -> Any:
        key = (metric, *labels)
        child = self._children.get(key)
        if child is None:
            child = self._children[key] = metric.labels(*labels)
        return child

    def _forget(self, name: str, metrics: set[Any]) -> None:
        """The series of a queue or trunk go with it, so that their number is bounded by what there is."""
        for metric, *labels in [key for key in self._children if key[0] in metrics and key[1] == name]:
            metric.remove(*labels)
            del self._children[metric, *labels]


def _trunk(who: str) -> str:
    """The trunk in a leg's name; empty for a phone."""
    kind, _, name = who.partition(":")
    return name if kind == "trunk" else ""


class _Census:
    """How many agents are in each of a few states."""

    def __init__(self, gauge: Any, label: str, states: list[str]) -> None:
        self._of: dict[AgentName, str] = {}
        self._count = Tally(dict.fromkeys(states, 0))
        for state in states:
            gauge.labels(**{label: state}).set_function(partial(self._count.__getitem__, state))

    def enter(self, agent: AgentName, state: str) -> None:
        """Count a newcomer; one who is known stays where they are."""
        if agent not in self._of:
            self.move(agent, state)

    def move(self, agent: AgentName, state: str) -> None:
        self.leave(agent)
        self._of[agent] = state
        self._count[state] += 1

    def leave(self, agent: AgentName) -> None:
        state = self._of.pop(agent, None)
        if state is not None:
            self._count[state] -= 1
