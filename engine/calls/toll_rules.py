"""Where calls may go that cost money: numbers in one form, lists of beginnings that are allowed, and what is abroad.

Numbers are compared in one form, whatever way they were dialled: with `country` 49, `00` and `0`, the numbers
`004930123`, `030123` and `+4930123` are all +4930123. The lists are brought into the same form, so that an operator may
write `0049`, `0900` or `+44`. What has neither prefix (a PBX's extension, 110) stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST: Final = 256
"""Entries of one list."""

EVERYTHING: Final = "all"

_PLAIN: Final = re.compile(r"\+?[0-9]*", re.ASCII)
_PIECES: Final = re.compile(r"(\*?)(\+?[0-9]+)", re.ASCII)
_SERVICE_CODE: Final = (1, 2, 3)
"""Digits of a service code that nothing divides from the number: *67 011..., *82 0900..."""
_NO_DIGITS: Final = re.compile(r"[^0-9]+", re.ASCII)

_ENTRY: Final = re.compile(r"!?(?:all|\+?[0-9*#]{0,20})", re.ASCII)


def check_destination(entry: str) -> None:
    """Raise ValueError, saying what would be right, for what is no entry of a list of destinations."""
    if not _ENTRY.fullmatch(entry) or entry in ("", "!"):
        raise ValueError(
            f"{entry!r} is no beginning of a number; write digits such as 0049, +44 or all, with ! before it to forbid"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbering:
    """How numbers are dialled here."""

    country: str = ""
    """Our own country code, such as "49"; empty: every number with a + is abroad."""
    international: str = "00"
    national: str = "0"
    emergency: frozenset[str] = frozenset({"110", "112", "911", "999"})
    """Always allowed, whatever the limits."""

    def canonical(self, number: str) -> str:
        """The number in the one form in which it is compared."""
        if number.startswith("+"):
            # No country's code begins with 0: what stands there is what somebody dialled for an outside line.
            return f"+{number[1:].lstrip('0')}"
        if self.international and number.startswith(self.international):
            return f"+{number[len(self.international) :].lstrip('0')}"
        if self.country and self.national and number.startswith(self.national):
            return f"+{self.country}{number[len(self.national) :]}"
        return number

    def hidden(self, number: str) -> tuple[str, ...]:
        """The numbers, in the same form, that a switch on the way may find in this one: behind a service code (*31#,
        *67 and those that have calls forwarded), a letter that some take for a pause, a second +, or a prefix too many
        behind our country's (+49 0 900); and the one that is left where whatever is no digit is dropped (0_044)."""
        if _PLAIN.fullmatch(number):
            canonical = self.canonical(number)
            own = f"+{self.country}"
            if not (self.country and self.national and canonical.startswith(own + self.national)):
                return ()
            inner = self.canonical(canonical[len(own) :])
            return (inner, *self.hidden(inner))
        parts = [_NO_DIGITS.sub("", number)]
        for star, piece in _PIECES.findall(number):
            parts.append(piece)
            if star:
                parts += [piece[digits:] for digits in _SERVICE_CODE]
        found: dict[str, None] = {}
        for part in filter(None, parts):
            found.update(dict.fromkeys((self.canonical(part), *self.hidden(part))))
        return tuple(found)

    def abroad(self, canonical: str, *home: str) -> bool:
        """Whether a canonical number is of another country than ours and than those named as `home`."""
        if not canonical.startswith("+"):
            return False
        return not any(code and canonical.startswith(f"+{code}") for code in (self.country, *home))


class Destinations:
    """A list of beginnings. The longest that fits decides; "!" forbids, "all" fits everything."""

    def __init__(self, entries: Iterable[str], numbering: Numbering) -> None:
        self._verdicts: dict[str, bool] = {}
        for entry in entries:
            beginning = entry.removeprefix("!")
            key = "" if beginning == EVERYTHING else numbering.canonical(beginning)
            self._verdicts[key] = not entry.startswith("!")
        self._longest = max(map(len, self._verdicts), default=0)
        self._names_some = any(self._verdicts.values())

    def lets(self, hidden: str, *, abroad: bool) -> bool:
        """Whether a number that is only a part of what was dialled does no harm: no entry forbids it, and abroad one
        allows it."""
        verdict = self._verdict(hidden)
        return verdict is True if abroad else verdict is not False

    def allow(self, canonical: str) -> bool | None:
        """Whether the list allows this number. None where it says nothing: it is empty, or only forbids others."""
        verdict = self._verdict(canonical)
        return False if verdict is None and self._names_some else verdict

    def _verdict(self, canonical: str) -> bool | None:
        for length in range(min(self._longest, len(canonical)), -1, -1):
            verdict = self._verdicts.get(canonical[:length])
            if verdict is not None:
                return verdict
        return None
