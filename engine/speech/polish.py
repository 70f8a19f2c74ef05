"""Polish: hundreds have sounds of their own, and a thousand, a million and the units of time have three forms: for one,
for two to four (`.2`) and for all others (`.5`). "Dwie" (`2z`) and "jedna" (`1z`) are feminine; masculine are persons
(`2-1m` "dwaj", `5m` "pięciu")."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit


def _form(count: int) -> str:
    """The ending of what is counted: "" for one, ".2" for two to four, ".5" for others."""
    if count == 1:
        return ""
    few = count % 10 in (2, 3, 4) and count % 100 not in (12, 13, 14)
    return ".2" if few else ".5"


def _cardinal(number: int, gender: Gender) -> list[str]:
    names: list[str] = []
    for size in (1_000_000, 1_000):
        count, number = divmod(number, size)
        if count:
            # "Tysiąc" by itself, without a one before it.
            spoken = _below_thousand(count, Gender.COUNTING, alone=False) if count > 1 else []
            names += [*spoken, f"{size}{_form(count)}"]
    return names + _below_thousand(number, gender, alone=not names)


def _below_thousand(number: int, gender: Gender, *, alone: bool) -> list[str]:
    ending = "m" if gender is Gender.MASCULINE else ""
    names: list[str] = []
    hundreds, number = divmod(number, 100)
    if hundreds:
        names.append(f"{hundreds * 100}{ending}")
        alone = False
    tens, ones = divmod(number, 10)
    if 10 <= number <= 19:
        return [*names, f"{number}{ending}"]
    if tens:
        names.append(f"{tens * 10}{ending}")
        alone = False
    return [*names, _one_digit(ones, gender, alone=alone)] if ones else names


def _one_digit(digit: int, gender: Gender, *, alone: bool) -> str:
    """1 to 9; `alone`: nothing stands before it."""
    if gender is Gender.FEMININE and (digit == 2 or (digit == 1 and alone)):
        return f"{digit}z"
    if gender is Gender.MASCULINE and digit > 1:
        return f"{digit}m" if digit > 4 else f"{digit}-1m" if alone else f"{digit}-2m"
    return str(digit)


def _plural(unit: Unit, count: int) -> str:
    form = _form(count)
    return f"{unit}s{form}" if form else str(unit)


POLISH: Final = Language(
    code="pl", title="Polish", cardinal=_cardinal, plural=_plural, genders=dict.fromkeys(Unit, Gender.FEMININE)
)
