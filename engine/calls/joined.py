"""Two who were put together by a transfer: they talk until one of them hangs up."""

from __future__ import annotations

from engine.calls.call import Call
from engine.calls.causes import EndCause
from engine.calls.destination import Phase
from engine.calls.switchboard import CallLeg
from engine.calls.talk import Talk


class Joined(Talk):
    """The call's caller and one far leg, both up."""

    def __init__(self, call: Call, far: CallLeg) -> None:
        super().__init__(call)
        self.name = far.who

    def far_ended(self, leg: CallLeg, cause: EndCause, now: float) -> None:
        self.call.finish(cause, leg.role, now)

    def phase(self) -> Phase:
        return Phase.HELD if self.bridge is None or self.bridge.held else Phase.TALKING
