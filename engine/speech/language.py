"""What a language has to say of itself so that numbers can be spoken in it: its cardinals, ordinals and units of time.

The functions of a language give bare names of the sounds under `digits/` ("20", "hundred"); `numbers.py` puts that
folder before them. The names are those that Asterisk's say.c documents for each language, so that the sound packages
which operators have serve here too; where its grammar is wrong, ours is not, with the same sounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

LARGEST: Final = 999_999_999
"""The largest number that can be spoken, as in Asterisk."""


class Gender(StrEnum):
    """What is counted, by its grammatical gender. Languages without genders say the same for all."""

    COUNTING = ""
    """Nothing: the number itself, as one counts."""
    MASCULINE = "m"
    FEMININE = "f"
    NEUTER = "n"


class Unit(StrEnum):
    """Units of time; also the names of their sounds in the singular."""

    HOUR = "hour"
    MINUTE = "minute"
    SECOND = "second"


Cardinal = Callable[[int, Gender], list[str]]
"""Bare names for a number of 1 to LARGEST."""

Plural = Callable[[Unit, int], str]
"""The name of the sound for so many of a unit, the number not included."""


def one_or_many(unit: Unit, count: int) -> str:
    """The plural of languages that have two forms: `minute` for one, `minutes` for all others."""
    return str(unit) if count == 1 else f"{unit}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language's way to say numbers."""

    code: str
    """As the folder of its sounds is called: "de", "en_GB"."""
    title: str
    """For people, in English."""
    cardinal: Cardinal
    ordinal: Cardinal | None = None
    """None where Asterisk has no sounds for it."""
    plural: Plural = one_or_many
    genders: Mapping[Unit, Gender] = field(default_factory=dict)
    """Of the units of time; a unit that is missing is counted without a gender."""
