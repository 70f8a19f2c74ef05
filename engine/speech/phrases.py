"""Phrases: lists of sounds, spoken numbers, silences and tones, with blanks that the call fills in.

An item is one text, as an operator writes it:

    welcome              the sound of this name, in the language of the caller ("digits/1" is one too)
    hello.wav            a file, by its ending
    number:{position}    a whole number, spoken: "twenty one"
    number-f:3           the same, of something feminine (m, f, n)
    ordinal:{position}   "third", in the languages that have sounds for it
    digits:{caller}      digits one by one
    duration:{waited}    seconds, as minutes and seconds
    silence:500          milliseconds
    tone:busy            one round of a tone's cadence
    phrase:NAME          all items of another phrase
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final

from engine.speech.language import Gender
from engine.speech.numbers import SpeechError, spoken_digits, spoken_duration, spoken_number, spoken_ordinal

FILE_ENDINGS: Final = (".wav", ".flac", ".ogg", ".oga", ".opus")
"""What makes an item a file: also the endings under which a sound of a name is looked for, in this order."""

LONGEST_SILENCE_MS: Final = 60_000
_NAME: Final = re.compile(r"[A-Za-z0-9_.+-]+(/[A-Za-z0-9_.+-]+)*")
_BLANK: Final = re.compile(r"\{([a-z_]+)\}")
_MOST_SOUNDS: Final = 200
"""Of one playlist; longer ones are cut off: a caller chooses the number that he comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A sound by its name, looked for in the language of the caller."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A sound file by its path, the same in every language."""

    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A value to be spoken by the language's rules."""

    kind: str
    """"number", "ordinal", "digits" or "duration"."""
    value: str
    """Text, in which `{caller}` is a blank."""
    gender: Gender = Gender.COUNTING


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ToneItem:
    tone: str
    """One of those that media knows ("busy")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhraseItem:
    phrase: str


Item = Name | File | Spoken | Silence | ToneItem | PhraseItem
"""As an operator writes it."""

Part = Name | File | Silence | ToneItem
"""What is left when every number is spoken and every phrase opened."""

_SPOKEN: Final[dict[str, Callable[[int, str, Gender], tuple[str, ...]]]] = {
    "number": spoken_number,
    "ordinal": spoken_ordinal,
    "duration": lambda seconds, language, gender: spoken_duration(seconds, language),
}
_GENDERS: Final = {gender.value: gender for gender in Gender if gender}


def parse(text: str) -> Item:
    """An item as it is written. Raises SpeechError that says what is allowed."""
    kind, colon, value = text.partition(":")
    if not colon:
        return _sound(text)
    if not value:
        raise SpeechError(f"nothing after {kind}:")
    base, _, gender = kind.partition("-")
    if base in _SPOKEN and (not gender or (gender in _GENDERS and base != "duration")):
        return Spoken(kind=base, value=_whole_or_blank(value), gender=_GENDERS.get(gender, Gender.COUNTING))
    reader = _PLAIN.get(kind)
    if reader is None:
        raise SpeechError(f"no kind of item {kind!r}; there are: {_KINDS}, or the plain name of a sound")
    return reader(value)


def _silence(value: str) -> Silence:
    if not (value.isascii() and value.isdigit() and 1 <= int(value[:6]) <= LONGEST_SILENCE_MS):
        raise SpeechError(f"silence takes 1 to {LONGEST_SILENCE_MS} milliseconds")
    return Silence(ms=int(value))


_PLAIN: Final[dict[str, Callable[[str], Item]]] = {
    "digits": lambda value: Spoken(kind="digits", value=value),
    "silence": _silence,
    "tone": lambda value: ToneItem(tone=value),
    "phrase": lambda value: PhraseItem(phrase=value),
}
_KINDS: Final = "number, number-f, ordinal, digits, duration, silence, tone, phrase"


def _sound(text: str) -> Item:
    if text.lower().endswith(FILE_ENDINGS):
        return File(path=text)
    if not _NAME.fullmatch(text) or ".." in text:
        raise SpeechError("no name of a sound: letters, digits, - _ . + and single / between them")
    return Name(name=text)


def _whole_or_blank(value: str) -> str:
    if not _BLANK.fullmatch(value):
        _whole(value)
    return value


def _whole(value: str) -> int:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise SpeechError(f"{value!r} is no whole number")
    return int(value)


def blanks(item: Item) -> tuple[str, ...]:
    """Names of the blanks of an item: ("caller",) of "digits:{caller}"."""
    return tuple(_BLANK.findall(item.value)) if isinstance(item, Spoken) else ()


def opened(items: tuple[Item, ...], phrases: Mapping[str, tuple[Item, ...]]) -> tuple[Item, ...]:
    """The items with every phrase replaced by its own. Raises SpeechError for a phrase that is not there, or that
    names itself on a round way, or if it comes to more than 200 items."""
    found = tuple(islice(_opened(items, phrases, ()), _MOST_SOUNDS + 1))
    if len(found) > _MOST_SOUNDS:
        raise SpeechError(f"more than {_MOST_SOUNDS} items, those of its phrases counted")
    return found


def _opened(items: tuple[Item, ...], phrases: Mapping[str, tuple[Item, ...]], way: tuple[str, ...]) -> Iterator[Item]:
    for item in items:
        if not isinstance(item, PhraseItem):
            yield item
        elif item.phrase in way:
            raise SpeechError(f"phrases go round in a circle: {' -> '.join((*way, item.phrase))}")
        elif item.phrase not in phrases:
            raise SpeechError(f"no phrase {item.phrase!r}; there are: {', '.join(phrases) or 'none'}")
        else:
            yield from _opened(phrases[item.phrase], phrases, (*way, item.phrase))


def parts(items: tuple[Item, ...], language: str, arguments: Mapping[str, str]) -> tuple[Part, ...]:
    """What is played: numbers spoken in the language, blanks filled from `arguments`, at most 200 parts. What cannot be
    said (a caller whose number is a name, a language without rules) is left out. Never raises; phrases must be opened.
    """
    found: list[Part] = []
    for item in items:
        if isinstance(item, Spoken):
            found += [Name(name=name) for name in _speak(item, language, arguments)]
        elif not isinstance(item, PhraseItem):
            found.append(item)
    return tuple(found[:_MOST_SOUNDS])


def _speak(item: Spoken, language: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return said(item, language, arguments)
    except SpeechError:
        return ()


def said(item: Spoken, language: str, arguments: Mapping[str, str]) -> tuple[str, ...]:
    """Names of the sounds of a spoken value. Raises SpeechError."""
    value = _BLANK.sub(lambda blank: arguments.get(blank[1], ""), item.value)
    if item.kind == "digits":
        return spoken_digits(value)
    return _SPOKEN[item.kind](_whole(value), language, item.gender)
