"""Italian: tens grow together with "uno" and "otto" (`21`, `28`, `31` ...), "mille" becomes "mila" after a number; the
sound `million` says "un milione", and `un` is one of something masculine."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit


def _cardinal(number: int, gender: Gender) -> list[str]:
    if number == 1 and gender is Gender.MASCULINE:
        return ["un"]
    names: list[str] = []
    millions, number = divmod(number, 1_000_000)
    if millions:
        names += ["million"] if millions == 1 else [*_cardinal(millions, Gender.COUNTING), "millions"]
    thousands, number = divmod(number, 1_000)
    if thousands:
        names += ["thousand"] if thousands == 1 else [*_cardinal(thousands, Gender.COUNTING), "thousands"]
    hundreds, number = divmod(number, 100)
    if hundreds:
        names += [*([str(hundreds)] if hundreds > 1 else []), "hundred"]
    tens, ones = divmod(number, 10)
    if number >= 20 and ones not in (0, 1, 8):
        return [*names, str(tens * 10), str(ones)]
    return [*names, str(number)] if number else names


ITALIAN: Final = Language(
    code="it",
    title="Italian",
    cardinal=_cardinal,
    genders={Unit.MINUTE: Gender.MASCULINE, Unit.SECOND: Gender.MASCULINE},
)
