"""Spanish: numbers to 30 and the hundreds have sounds of their own; one loses its end before a noun (`1M`, "un")."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit

_ONE: Final = {Gender.COUNTING: "1", Gender.FEMININE: "1F"}
"""Uno, una; "un" for all others."""


def _cardinal(number: int, gender: Gender) -> list[str]:
    names: list[str] = []
    millions, number = divmod(number, 1_000_000)
    if millions:
        names += [*_cardinal(millions, Gender.MASCULINE), "million" if millions == 1 else "millions"]
    thousands, number = divmod(number, 1_000)
    if thousands:
        names += [*(_below_thousand(thousands, Gender.MASCULINE) if thousands > 1 else []), "thousand"]
    return names + _below_thousand(number, gender)


def _below_thousand(number: int, gender: Gender) -> list[str]:
    if number == 100:
        return ["100"]
    hundreds, number = divmod(number, 100)
    names = [] if not hundreds else ["100-and"] if hundreds == 1 else [str(hundreds * 100)]
    if number == 1:
        names.append(_ONE.get(gender, "1M"))
    elif number <= 30:
        names += [str(number)] if number else []
    else:
        tens, ones = divmod(number, 10)
        names += [str(tens * 10), *(["and", *_below_thousand(ones, gender)] if ones else [])]
    return names


SPANISH: Final = Language(
    code="es",
    title="Spanish",
    cardinal=_cardinal,
    genders={Unit.HOUR: Gender.FEMININE, Unit.MINUTE: Gender.MASCULINE, Unit.SECOND: Gender.MASCULINE},
)
