"""Commands to the media process on their way out of the core."""

from __future__ import annotations

from engine.media.commands import Command, Welcome


class MediaOutbox:
    """`engine.calls.ports.MediaPort`: queues what calls command until the driver takes it away."""

    def __init__(self) -> None:
        self._welcome: Welcome | None = None
        self._pending: list[Command] = []

    @property
    def welcome(self) -> Welcome | None:
        """What the media process said of itself; None while there is none."""
        return self._welcome

    def send(self, command: Command) -> None:
        if self._welcome is not None:
            self._pending.append(command)

    def ready(self) -> bool:
        return self._welcome is not None

    def opened(self, welcome: Welcome) -> None:
        """A media process takes commands."""
        self._welcome = welcome

    def closed(self) -> None:
        """It is gone, and what was meant for it with it."""
        self._welcome = None
        self._pending.clear()

    def take(self) -> list[Command]:
        """Drain the commands, in order."""
        taken = self._pending
        if taken:
            self._pending = []
        return taken
