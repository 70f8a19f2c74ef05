"""Portuguese: "e" (`pt-e`) joins hundreds, tens and ones, and the last group when it is short or round; `100E` is
"cento e"; feminine are one, two and the hundreds from 200 on (`1F`, `200F`)."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit


def _cardinal(number: int, gender: Gender) -> list[str]:
    millions, below_million = divmod(number, 1_000_000)
    thousands, rest = divmod(below_million, 1_000)
    names: list[str] = []
    if millions:
        names += [*_cardinal(millions, Gender.MASCULINE), "1000000" if millions == 1 else "1000000S"]
    if thousands:
        if millions and not rest and _short(thousands):
            names.append("pt-e")
        names += [*(_below_thousand(thousands, gender) if thousands > 1 else []), "1000"]
    if rest:
        if names and _short(rest):
            names.append("pt-e")
        names += _below_thousand(rest, gender)
    return names


def _short(group: int) -> bool:
    """Whether an "e" stands before this last group of three digits."""
    return group < 100 or group % 100 == 0


def _below_thousand(number: int, gender: Gender) -> list[str]:
    feminine = gender is Gender.FEMININE
    if number == 100:
        return ["100"]
    if number < 20:
        return [f"{number}F" if feminine and number in (1, 2) else str(number)]
    if number < 100:
        tens, ones = divmod(number, 10)
        return [str(tens * 10), *(["pt-e", *_below_thousand(ones, gender)] if ones else [])]
    hundreds, rest = divmod(number, 100)
    if hundreds == 1:
        return ["100E", *_below_thousand(rest, gender)]
    name = f"{hundreds * 100}F" if feminine else str(hundreds * 100)
    return [name, *(["pt-e", *_below_thousand(rest, gender)] if rest else [])]


PORTUGUESE: Final = Language(code="pt", title="Portuguese", cardinal=_cardinal, genders={Unit.HOUR: Gender.FEMININE})
