"""The lines to all media processes: one `MediaLink` each, known by its number."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from engine.media.commands import Command
from engine.media.events import MediaEvent
from engine.net.media_link import MediaLink


class PlanesSink(Protocol):
    """Who is told (the driver)."""

    def media_events(self, events: Sequence[MediaEvent], plane: int = 0) -> None: ...

    def media_lost(self, detail: str, plane: int = 0) -> None: ...


class MediaLinks:
    """See the module; each method does what the one of `MediaLink` does."""

    def __init__(self, links: Sequence[MediaLink]) -> None:
        """The link of process 0 comes first."""
        self._links = tuple(links)

    def __len__(self) -> int:
        return len(self._links)

    def start(self, sink: PlanesSink) -> None:
        for plane, link in enumerate(self._links):
            link.start(_OneSink(sink, plane))

    def send(self, commands: Sequence[Command], plane: int) -> None:
        self._links[plane].send(commands)

    def flush(self) -> None:
        for link in self._links:
            link.flush()

    async def stop(self) -> None:
        await asyncio.gather(*(link.stop() for link in self._links))


class _OneSink:
    """`MediaSink` of the process of one number."""

    def __init__(self, sink: PlanesSink, plane: int) -> None:
        self._sink = sink
        self._plane = plane

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        self._sink.media_events(events, self._plane)

    def media_lost(self, detail: str) -> None:
        self._sink.media_lost(detail, self._plane)
