"""Which file each sound is, by language: what an operator has under his directory of sounds, as it was at the start.

The directory is laid out as Asterisk's: `en/welcome.wav`, `en/digits/1.wav`, `de_AT/welcome.flac`; a file outside of
any language's folder is there for all languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.speech.numbers import needed_sounds
from engine.speech.phrases import FILE_ENDINGS, Item, Name, Spoken, blanks, said

_INSTEAD: Final[Mapping[str, tuple[str, ...]]] = {
    "hour": ("hours",),
    "minute": ("queue-minute", "minutes"),
    "second": ("seconds",),
    "digits/un": ("digits/1",),
    "digits/1F": ("digits/1",),
    "digits/1M": ("digits/1",),
    "digits/1N": ("digits/1",),
    "digits/100": ("digits/hundred",),
}
"""What says nearly the same, where a package has no such sound (Debian's asterisk-core-sounds have no `hour`, the
French no `digits/1F`, the Spanish no `digits/100`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Sounds by language and name. Never changes; reads no disk."""

    directory: str = ""
    """Where they were found, for messages; empty: nowhere was looked."""
    sounds: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By folder ("de"; "" for none) and name ("digits/1") the absolute path of the file."""

    @property
    def languages(self) -> tuple[str, ...]:
        """Folders with sounds."""
        return tuple(folder for folder in self.sounds if folder)

    def find(self, name: str, language: str) -> str:
        """Path of the sound, or of one that says nearly the same; empty when there is none."""
        return self._exact(name, language) or next(
            (path for other in _INSTEAD.get(name, ()) if (path := self._exact(other, language))), ""
        )

    def _exact(self, name: str, language: str) -> str:
        for folder in self.folders(language):
            found = self.sounds.get(folder, {}).get(name)
            if found is not None:
                return found
        return ""

    def folders(self, language: str) -> tuple[str, ...]:
        """Where the sounds of a language are, best first: "de_AT", "de", any other voice of German ("de_DE_f_Anna"),
        and those of all languages."""
        exact = language.replace("-", "_")
        base = exact.partition("_")[0]
        voices = sorted(folder for folder in self.sounds if folder.partition("_")[0] == base)
        return tuple(dict.fromkeys((exact, base, *voices, "")))

    def all(self, language: str) -> Mapping[str, str]:
        """Every sound that those who hear this language can be played, by name, in order."""
        names = {name for folder in self.folders(language) for name in self.sounds.get(folder, {})}
        return {name: self._exact(name, language) for name in sorted(names)}

    def lacks(self, item: Item, language: str) -> tuple[str, ...]:
        """Names of the sounds that this item may need and that are not there. Raises SpeechError for numbers in a
        language without rules."""
        if isinstance(item, Name):
            wanted: tuple[str, ...] = (item.name,)
        elif not isinstance(item, Spoken):
            wanted = ()
        elif not blanks(item):
            wanted = said(item, language, {})
        elif item.kind == "digits":
            wanted = tuple(f"digits/{digit}" for digit in range(10))
        else:
            # Said once for its faults: a language without rules, or without ordinals.
            said(item, language, dict.fromkeys(blanks(item), "1"))
            wanted = needed_sounds(language)
        return tuple(name for name in wanted if not self.find(name, language))

    def looked_for(self, name: str, language: str) -> str:
        """Where a sound of this name would be, for people."""
        if not self.directory:
            return "[sounds] directory is not set"
        return f"looked for {self.directory}/{language}/{name}{FILE_ENDINGS[0]} ({', '.join(FILE_ENDINGS[1:])})"
