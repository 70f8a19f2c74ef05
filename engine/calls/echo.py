"""Echo test: the caller hears himself until he hangs up."""

from __future__ import annotations

from engine.calls.destination import Destination
from engine.calls.switchboard import CallLeg
from engine.media.commands import Connect


class Echo(Destination):
    """One leg, connected to itself."""

    name = "echo"

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        self.call.answer_caller(now)

    def caller_up(self, now: float) -> None:
        leg = self.call.caller.id
        self.call.board.media.send(Connect(source=leg, sink=leg))
