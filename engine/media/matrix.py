"""Who hears whom: the edges of the hearing matrix, and the cheapest way to serve each sink.

A conference is all edges between its members, told once: to join one costs the same in a conference of three and of
sixty-four. Edges drawn one by one come on top of it.

This is bookkeeping only; `switchboard` asks for the route of every sink that a change touches and acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from engine.media.commands import Codec
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What a member of a conference does there."""

    speaks: bool = True
    hears: bool = True
    gain_db: float = 0.0
    """At which the others hear it."""


class Conference:
    """Who is in a conference. Compared and hashed by identity."""

    __slots__ = ("members", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[Leg, Seat] = {}

    def voices(self) -> Iterator[Edge]:
        """Those who speak and to whom we listen; an unknown codec has no part in it."""
        for leg, seat in self.members.items():
            if seat.speaks and leg.listening and leg.codec is not Codec.OPAQUE:
                yield Edge(source=leg, gain_db=seat.gain_db)


class Matrix:
    """The edges, found from both ends."""

    def __init__(self) -> None:
        self._heard_by: dict[Leg, dict[Leg, float]] = {}
        """sink -> source -> gain"""
        self._hearers: dict[Leg, set[Leg]] = {}
        """source -> sinks"""
        self._conferences: dict[str, Conference] = {}
        self._seated: dict[Leg, Conference] = {}

    def connect(self, source: Leg, sink: Leg, gain_db: float) -> None:
        self._heard_by.setdefault(sink, {})[source] = gain_db
        self._hearers.setdefault(source, set()).add(sink)

    def disconnect(self, source: Leg, sink: Leg) -> None:
        if self._heard_by.get(sink, {}).pop(source, None) is not None:
            self._hearers[source].discard(sink)

    def join(self, leg: Leg, name: str, seat: Seat) -> None:
        """Let a leg be a member of this conference, and of no other; the first one makes it."""
        if self._seated.get(leg) is not self._conferences.get(name):
            self.leave(leg)
        conference = self._conferences.get(name)
        if conference is None:
            conference = self._conferences[name] = Conference(name)
        conference.members[leg] = seat
        self._seated[leg] = conference

    def leave(self, leg: Leg) -> None:
        """Let a leg be in no conference; the last one ends it."""
        conference = self._seated.pop(leg, None)
        if conference is not None:
            del conference.members[leg]
            if not conference.members:
                del self._conferences[conference.name]

    def remove(self, leg: Leg) -> None:
        """Take a leg and all its edges out."""
        self.leave(leg)
        for source in self._heard_by.pop(leg, {}):
            self._hearers[source].discard(leg)
        for sink in self._hearers.pop(leg, set()):
            self._heard_by.get(sink, {}).pop(leg, None)

    def sinks(self, source: Leg) -> Iterator[Leg]:
        """Who hears this leg (itself too, when it is an echo)."""
        yield from self.drawn_to(source)
        conference = self._seated.get(source)
        if conference is not None and conference.members[source].speaks:
            for leg, seat in conference.members.items():
                if seat.hears and leg is not source:
                    yield leg

    def drawn_to(self, source: Leg) -> Iterator[Leg]:
        """Who hears this leg, but for its conference."""
        yield from self._hearers.get(source, ())

    def edges(self, sink: Leg) -> Iterator[Edge]:
        """What this leg hears now, one by one: only sources that we listen to and that it can understand."""
        yield from self.drawn(sink)
        conference = self.conference(sink)
        if conference is not None:
            yield from (edge for edge in conference.voices() if edge.source is not sink)

    def drawn(self, sink: Leg) -> Iterator[Edge]:
        """What this leg hears besides its conference."""
        for source, gain_db in self._heard_by.get(sink, {}).items():
            if source.listening and (Codec.OPAQUE not in (source.codec, sink.codec) or alike(source, sink)):
                yield Edge(source=source, gain_db=gain_db)

    def partners(self, leg: Leg) -> Iterator[Leg]:
        """Who hears this leg and is heard by it, by edges of their own."""
        for other in self._heard_by.get(leg, ()):
            if other is not leg and leg in self._heard_by.get(other, ()):
                yield other

    def company(self, leg: Leg) -> Iterator[Leg]:
        """The others who speak in the leg's conference, where it hears it."""
        conference = self.conference(leg)
        if conference is not None:
            for other, seat in conference.members.items():
                if seat.speaks and other is not leg:
                    yield other

    def muted(self, leg: Leg) -> bool:
        """Whether the leg sits in a conference and is not to be heard there."""
        conference = self._seated.get(leg)
        return conference is not None and not conference.members[leg].speaks

    def conference(self, sink: Leg) -> Conference | None:
        """The conference that this leg hears."""
        conference = self._seated.get(sink)
        if conference is None or not conference.members[sink].hears or sink.codec is Codec.OPAQUE:
            return None
        return conference

    def voice(self, leg: Leg, *, hears: bool) -> Iterator[Edge]:
        """What a recording of this leg takes in: its own voice, or what is sent to it; nothing while it is on hold."""
        if hears:
            if leg.tx.send is not None:
                yield from (edge for edge in self.edges(leg) if edge.source.row >= 0)
        elif leg.listening and leg.row >= 0:
            yield Edge(source=leg, gain_db=0.0)

    def route(self, sink: Leg) -> tuple[Route, Leg | None]:
        """The way to serve a sink, and the source when it is RELAY."""
        if sink.tx.send is None:
            return Route.SILENT, None
        if sink.digits_out:
            return Route.DIGITS, None
        edges = list(islice(self.edges(sink), 2))
        overlaid = sink.overlay is not None and sink.codec is not Codec.OPAQUE
        if sink.player is None and not overlaid:
            if not edges:
                return Route.SILENT, None
            if len(edges) == 1 and edges[0].gain_db == 0 and alike(edges[0].source, sink):
                return Route.RELAY, edges[0].source
        if sink.codec is Codec.OPAQUE:
            return Route.SILENT, None
        return (Route.MIX if edges or overlaid else Route.PLAYER), None

    def obstacle(self, source: Leg, sink: Leg, gain_db: float) -> str | None:
        """Why this edge would need a decoder that we have not got; None where it needs none."""
        if source.remote is None or sink.remote is None or Codec.OPAQUE not in (source.codec, sink.codec):
            return None
        unknown = source if source.codec is Codec.OPAQUE else sink
        if not alike(source, sink):
            other = sink if unknown is source else source
            return f"{unknown.coding} can only be passed through, and leg {other.name!r} has {other.coding}"
        if gain_db != 0:
            return f"{unknown.coding} can only be passed through, not made louder or softer"
        if any(other is not source for other in self._heard_by.get(sink, {})):
            return f"{unknown.coding} can only be passed through, not mixed with what leg {sink.name!r} hears already"
        return None


def alike(source: Leg, sink: Leg) -> bool:
    """Whether packets of one leg can be passed on to another untouched."""
    return source.codec is sink.codec and source.opaque == sink.opaque and source.tx.rate == sink.tx.rate
