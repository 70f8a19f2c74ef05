"""What a leg is played: the commands about players, and how one ends."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from engine.media.codecs import WIDE_RATE
from engine.media.commands import Codec, Play, Sound, StopPlay, Tone
from engine.media.dtmf import DIGITS
from engine.media.events import LegFailed, PlayFinished, SoundSkipped
from engine.media.leg import Leg
from engine.media.player import FRAME_MS, Item, Player, silence
from engine.media.prompts import Clip, SoundError
from engine.media.refusal import CommandFailed, check_gain
from engine.media.tone_plans import BY_COUNTRY, COUNTRIES
from engine.media.tones import render
from engine.media.wire import Files

if TYPE_CHECKING:
    from engine.media.switchboard import Switchboard, Verbs


MAX_ITEMS: Final = 500
MAX_SILENCE_MS: Final = 600_000

_UNPLAYABLE: Final = "{coding} can only be passed through: nothing can be played in it"


class PlayVerbs:
    """See the module."""

    def __init__(self, board: Switchboard, files: Files) -> None:
        self.board = board
        self._files = files
        self._tones: dict[tuple[Tone, str], Clip] = {}

    def verbs(self) -> Verbs:
        return {Play: self._play, StopPlay: self._stop_play}

    def _play(self, command: Play, now: float) -> None:
        leg = self.board.leg(command.leg)
        _check(command)
        if leg.codec is Codec.OPAQUE:
            raise CommandFailed(_UNPLAYABLE.format(coding=leg.coding))
        player = Player(
            name=command.player,
            items=[self._item(sound) for sound in command.playlist],
            loop=command.loop,
            gain_db=command.gain_db,
            stop_digits=command.stop_digits,
        )
        if any(sound.file for sound in command.playlist[1:]):
            player.wanted = partial(self._begun, leg, command)
        leg.pending = player
        self._load(leg, player, command, 0)
        if player is leg.pending:
            self._settle(leg)  # a key counts while the file is being read

    def _item(self, sound: Sound) -> Item:
        if sound.tone is not None:
            return Item(self._tone(sound.tone, sound.country if sound.tone in BY_COUNTRY else ""))
        return Item(None) if sound.file else silence(-(-sound.silence_ms // FRAME_MS))

    def _tone(self, tone: Tone, country: str) -> Clip:
        clip = self._tones.get((tone, country))
        if clip is None:
            clip = self._tones[tone, country] = Clip(render(tone, country=country), render(tone, WIDE_RATE, country))
        return clip

    def _load(self, leg: Leg, player: Player, command: Play, place: int) -> None:
        """See that an item is there before it is played. The first one that is begins the playing."""
        if player.items[place].clip is not None:
            self._loaded(leg, player)
            return

        def done(result: Clip | SoundError) -> None:
            if player not in (leg.pending, leg.player):
                return  # stopped, replaced or closed while the file was being read
            if isinstance(result, SoundError):
                self._broken(leg, player, command, place, result)
            else:
                player.items[place].clip = result
                self._loaded(leg, player)

        self._files.load(command.playlist[place].file, done)

    def _begun(self, leg: Leg, command: Play, player: Player, place: int) -> None:
        """An item has begun: let the files of others go, and have the next one ready."""
        for at, (item, sound) in enumerate(zip(player.items, command.playlist, strict=True)):
            if sound.file and at != place:
                item.clip = None
        self._load_next(leg, player, command, place)

    def _load_next(self, leg: Leg, player: Player, command: Play, place: int) -> None:
        count = len(player.items)
        following = range(place + 1, place + count) if command.loop else range(place + 1, count)
        ahead = next((at % count for at in following if not player.items[at % count].broken), None)
        if ahead is not None:
            self._load(leg, player, command, ahead)

    def _loaded(self, leg: Leg, player: Player) -> None:
        if leg.pending is player:
            leg.pending = None
            leg.player = player
            self._settle(leg)

    def _broken(self, leg: Leg, player: Player, command: Play, place: int, error: SoundError) -> None:
        """A file cannot be played: the next one takes its place."""
        player.items[place].broken = True
        file = command.playlist[place].file
        if all(item.broken for item in player.items[place:]) and (leg.pending is player):
            leg.pending = None
            self.board.emit(LegFailed(leg=leg.name, command="Play", reason=f"{file}: {error}"))
            self._settle(leg)
            return
        self.board.emit(SoundSkipped(leg=leg.name, player=player.name, file=file, reason=str(error)))
        self._load_next(leg, player, command, place)

    def _stop_play(self, command: StopPlay, now: float) -> None:
        leg = self.board.leg(command.leg)
        if command.digit:
            self.pressed(leg, command.digit)
            return
        leg.pending = None
        leg.player = None
        self._settle(leg)

    def _settle(self, leg: Leg) -> None:
        """It is played something else now, or nothing."""
        self.board.refresh(leg)
        if leg.dtmf_type is None:
            self.board.fit_row(leg)  # keys may be looked for in its sound, or no more

    def pressed(self, leg: Leg, digit: str) -> None:
        """The leg's peer pressed a key: what it is played ends if it is one of those that it was told."""
        player = leg.pending or leg.player
        if player is not None and digit in player.stop_digits:
            leg.pending = leg.player = None
            self._finished(leg, player, digit)

    def check(self, leg: Leg) -> None:
        """The leg has another codec: what it plays, or will when it has been loaded, ends if it cannot be encoded."""
        if leg.player is not None:
            leg.player.settle()
        if leg.codec is Codec.OPAQUE and (leg.player is not None or leg.pending is not None):
            leg.player = leg.pending = None
            reason = _UNPLAYABLE.format(coding=leg.coding)
            self.board.emit(LegFailed(leg=leg.name, command="Play", reason=reason))

    def ended(self, leg: Leg) -> None:
        """The leg's player came to its end: the leg hears again what it heard before."""
        player, leg.player = leg.player, None
        if player is None:
            self._settle(leg)
        else:
            self._finished(leg, player)

    def _finished(self, leg: Leg, player: Player, digit: str = "") -> None:
        played_ms = player.played * FRAME_MS
        self.board.emit(PlayFinished(leg=leg.name, player=player.name, digit=digit, played_ms=played_ms))
        self._settle(leg)


def _check(command: Play) -> None:
    """Raises CommandFailed."""
    check_gain(command.gain_db)
    if not 1 <= len(command.playlist) <= MAX_ITEMS:
        raise CommandFailed(f"playlist has {len(command.playlist)} sounds; it must have 1 to {MAX_ITEMS}")
    if strange := set(command.stop_digits) - set(DIGITS):
        raise CommandFailed(f"stop_digits has {''.join(sorted(strange))!r}; it may have {DIGITS}")
    for place, sound in enumerate(command.playlist, 1):
        if (sound.file != "") + (sound.tone is not None) + (sound.silence_ms != 0) != 1:
            raise CommandFailed(f"sound {place}: exactly one of file, tone and silence_ms must be given")
        if not 0 <= sound.silence_ms <= MAX_SILENCE_MS:
            raise CommandFailed(f"sound {place}: silence_ms {sound.silence_ms} must lie in 0..{MAX_SILENCE_MS}")
        if sound.tone in BY_COUNTRY and sound.country not in COUNTRIES:
            raise CommandFailed(f"sound {place}: country {sound.country!r} is none of {' '.join(sorted(COUNTRIES))}")
