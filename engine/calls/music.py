"""Music for those who wait or are held, with what to fall back to when the file cannot be played."""

from __future__ import annotations

from engine.calls.call import Call
from engine.calls.switchboard import CallLeg
from engine.media.commands import Tone

_PLAYER = "music"


class Music:
    """The music of one call: the file that was asked for, or else the engine's own, or else a tone, so that the line
    is never dead while somebody waits on it."""

    def __init__(self, call: Call, file: str = "") -> None:
        self._call = call
        default = call.board.config.hold_music
        self._files = [file, default] if file and file != default else [default]

    def start(self, leg: CallLeg) -> None:
        """Play to this leg until `stop`."""
        if self._files:
            self._call.play(leg, _PLAYER, file=self._files[0], loop=True)
        else:
            self._call.play(leg, _PLAYER, tone=Tone.RINGBACK, loop=True)

    def stop(self, leg: CallLeg) -> None:
        self._call.stop_playing(leg)

    def failed(self, leg: CallLeg) -> None:
        """The media process could not play it: try the next best. A tone that fails is given up."""
        if leg.playing and self._files:
            del self._files[0]
            self.start(leg)
