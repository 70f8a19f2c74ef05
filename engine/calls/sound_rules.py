"""What the operator's sounds are, as the calls layer asks for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.media.commands import Sound, Tone
from engine.speech.library import Library
from engine.speech.phrases import File, Item, Name, Part, Silence, parts


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundRules:
    library: Library = field(default_factory=Library)
    language: str = "en"
    """Where the dialplan names none."""
    country: str = "us"
    """Whose tones, where the dialplan names no other."""
    music: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Playlists by the names that queues may choose: absolute paths."""

    def tone(self, tone: Tone) -> Sound:
        """A tone of the engine's own country."""
        return Sound(tone=tone, country=self.country)

    def sounds(
        self, items: tuple[Item, ...], language: str, country: str, arguments: Mapping[str, str]
    ) -> tuple[Sound, ...]:
        """What media is to play for these items; `language` and `country` may be empty. Sounds that are not there are
        left out. Never raises."""
        spoken = language or self.language
        found = (self._sound(part, spoken, country or self.country) for part in parts(items, spoken, arguments))
        return tuple(sound for sound in found if sound is not None)

    def _sound(self, part: Part, language: str, country: str) -> Sound | None:
        match part:
            case Name(name=name):
                file = self.library.find(name, language)
                return Sound(file=file) if file else None
            case File(path=path):
                return Sound(file=path)
            case Silence(ms=ms):
                return Sound(silence_ms=ms)
            case _:
                return Sound(tone=Tone(part.tone), country=country)
