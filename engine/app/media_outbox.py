"""Commands to the media process on their way out of the core."""

from __future__ import annotations

from engine.media.commands import Command


class MediaOutbox:
    """`engine.calls.ports.MediaPort`: queues what calls command until the driver takes it away."""

    def __init__(self) -> None:
        self._ready = False
        self._pending: list[Command] = []

    def send(self, command: Command) -> None:
        if self._ready:
            self._pending.append(command)

    def ready(self) -> bool:
        return self._ready

    def opened(self) -> None:
        """A media process takes commands."""
        self._ready = True

    def closed(self) -> None:
        """It is gone, and what was meant for it with it."""
        self._ready = False
        self._pending.clear()

    def take(self) -> list[Command]:
        """Drain the commands, in order."""
        taken = self._pending
        if taken:
            self._pending = []
        return taken
