"""Announcement: answer, play one file to its end, hang up."""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination
from engine.calls.switchboard import CallLeg

_PLAYED: Final = EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
_UNREADABLE: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.COMPLETED, sip_code=200)
"""The file was there when the dialplan was loaded and is not now: over before it began, and it is our doing."""


class Announcement(Destination):
    """One leg, one file."""

    def __init__(self, call: Call, file: str) -> None:
        super().__init__(call)
        self.name = f"announcement:{file}"
        self._file = file

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        self.call.answer_caller(now)

    def caller_up(self, now: float) -> None:
        self.call.play(self.call.caller, "announcement", file=self._file, loop=False)

    def play_finished(self, leg: CallLeg, player: str, now: float) -> None:
        self.call.finish(_PLAYED, ENGINE, now)

    def play_failed(self, leg: CallLeg, now: float) -> None:
        self.call.finish(_UNREADABLE, ENGINE, now)
