"""Commands to one media process on their way out of the core, and the ports that it keeps ready for new legs.

A leg is opened on a pair of ports that the media process has told us of in advance (`Spares`), so that nobody waits for
its answer: here the answer is given at once. Only when no spare pair is left the media process is asked for one.
"""

from __future__ import annotations

from collections import deque

from engine.media.commands import Command, OpenLeg
from engine.media.events import LegOpened, Spares, Welcome


class MediaOutbox:
    """Queues what one media process is commanded until the driver takes it away."""

    def __init__(self) -> None:
        self._welcome: Welcome | None = None
        self._pending: list[Command] = []
        self._urgent = False
        """Whether something waits that is to be done now. A leg on a spare pair is silent until the next command about
        it; to open it can wait for that one, which saves the media process a wake-up."""
        self._spares: deque[int] = deque()
        self._opened: list[LegOpened] = []

    @property
    def welcome(self) -> Welcome | None:
        """What the media process said of itself; None while there is none."""
        return self._welcome

    def send(self, command: Command) -> None:
        if self._welcome is None:
            return
        if isinstance(command, OpenLeg):
            if (port := self.open(command)) is not None:
                self._opened.append(LegOpened(leg=command.leg, port=port))
        else:
            self._pending.append(command)
            self._urgent = True

    def open(self, command: OpenLeg, *, at_once: bool = False) -> int | None:
        """Open a leg; its port where there is a spare pair, else None, and the answer follows. `at_once` where packets
        may come before the next command."""
        self._urgent = self._urgent or (at_once and self._welcome is not None)
        if self._welcome is not None and self._spares:
            port = self._spares.popleft()
            self._pending.append(OpenLeg(leg=command.leg, tag=command.tag, port=port))
            return port
        if self._welcome is not None:
            self._pending.append(command)
            self._urgent = True
        return None

    def ready(self) -> bool:
        return self._welcome is not None

    def opened(self, welcome: Welcome) -> None:
        """A media process takes commands."""
        self._welcome = welcome

    def spares(self, event: Spares) -> None:
        """The media process has so many more pairs ready."""
        self._spares += event.ports

    def port_given(self, port: int) -> None:
        """A leg was given a port that we did not choose; the last pairs of a range come out of the spare ones."""
        if port in self._spares:
            self._spares.remove(port)

    def closed(self) -> None:
        """It is gone, and what was meant for it with it."""
        self._welcome = None
        self._pending.clear()
        self._urgent = False
        self._spares.clear()
        self._opened.clear()

    def take_opened(self) -> list[LegOpened]:
        """Drain the answers for legs that were opened on spare pairs."""
        taken = self._opened
        if taken:
            self._opened = []
        return taken

    def take(self) -> list[Command]:
        """Drain the commands, in order, if any of them is urgent."""
        if not self._urgent:
            return []
        taken, self._pending = self._pending, []
        self._urgent = False
        return taken
