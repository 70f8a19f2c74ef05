"""German: ones before tens, joined by "und" (`1-and` to `9-and`); "ein" (`1N`) before hundreds and thousands, "eine"
(`1F`) before a million."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language, Unit


def _cardinal(number: int, gender: Gender) -> list[str]:
    if number in (100, 1_000):
        return ["hundred" if number == 100 else "thousand"]  # "hundert" by itself, "einhundert" within a number
    names: list[str] = []
    millions, number = divmod(number, 1_000_000)
    if millions:
        names += [*_cardinal(millions, Gender.FEMININE), "million" if millions == 1 else "millions"]
    thousands, number = divmod(number, 1_000)
    if thousands:
        names += [*_below_thousand(thousands, Gender.NEUTER), "thousand"]
    return names + _below_thousand(number, gender)


def _below_thousand(number: int, gender: Gender) -> list[str]:
    names: list[str] = []
    hundreds, number = divmod(number, 100)
    if hundreds:
        names += ["1N" if hundreds == 1 else str(hundreds), "hundred"]
    tens, ones = divmod(number, 10)
    if number == 1:
        names.append(_ONE.get(gender, "1N"))
    elif number < 20:
        names += [str(number)] if number else []
    else:
        names += [f"{ones}-and", str(tens * 10)] if ones else [str(tens * 10)]
    return names


_ONE: Final = {Gender.COUNTING: "1", Gender.FEMININE: "1F"}
"""Eins, eine; "ein" for all others."""


def _ordinal(number: int, gender: Gender) -> list[str]:
    """The cardinal with its last word made an ordinal; the sounds exist in one gender without ("der erste") and with
    the letters F and N."""
    names = _cardinal(number, Gender.COUNTING)
    suffix = {Gender.FEMININE: "F", Gender.NEUTER: "N"}.get(gender, "")
    return [*names[:-1], f"h-{names[-1]}{suffix}"]


GERMAN: Final = Language(
    code="de",
    title="German",
    cardinal=_cardinal,
    ordinal=_ordinal,
    genders=dict.fromkeys(Unit, Gender.FEMININE),
)
