"""What an extension's number matches: a number written out, or an Asterisk pattern, with Asterisk's precedence.

A pattern begins with an underscore (Asterisk, "Pattern Matching"; `main/pbx.c`, `ext_cmp_pattern_pos`):

    X        a digit 0-9
    Z        a digit 1-9
    N        a digit 2-9
    [15-7]   one of these characters; a range inside is written with a dash
    .        one or more characters of any kind; only at the end
    !        any characters, or none; only at the end
    -        nothing: it may stand between digits to be read more easily

Anything else stands for itself. X, Z and N may be written small. Dashes in a dialled number are not looked at.

Where several match, a number written out goes before every pattern, and patterns are compared place by place from the
left: the place that admits fewer characters is the more specific one, `.` comes after all of those and `!` after `.`.
The length does not count, the first difference decides: `_9NXX.` goes before `_9X5`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_CLASSES: Final[dict[str, str]] = {"X": "0123456789", "Z": "123456789", "N": "23456789"}
_ANY: Final[dict[str, tuple[str, int]]] = {".": (".+", 0x18000), "!": (".*", 0x28000)}
_END: Final = 0x30000
_PLAIN: Final = re.compile(r"[0-9A-Za-z*#+_.-]+")
_FORGOTTEN_UNDERSCORE: Final = re.compile(r"(?=.*[0-9])(?=.*[XZN.!\[])[0-9*#+XZN.!\[\]-]+")

Rank = tuple[tuple[int, str], ...]
"""Lowest first: one pair per place, (how much it admits, what)."""


class PatternError(ValueError):
    """The text cannot be a number or pattern; the message says why and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    text: str
    """Without dashes, classes in capitals: two patterns that match the same in the same way have the same text."""
    exact: bool
    rank: Rank
    shortest: int
    """Length of the shortest number that matches."""
    expression: re.Pattern[str]

    def matches(self, number: str) -> bool:
        """Whether the number (as `dialled` gives it) matches."""
        return self.expression.fullmatch(number) is not None


def dialled(number: str) -> str:
    """The number as it is matched: without dashes."""
    return number.replace("-", "")


def parse(text: str) -> Pattern:
    """Read an extension's number. Raises PatternError."""
    if not text.startswith("_"):
        return _plain(text)
    canonical, expression, rank, shortest = "_", "", [], 0
    places = _places(text[1:])
    for found in places:
        if found in _ANY:
            following = next(places, None)
            if following is not None:
                raise PatternError(f"{found!r} must be the last character: it matches all that is left")
            source, weight = _ANY[found]
            rank.append((weight, ""))
            shortest += found == "."
        else:
            characters = _CLASSES.get(found) or _set(found)
            source = re.escape(characters) if len(characters) == 1 else f"[{re.escape(characters)}]"
            rank.append((len(characters), characters))
            shortest += 1
        canonical += found
        expression += source
    if not rank:
        raise PatternError('an underscore must be followed by a pattern, such as "_6XX"')
    return Pattern(
        text=canonical,
        exact=False,
        rank=(*rank, (_END, "")),
        shortest=shortest,
        expression=re.compile(expression, re.DOTALL),
    )


def _plain(text: str) -> Pattern:
    if _FORGOTTEN_UNDERSCORE.fullmatch(text):
        raise PatternError(f'a pattern begins with an underscore: write "_{text}"')
    if not _PLAIN.fullmatch(text):
        raise PatternError("allowed in a number: letters, digits and * # + . _ -")
    number = dialled(text)
    if not number:
        raise PatternError("a number needs more than dashes")
    return Pattern(text=number, exact=True, rank=(), shortest=len(number), expression=re.compile(re.escape(number)))


def _places(text: str) -> Iterator[str]:
    """The places of a pattern: a class, a character, a wildcard or a whole set in brackets."""
    position = 0
    while position < len(text):
        character = text[position]
        if character == "[":
            end = text.find("]", position)
            if end < 0:
                raise PatternError(f"'[' at place {position + 1} is never closed by ']'")
            yield text[position : end + 1]
            position = end
        elif character.upper() in _CLASSES:
            yield character.upper()
        elif character in "]" or not (character in _ANY or _PLAIN.fullmatch(character)):
            raise PatternError(
                f"{character!r} cannot stand in a pattern; allowed: X Z N [set] . ! - letters, digits and * # +"
            )
        elif character != "-":
            yield character
        position += 1


def _set(place: str) -> str:
    """The characters that a literal or a set in brackets admits, sorted."""
    if not place.startswith("["):
        return place
    inside, characters, position = place[1:-1], set[str](), 0
    while position < len(inside):
        first = inside[position]
        if inside[position + 1 : position + 2] == "-" and position + 2 < len(inside):
            last = inside[position + 2]
            if last < first:
                raise PatternError(f"the range {first}-{last} in {place} runs backwards")
            characters.update(chr(code) for code in range(ord(first), ord(last) + 1))
            position += 3
        else:
            characters.add(first)
            position += 1
    if not characters:
        raise PatternError("[] admits nothing")
    return "".join(sorted(characters))
