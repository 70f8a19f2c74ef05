"""French: seventy is sixty and ten, ninety is eighty and ten; "et" stands before a one or an eleven, but not after
eighty."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit


def _cardinal(number: int, gender: Gender) -> list[str]:
    names: list[str] = []
    millions, number = divmod(number, 1_000_000)
    if millions:
        names += [*_cardinal(millions, Gender.MASCULINE), "million"]
    thousands, number = divmod(number, 1_000)
    if thousands:
        names += [*(_cardinal(thousands, Gender.MASCULINE) if thousands > 1 else []), "thousand"]
    hundreds, number = divmod(number, 100)
    if hundreds:
        names += [*([str(hundreds)] if hundreds > 1 else []), "hundred"]
    return names + _below_hundred(number, gender)


def _below_hundred(number: int, gender: Gender) -> list[str]:
    if number == 0:
        return []
    if number == 1:
        return ["1F" if gender is Gender.FEMININE else "1"]
    if number <= 20:
        return [str(number)]
    tens = {7: 60, 9: 80}.get(number // 10, number // 10 * 10)
    rest = number - tens
    joined = ["et"] if rest in (1, 11) and tens != 80 else []
    return [str(tens), *joined, *_below_hundred(rest, gender)]


FRENCH: Final = Language(code="fr", title="French", cardinal=_cardinal, genders=dict.fromkeys(Unit, Gender.FEMININE))
