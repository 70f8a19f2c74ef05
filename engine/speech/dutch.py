"""Dutch: ones before tens, joined by "en" (`nl-en`); neither hundred nor thousand has a one before it; 1,100 to 9,999
are counted in hundreds, but for whole thousands."""

from __future__ import annotations

from typing import Final

from engine.speech.language import Gender, Language


def _cardinal(number: int, gender: Gender) -> list[str]:
    if 1_100 <= number <= 9_999 and number // 100 % 10:
        return [*_cardinal(number // 100, gender), "hundred", *_below_hundred(number % 100)]
    names: list[str] = []
    millions, number = divmod(number, 1_000_000)
    if millions:
        names += [*_cardinal(millions, gender), "million"]
    thousands, number = divmod(number, 1_000)
    if thousands:
        names += [*(_cardinal(thousands, gender) if thousands > 1 else []), "thousand"]
    hundreds, number = divmod(number, 100)
    if hundreds:
        names += [*([str(hundreds)] if hundreds > 1 else []), "hundred"]
    return names + _below_hundred(number)


def _below_hundred(number: int) -> list[str]:
    if number < 20:
        return [str(number)] if number else []
    tens, ones = divmod(number, 10)
    return [str(ones), "nl-en", str(tens * 10)] if ones else [str(tens * 10)]


DUTCH: Final = Language(code="nl", title="Dutch", cardinal=_cardinal)
