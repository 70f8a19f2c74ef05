"""A conference: everybody who was routed to the same name hears all the others.

A member who is alone hears music. One who holds, or was muted, is not heard by the others.
"""

from __future__ import annotations

from typing import Final

from engine.calls.call import ENGINE, Call
from engine.calls.causes import EndCause, Outcome, Reason
from engine.calls.destination import Destination, Phase
from engine.calls.mixing_records import ConferenceJoined, ConferenceLeft, ConferenceMuted
from engine.calls.music import Music
from engine.calls.switchboard import CallLeg
from engine.media.commands import JoinConference

MAX_MEMBERS: Final = 64
"""Of one conference; a further caller is refused as busy."""

_FULL: Final = EndCause(outcome=Outcome.CLIENT, reason=Reason.BUSY, sip_code=486)


class Conference(Destination):
    """One member: the call's caller."""

    def __init__(self, call: Call, conference: str) -> None:
        super().__init__(call)
        self.name = f"conference:{conference}"
        self.conference = conference
        self.muted = False
        self.joined_at: float | None = None
        """None before and after."""
        self._music = Music(call)

    def start(self, now: float) -> None:
        coming = self.call.board.conferences.get(self.conference, {})
        if len(coming) >= MAX_MEMBERS:
            self.call.unreached(_FULL, ENGINE, now)
            return
        for other in coming.values():
            self.call.beside = other.call.caller.id
            break
        self.call.board.conferences.setdefault(self.conference, {})[self.call.id] = self
        super().start(now)

    def _members(self) -> list[Conference]:
        """Those who are in, as opposed to on their way."""
        coming = self.call.board.conferences.get(self.conference, {})
        return [each for each in coming.values() if each.joined_at is not None]

    def leg_opened(self, leg: CallLeg, now: float) -> None:
        self.call.answer_caller(now)

    def caller_up(self, now: float) -> None:
        self.joined_at = now
        if self.call.connected_at is None:
            self.call.connected_at = now
        members = len(self._members())
        joined = ConferenceJoined(conference=self.conference, leg=self.call.caller.id, members=members)
        self.call.board.log(self.call.id, joined, now)
        self._sit()
        self._entertain()

    def mute(self, muted: bool, by: str, now: float) -> None:
        """Let the others hear this member no more, or again."""
        if muted == self.muted:
            return
        self.muted = muted
        told = ConferenceMuted(conference=self.conference, leg=self.call.caller.id, muted=muted, by=by)
        self.call.board.log(self.call.id, told, now)
        self._sit()

    def media_changed(self, leg: CallLeg, now: float) -> None:
        if self.joined_at is not None:
            self._sit()
            self._entertain()

    def _sit(self) -> None:
        leg = self.call.caller
        speaks = not (self.muted or leg.holding)
        self.call.board.media.send(JoinConference(leg=leg.id, conference=self.conference, speaks=speaks))

    def _entertain(self) -> None:
        """Music for who is alone, as far as he listens."""
        members = self._members()
        alone = len(members) == 1
        for member in members if len(members) <= 2 else ():
            leg = member.call.caller
            if not alone or leg.holding:
                member._music.stop(leg)
            elif not leg.playing:
                member._music.start(leg)

    def play_failed(self, leg: CallLeg, now: float) -> None:
        self._music.failed(leg)

    def closing(self, cause: EndCause, ended_by: str, now: float) -> None:
        conferences = self.call.board.conferences
        coming = conferences.get(self.conference, {})
        if coming.pop(self.call.id, None) is None:
            return
        if not coming:
            del conferences[self.conference]
        if self.joined_at is not None:
            self.joined_at = None
            left = ConferenceLeft(conference=self.conference, leg=self.call.caller.id, members=len(self._members()))
            self.call.board.log(self.call.id, left, now)
            self._entertain()

    def phase(self) -> Phase:
        if self.joined_at is None:
            return Phase.SETUP
        return Phase.HELD if self.call.caller.holding else Phase.TALKING
