"""Numbers, digits, ordinals and durations as names of sounds, which a sound package has a file for.

The names are Asterisk's (main/say.c says which each language needs): "digits/20", "digits/hundred", "minutes".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from engine.errors import EngineError
from engine.speech.dutch import DUTCH
from engine.speech.english import AMERICAN, BRITISH
from engine.speech.french import FRENCH
from engine.speech.german import GERMAN
from engine.speech.italian import ITALIAN
from engine.speech.language import LARGEST, Gender, Language, Unit
from engine.speech.polish import POLISH
from engine.speech.portuguese import PORTUGUESE
from engine.speech.spanish import SPANISH

LANGUAGES: Final[Mapping[str, Language]] = {
    language.code: language
    for language in (AMERICAN, BRITISH, GERMAN, FRENCH, SPANISH, ITALIAN, DUTCH, POLISH, PORTUGUESE)
}

_SIGNS: Final = {"*": "digits/star", "#": "digits/pound", "+": "letters/plus", "-": "letters/dash"} | {
    digit: f"digits/{digit}" for digit in "0123456789"
}


class SpeechError(EngineError):
    """What cannot be said, and why."""

    code = "not_speakable"


def language_of(code: str) -> Language:
    """The language of this code: "de", or "de_AT" or "de-AT", which are spoken as "de" where they have no rules of
    their own. Raises SpeechError that names those there are."""
    exact = code.replace("-", "_")
    found = LANGUAGES.get(exact) or LANGUAGES.get(exact.partition("_")[0])
    if found is None:
        raise SpeechError(f"no rules to speak numbers in {code!r}; there are: {', '.join(LANGUAGES)}")
    return found


def spoken_number(number: int, language: str, gender: Gender = Gender.COUNTING) -> tuple[str, ...]:
    """A whole number from minus LARGEST to LARGEST, as "one hundred and twenty". Raises SpeechError."""
    spoken = language_of(language)
    if abs(number) > LARGEST:
        raise SpeechError(f"{number} is too large to be spoken as a number; the largest is {LARGEST}")
    if number == 0:
        return ("digits/0",)
    names = [*(["minus"] if number < 0 else []), *spoken.cardinal(abs(number), gender)]
    return tuple(f"digits/{name}" for name in names)


def spoken_ordinal(number: int, language: str, gender: Gender = Gender.COUNTING) -> tuple[str, ...]:
    """A number of order, 1 to LARGEST: "third". Raises SpeechError."""
    spoken = language_of(language)
    if spoken.ordinal is None:
        able = ", ".join(code for code, known in LANGUAGES.items() if known.ordinal is not None)
        raise SpeechError(f"no sounds for ordinals in {language!r}; languages with them: {able}")
    if not 1 <= number <= LARGEST:
        raise SpeechError(f"{number} has no ordinal; they go from 1 to {LARGEST}")
    return tuple(f"digits/{name}" for name in spoken.ordinal(number, gender))


def spoken_digits(text: str) -> tuple[str, ...]:
    """One by one what stands on a phone's keys, with + and - and letters; anything else (blanks, brackets) is left out.
    The same in every language. Never raises."""
    names = (_SIGNS.get(sign) or _letter(sign) for sign in text)
    return tuple(name for name in names if name)


def _letter(sign: str) -> str:
    return f"letters/{sign.lower()}" if sign.isascii() and sign.isalpha() else ""


def spoken_duration(seconds: int, language: str) -> tuple[str, ...]:
    """A time as hours, minutes and seconds, those left out that are none: "two minutes five seconds". Raises
    SpeechError."""
    spoken = language_of(language)
    if not 0 <= seconds <= LARGEST:
        raise SpeechError(f"{seconds} is no duration; they go from 0 to {LARGEST} seconds")
    names: list[str] = []
    for unit, size in ((Unit.HOUR, 3600), (Unit.MINUTE, 60), (Unit.SECOND, 1)):
        count, seconds = divmod(seconds, size)
        if count or (unit is Unit.SECOND and not names):
            gender = spoken.genders.get(unit, Gender.COUNTING)
            names += [*spoken_number(count, spoken.code, gender), spoken.plural(unit, count)]
    return tuple(names)


def needed_sounds(language: str) -> tuple[str, ...]:
    """Every sound that numbers, digits and durations of a language need, sorted. Raises SpeechError."""
    spoken = language_of(language)
    counts = (*range(1_100), *range(1_000, 10_000, 100), *(size * n for n in (1, 2, 5, 21) for size in (1_000, 10**6)))
    names = {
        name
        for gender in {Gender.COUNTING, *spoken.genders.values()}
        for n in counts
        for name in spoken_number(n, spoken.code, gender)
    }
    names |= {spoken.plural(unit, n) for unit in Unit for n in (1, 2, 5)}
    return tuple(sorted({*names, "digits/minus", *spoken_digits("0123456789*#+")}))
