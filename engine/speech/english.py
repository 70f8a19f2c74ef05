"""English: American (`en`), and British (`en_GB`), which says "and" before tens and ones."""

from __future__ import annotations

from functools import partial
from typing import Final

from engine.speech.language import Gender, Language


def _cardinal(number: int, gender: Gender, *, british: bool) -> list[str]:
    names: list[str] = []
    for size, name in ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred")):
        count, number = divmod(number, size)
        if count:
            names += [*_cardinal(count, gender, british=british), name]
    if number and names and british:
        names.append("and")
    return names + _tens(number)


def _tens(number: int) -> list[str]:
    """0 to 99; nothing for 0."""
    if number < 20:
        return [str(number)] if number else []
    tens, ones = divmod(number, 10)
    return [str(tens * 10), str(ones)] if ones else [str(tens * 10)]


def _ordinal(number: int, gender: Gender, *, british: bool) -> list[str]:
    """The cardinal with its last word made an ordinal: "h-20", "h-hundred" ("h" stands for what makes it one, th)."""
    names = _cardinal(number, gender, british=british)
    return [*names[:-1], f"h-{names[-1]}"]


AMERICAN: Final = Language(
    code="en", title="English", cardinal=partial(_cardinal, british=False), ordinal=partial(_ordinal, british=False)
)
BRITISH: Final = Language(
    code="en_GB",
    title="English (Britain)",
    cardinal=partial(_cardinal, british=True),
    ordinal=partial(_ordinal, british=True),
)
