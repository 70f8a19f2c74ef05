"""Announcement: answer, play sounds, then go on to another number or hang up.

    caller is up -> playing -> played, or stopped by a key, or its time is over -> on to the number that the dialplan
    names for that (`onward.py`), or the end

What cannot be played counts as played: a caller is not lost for want of a sound.
"""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination
from engine.calls.routing import ToPlay
from engine.calls.switchboard import CallLeg

_PLAYED: Final = EndCause(outcome=Outcome.SUCCESS, reason=Reason.COMPLETED, sip_code=200)
_UNREADABLE: Final = EndCause(outcome=Outcome.SERVER, reason=Reason.COMPLETED, sip_code=200)
"""The sounds were there when the dialplan was loaded and are not now: over before it began, and it is our doing."""


class Announcement(Destination):
    """One leg, one list of sounds."""

    def __init__(self, call: Call, wanted: ToPlay) -> None:
        super().__init__(call)
        self.name = wanted.name
        self._wanted = wanted

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        self.call.answer_caller(now)

    def caller_up(self, now: float) -> None:
        call, wanted = self.call, self._wanted
        numbers = {"caller": call.party.number, "called": call.called}
        sounds = call.board.config.sounds.sounds(
            wanted.items, wanted.language, wanted.country, {**numbers, **wanted.arguments}
        )
        if not sounds:
            self._over("", _UNREADABLE, now)
            return
        if wanted.for_s:
            call.board.timers.set(call.id, now + wanted.for_s)
        call.play(
            call.caller,
            f"announcement-{call.steps}",  # no end of what was played before counts for this
            *sounds,
            loop=wanted.loop,
            gain_db=wanted.gain_db,
            stop_digits=wanted.stop_digits,
        )

    def play_finished(self, leg: CallLeg, player: str, digit: str, now: float) -> None:
        self._over(digit, _PLAYED, now)

    def play_failed(self, leg: CallLeg, now: float) -> None:
        self._over("", _UNREADABLE, now)

    def expired(self, now: float) -> None:
        self.call.stop_playing(self.call.caller)
        self._over("", _PLAYED, now)

    def _over(self, digit: str, cause: EndCause, now: float) -> None:
        number = self._wanted.on_digit.get(digit) or self._wanted.then
        if number:
            self.call.board.onward.go(self.call, self._wanted, number, now)
        else:
            self.call.finish(cause, ENGINE, now)
