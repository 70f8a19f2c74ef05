"""The `[sounds]` section: what callers are told and in which language, and whose tones they hear."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from pydantic import Field, field_validator

from engine.app.config_section import Playlist, Section, anchored_list
from engine.media.tone_plans import COUNTRIES

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}([_-][A-Za-z0-9]{2,8})*")


class SoundsConfig(Section):
    directory: str = Field(
        "",
        description="Directory of sounds, laid out as Asterisk's: `en/welcome.wav`, `en/digits/1.wav` (such as"
        " `/usr/share/asterisk/sounds` with Debian's `asterisk-core-sounds-en-wav`); empty: none.",
    )
    language: str = Field(
        "en", description="Language of those who enter through a context of the dialplan that names none."
    )
    country: str = Field(
        "us", description="Whose tones are heard (ISO 3166 code), where the dialplan names no other country."
    )
    music: dict[str, Playlist] = Field(
        {},
        description="Further music by name, for queues to choose: a file, a list of files, or a directory, whose files"
        " are played in the order of their names, and then anew.",
    )

    def anchored(self, anchor: Callable[[str], str]) -> SoundsConfig:
        """Paths made absolute."""
        music = {name: anchored_list(listed, anchor) for name, listed in self.music.items()}
        return self.model_copy(update={"directory": anchor(self.directory), "music": music})

    @field_validator("language")
    @classmethod
    def _language_is_one(cls, value: str) -> str:
        if not _LANGUAGE.fullmatch(value):
            raise ValueError('must be a language code, such as "en" or "de_AT"')
        return value

    @field_validator("country")
    @classmethod
    def _country_is_known(cls, value: str) -> str:
        if value not in COUNTRIES:
            raise ValueError(f"must be one of {', '.join(COUNTRIES)}")
        return value
