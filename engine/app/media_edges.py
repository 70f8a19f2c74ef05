"""Who hears whom, across media processes.

Calls draw edges between legs and know nothing of processes. Here each edge is drawn in the process in which its sink
lives: from the source itself where that lives there too, else from the ear of a span that stands for it. When a leg
moves, its edges are looked at again, and those that differ are drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.app.media_spans import Span, Spans
from engine.media.commands import Connect, Disconnect


class Edges:
    """See the module."""

    def __init__(self, legs: Mapping[str, PlacedLeg], spans: Spans) -> None:
        """`legs` are all there are, by name; kept up to date by their owner."""
        self._legs = legs
        self._spans = spans
        self.crossing: dict[PlacedLeg, None] = {}
        """Legs of which an edge leads to another process, since this was emptied."""
        self.moved = False
        """A leg has moved, since this was reset."""

    def connect(self, command: Connect) -> None:
        """Let one hear the other; both are known."""
        source, sink = self._legs[command.source], self._legs[command.sink]
        sink.sources[source.name] = command
        source.sinks[sink.name] = None
        self.draw(sink, source.name)

    def disconnect(self, command: Disconnect) -> None:
        sink, source = self._legs.get(command.sink), self._legs.get(command.source)
        if sink is not None:
            sink.sources.pop(command.source, None)
            self.draw(sink, command.source)
        if source is not None:
            source.sinks.pop(command.sink, None)

    def redraw(self, leg: PlacedLeg) -> None:
        """The leg has moved: look at all its edges again."""
        self.moved = True
        for name in [*leg.drawn, *(name for name in leg.sources if name not in leg.drawn)]:
            self.draw(leg, name)
        for name in [*leg.sinks]:
            if (sink := self._legs.get(name)) is not None and sink is not leg:
                self.draw(sink, leg.name)

    def remove(self, leg: PlacedLeg) -> None:
        """The leg closes; its process takes its edges away by itself."""
        self.undrawn(leg)
        for name in leg.sources:
            if (source := self._legs.get(name)) is not None:
                source.sinks.pop(leg.name, None)
        for name in leg.sinks:
            if (sink := self._legs.get(name)) is not None:
                sink.sources.pop(leg.name, None)
                if (drawn := sink.drawn.pop(leg.name, None)) is not None:
                    self._leave(drawn[1])
        leg.sources.clear()
        leg.sinks.clear()
        self.crossing.pop(leg, None)

    def undrawn(self, leg: PlacedLeg) -> None:
        """The process that had the leg's edges is gone, and they with it."""
        for _, edge in [*leg.drawn.values()]:
            self._leave(edge)
        leg.drawn.clear()

    def mend(self, broken: Sequence[Span]) -> None:
        """These spans are no more: let who heard by them hear otherwise, if that can be."""
        for span in broken:
            for name in [*span.users]:
                if (sink := self._legs.get(name)) is not None:
                    sink.drawn.pop(span.source.name, None)
                    self.draw(sink, span.source.name)

    def draw(self, sink: PlacedLeg, name: str) -> None:
        """Let what the sink's process was told of this source be what is wanted."""
        wanted, drawn = self._wanted(sink, name), sink.drawn.get(name)
        if wanted == drawn:
            return
        if drawn is not None and (wanted is None or (drawn[0], drawn[1].source) != (wanted[0], wanted[1].source)):
            drawn[0].send(Disconnect(source=drawn[1].source, sink=drawn[1].sink))
        if wanted is None:
            del sink.drawn[name]
        else:
            sink.drawn[name] = wanted
            wanted[0].send(wanted[1])
        if drawn is not None and (wanted is None or drawn[1].source != wanted[1].source):
            self._leave(drawn[1])

    def _wanted(self, sink: PlacedLeg, name: str) -> tuple[MediaPlane, Connect] | None:
        edge, source = sink.sources.get(name), self._legs.get(name)
        if edge is None or source is None or sink.homeless or source.homeless:
            return None
        if source.ears is sink.home:
            return sink.home, edge
        self.crossing[source] = self.crossing[sink] = None
        return sink.home, replace(edge, source=self._spans.want(source, sink.home, sink.name).ear)

    def _leave(self, edge: Connect) -> None:
        if (span := self._spans.of(edge.source)) is not None:
            self._spans.leave(span, edge.sink)
