"""Feature codes: an agent says by dialling that he takes a break, is back, or wants to hear how he stands.

The code is carried out when the call has its port, confirmed by a tone, and the engine hangs up. CONFIRM says
"available" or "done". As the answer to the question for the own status, DENY says "on a break, as you chose" and
CONGESTION "on a break, because you did not answer"; the reason itself goes to the phone as text with the hang-up.
"""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination
from engine.calls.directory import AgentStatus
from engine.calls.ports import AgentStatusView
from engine.calls.routing import Feature
from engine.calls.switchboard import CallLeg
from engine.media.commands import Tone

_DONE: Final = EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
_AGENTS_ONLY: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.FORBIDDEN, sip_code=403)


def _tone(standing: AgentStatusView) -> Tone:
    if standing.status is AgentStatus.AVAILABLE:
        return Tone.CONFIRM
    return Tone.CONGESTION if standing.by_engine else Tone.DENY


class FeatureCode(Destination):
    """One leg, one change or question, one tone."""

    def __init__(self, call: Call, feature: Feature, reason: str) -> None:
        super().__init__(call)
        self.name = f"feature:{feature}"
        self._feature = feature
        self._reason = reason
        self._tone = Tone.CONFIRM
        self._text = ""

    def start(self, now: float) -> None:
        if self.call.caller.agent is None:
            self.call.finish(_AGENTS_ONLY, ENGINE, now)
        else:
            super().start(now)

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        assert leg.agent is not None, "start let agents through only"
        statuses = self.call.board.statuses
        match self._feature:
            case Feature.AVAILABLE:
                statuses.set_status(leg.agent, True, self._reason, "phone", now, call=self.call.id)
            case Feature.BREAK:
                statuses.set_status(leg.agent, False, self._reason, "phone", now, call=self.call.id)
            case Feature.STATUS:
                standing = statuses.status(leg.agent)
                self._tone, self._text = _tone(standing), str(standing)
        self.call.answer_caller(now)

    def caller_up(self, now: float) -> None:
        self.call.play(self.call.caller, "confirmation", self.call.board.config.sounds.tone(self._tone))

    def play_finished(self, leg: CallLeg, player: str, digit: str, now: float) -> None:
        self.call.finish(_DONE, ENGINE, now, text=self._text)

    def play_failed(self, leg: CallLeg, now: float) -> None:
        self.call.finish(_DONE, ENGINE, now, text=self._text)
