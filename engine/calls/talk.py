"""A destination in which two people talk: who is joined with whom, and how a transfer parts them."""

from __future__ import annotations

from engine.calls.bridge import Bridge
from engine.calls.call import Call
from engine.calls.destination import Destination
from engine.calls.music import Music
from engine.calls.switchboard import CallLeg


class Talk(Destination):
    """The call's caller and one far leg, from the moment that both are up."""

    def __init__(self, call: Call, music: Music | None = None) -> None:
        super().__init__(call)
        self._music = music or Music(call)
        self.bridge: Bridge | None = None

    def link(self, far: CallLeg) -> None:
        """Both are up: let them hear each other, unless one holds."""
        self.bridge = Bridge(self.call, far, self._music)
        self.bridge.settle()
        self.call.board.recordings.linked(self.call, far)

    def unlink(self) -> CallLeg | None:
        bridge, self.bridge = self.bridge, None
        if bridge is None:
            return None
        bridge.dissolve()
        return bridge.far

    def other(self, leg: CallLeg) -> CallLeg | None:
        bridge = self.bridge
        if bridge is None:
            return None
        if leg is self.call.caller:
            return bridge.far
        return self.call.caller if leg is bridge.far else None

    def hearing(self) -> CallLeg | None:
        return None if self.bridge is None or self.bridge.held else self.bridge.far

    def media_changed(self, leg: CallLeg, now: float) -> None:
        if self.bridge is not None:
            self.bridge.settle()
            if self.bridge.parted:
                super().undecodable(leg, now)

    def undecodable(self, leg: CallLeg, now: float) -> None:
        if self.bridge is None:
            super().undecodable(leg, now)
        else:
            # Without the music, but not without each other, if there is a way.
            self.media_changed(leg, now)

    def play_failed(self, leg: CallLeg, now: float) -> None:
        self._music.failed(leg)
