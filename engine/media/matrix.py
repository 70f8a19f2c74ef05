"""Who hears whom: the edges of the hearing matrix, and the cheapest way to serve each sink.

This is bookkeeping only; `switchboard` asks for the route of every sink that a change touches and acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from engine.media.leg import Leg


class Route(Enum):
    """How a leg gets what it hears."""

    SILENT = auto()
    """Nothing is sent: nothing to hear, or hold, or no remote address."""
    RELAY = auto()
    """One other leg in the same codec, untouched: packets pass through on arrival."""
    PLAYER = auto()
    """A player alone: ready-made payloads at the tick, nothing is mixed."""
    DIGITS = auto()
    """Telephone-events are being sent; sound waits."""
    MIX = auto()
    """Everything else: decoded, added and encoded at the tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    source: Leg
    gain_db: float


class Matrix:
    """The edges, found from both ends."""

    def __init__(self) -> None:
        self._heard_by: dict[Leg, dict[Leg, float]] = {}
        """sink -> source -> gain"""
        self._hearers: dict[Leg, set[Leg]] = {}
        """source -> sinks"""

    def connect(self, source: Leg, sink: Leg, gain_db: float) -> None:
        self._heard_by.setdefault(sink, {})[source] = gain_db
        self._hearers.setdefault(source, set()).add(sink)

    def disconnect(self, source: Leg, sink: Leg) -> None:
        if self._heard_by.get(sink, {}).pop(source, None) is not None:
            self._hearers[source].discard(sink)

    def remove(self, leg: Leg) -> None:
        """Take a leg and all its edges out."""
        for source in self._heard_by.pop(leg, {}):
            self._hearers[source].discard(leg)
        for sink in self._hearers.pop(leg, set()):
            self._heard_by.get(sink, {}).pop(leg, None)

    def sinks(self, source: Leg) -> list[Leg]:
        """Who hears this leg (itself too, when it is an echo)."""
        return list(self._hearers.get(source, ()))

    def edges(self, sink: Leg) -> Iterator[Edge]:
        """What this leg hears now: only sources that we listen to."""
        for source, gain_db in self._heard_by.get(sink, {}).items():
            if source.listening:
                yield Edge(source=source, gain_db=gain_db)

    def route(self, sink: Leg) -> tuple[Route, Leg | None]:
        """The way to serve a sink, and the source when it is RELAY."""
        if sink.tx.send is None:
            return Route.SILENT, None
        if sink.digits_out:
            return Route.DIGITS, None
        edges = list(self.edges(sink))
        if sink.player is not None:
            return (Route.MIX if edges else Route.PLAYER), None
        if not edges:
            return Route.SILENT, None
        if len(edges) == 1 and edges[0].gain_db == 0 and edges[0].source.codec is sink.codec:
            return Route.RELAY, edges[0].source
        return Route.MIX, None
