"""Music for those who wait or are held, with what to fall back to when the file cannot be played."""

from __future__ import annotations

from engine.calls.call import Call
from engine.calls.switchboard import CallLeg
from engine.media.commands import Sound, Tone

_PLAYER = "music"


class Music:
    """The music of one call: the playlist that was asked for, or else the engine's own, or else a tone, so that the
    line is never dead while somebody waits on it."""

    def __init__(self, call: Call, wanted: str = "") -> None:
        """`wanted`: the name of a playlist in the configuration, or a file."""
        self._call = call
        config = call.board.config
        named = config.sounds.music.get(wanted, (wanted,)) if wanted else ()
        self._lists = [named, config.hold_music] if named else [config.hold_music]

    def start(self, leg: CallLeg) -> None:
        """Play to this leg until `stop`."""
        if self._lists:
            self._call.play(leg, _PLAYER, *(Sound(file=file) for file in self._lists[0]), loop=True)
        else:
            self._call.play(leg, _PLAYER, self._call.board.config.sounds.tone(Tone.RINGBACK), loop=True)

    def stop(self, leg: CallLeg) -> None:
        self._call.stop_playing(leg)

    def failed(self, leg: CallLeg) -> None:
        """The media process could not play it: try the next best. A tone that fails is given up."""
        if leg.playing and self._lists:
            del self._lists[0]
            self.start(leg)
