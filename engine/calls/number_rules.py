"""Small named changes of a number on its way through a trunk, written as texts that an operator sets:

    strip:2                  without this many characters at its front
    prefix:+49               with this before it
    e164:49                  as +49...: 00 becomes +, a single 0 the country, what begins otherwise stays
    replace:REGEX:TEXT       where REGEX matches the whole number: TEXT, in which \\1 to \\9 are its groups
    anonymous                no number and no name (callers only)

They are carried out in their order. What comes out is put on the wire only when `dialable` lets it, so that no rule and
no caller can write more than a number into a request (RFC 3261 25.1 has what a user part may hold; this is less).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from engine.calls.events import Party

LONGEST: Final = 64
"""Characters of a number; E.164 has 15 digits, and some PBXs dial names."""

LONGEST_RULE: Final = 128
MOST_RULES: Final = 16
MOST_REPEATS: Final = 3
"""Quantifiers and alternatives in one regex. Each may try every length, so that a match costs at most about
LONGEST ** MOST_REPEATS / 6 steps, far below a millisecond; groups may not be repeated at all."""

ANONYMOUS: Final = "anonymous"

_DIALABLE: Final = re.compile(r"[0-9A-Za-z*#+._-]{1,64}", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9*#+]{1,64}", re.ASCII)
_SEPARATORS: Final = str.maketrans("", "", " ()-./\u00a0")
_COUNTRY: Final = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)
_TOKEN: Final = re.compile(
    r"""(?P<part>\\[dDwWsS+*?.()\[\]{}|\\^$#-] | \[\^?\]?[^\]\\]*\] | [^\\()\[\]{}*+?|])
      | (?P<repeat>[*+?]|\{[0-9]{1,2}(?:,[0-9]{0,2})?\})
      | (?P<either>\|) | (?P<open>\((?!\?)) | (?P<close>\))""",
    re.VERBOSE | re.ASCII,
)

Change = Callable[[str], str]


class RuleError(ValueError):
    """The text is no rule; the message says what would be."""


def dialable(number: str) -> str | None:
    """The number as it may stand in a request: without what people write between digits (a switch behind us drops
    it, RFC 3966 5.1.1, so that nobody may hide a prefix by it); None when anything else is in it that is no digit,
    letter, `*`, `#`, `+`, `.`, `_` or `-`."""
    if _DIGITS.fullmatch(number):
        return number
    plain = number.translate(_SEPARATORS)
    if _DIGITS.fullmatch(plain):
        return plain
    if _DIALABLE.fullmatch(number):
        return number
    return plain if _DIALABLE.fullmatch(plain) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRules:
    """Rules of one direction, ready to be used."""

    changes: tuple[Change, ...] = ()
    anonymous: bool = False
    country: str = ""
    """Of the rule `e164`, where there is one: numbers of this country are no foreign ones."""

    @classmethod
    def of(cls, texts: Iterable[str], *, callers: bool = True) -> NumberRules:
        """Read the texts. Raises RuleError. `anonymous` is for `callers` only."""
        changes: list[Change] = []
        anonymous, country = False, ""
        for count, text in enumerate(texts, 1):
            if count > MOST_RULES:
                raise RuleError(f"more than {MOST_RULES} rules")
            if len(text) > LONGEST_RULE:
                raise RuleError(f"{text[:20]!r}... has {len(text)} characters; at most {LONGEST_RULE}")
            name, colon, argument = text.partition(":")
            if name == ANONYMOUS and not colon:
                if not callers:
                    raise RuleError("'anonymous' is for callers; a called number must stay one")
                anonymous = True
                continue
            maker = _MAKERS.get(name)
            if maker is None or not colon:
                raise RuleError(
                    f"{text!r} is no rule; there are: strip:N, prefix:TEXT, e164:COUNTRY, replace:REGEX:TEXT"
                    + (", anonymous" if callers else "")
                )
            changes.append(maker(argument))
            country = argument if name == "e164" else country
        return cls(changes=tuple(changes), anonymous=anonymous, country=country)

    def number(self, number: str) -> str:
        """The number with every change, cut at the longest that is ever read."""
        for change in self.changes:
            number = change(number[:LONGEST])
        return number

    def party(self, caller: Party) -> Party:
        """The caller as these rules show him."""
        if self.anonymous:
            return Party(number="", display="")
        if not self.changes:
            return caller
        return Party(number=self.number(caller.number), display=caller.display)


def _strip(argument: str) -> Change:
    if not (argument.isascii() and argument.isdigit() and int(argument) <= 32):
        raise RuleError(f"'strip:{argument}': needs a whole number 0 to 32")
    count = int(argument)
    return lambda number: number[count:]


def _prefix(argument: str) -> Change:
    if not _DIALABLE.fullmatch(argument):
        raise RuleError(f"'prefix:{argument}': needs digits, letters or * # + . _ -")
    return lambda number: argument + number


def _e164(argument: str) -> Change:
    if not _COUNTRY.fullmatch(argument):
        raise RuleError(f"'e164:{argument}': needs a country code such as 49")

    def change(number: str) -> str:
        if number.startswith("00"):
            return f"+{number[2:]}"
        return f"+{argument}{number[1:]}" if number.startswith("0") else number

    return change


def _replace(argument: str) -> Change:
    regex, _, text = argument.rpartition(":")
    if not regex:
        raise RuleError(f"'replace:{argument}': needs a regular expression, a colon and a text")
    groups = _checked(regex)
    pattern = re.compile(regex, re.ASCII)
    for used in re.findall(r"\\(.?)", text, re.DOTALL):
        if used not in "123456789" or not used or int(used) > groups:
            raise RuleError(f"'replace:{argument}': the text has \\{used}, and the expression {groups} groups")
    if not all(re.fullmatch(r"[0-9A-Za-z*#+._-]*", part, re.ASCII) for part in re.split(r"\\[1-9]", text)):
        raise RuleError(f"'replace:{argument}': the text may have digits, letters, * # + . _ - and \\1 to \\9")

    def change(number: str) -> str:
        match = pattern.fullmatch(number)
        # A group that took no part is nothing, as `expand` has it.
        return number if match is None else match.expand(text)

    return change


def _checked(regex: str) -> int:
    """How many groups the expression has. Raises RuleError for one that could take long (see MOST_REPEATS)."""
    place = groups = repeats = depth = 0
    before = ""
    while place < len(regex):
        found = _TOKEN.match(regex, place)
        if found is None:
            raise RuleError(f"the expression {regex!r} has something at place {place + 1} that is not allowed")
        kind = found.lastgroup or ""
        if kind == "repeat" and before != "part":
            raise RuleError(f"in {regex!r} only a character or a [set] may be repeated, once")
        repeats += kind in ("repeat", "either")
        groups += kind == "open"
        depth += (kind == "open") - (kind == "close")
        before, place = kind, found.end()
    if repeats > MOST_REPEATS:
        raise RuleError(f"the expression {regex!r} has more than {MOST_REPEATS} of * + ? {{}} |")
    if groups > 9:
        raise RuleError(f"the expression {regex!r} has more than 9 groups")
    try:
        re.compile(regex, re.ASCII)
    except re.error as error:
        raise RuleError(f"the expression {regex!r} cannot be used: {error}") from error
    return groups


_MAKERS: Final[dict[str, Callable[[str], Change]]] = {
    "strip": _strip,
    "prefix": _prefix,
    "e164": _e164,
    "replace": _replace,
}
