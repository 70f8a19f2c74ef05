"""What a trunk's calls carry besides the usual, and what they must not carry: `header-add:NAME:VALUE` and
`header-remove:NAME`, for a list of headers that cannot change what a request is or where it goes.

In a value `{caller}`, `{called}` and `{domain}` stand for the numbers as they are sent and the trunk's own domain.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from engine.calls.number_rules import RuleError

ALLOWED: Final = (
    "Alert-Info",
    "Diversion",
    "Geolocation",
    "History-Info",
    "Organization",
    "P-Access-Network-Info",
    "P-Asserted-Identity",
    "P-Charging-Vector",
    "P-Preferred-Identity",
    "Priority",
    "Privacy",
    "Subject",
    "User-to-User",
)
"""And every name that begins with X-. Nothing that routes (Route, Contact, Via), authenticates or frames."""

MOST: Final = 16
LONGEST: Final = 256

_OWN_NAME: Final = re.compile(r"X-[A-Za-z0-9-]{1,40}", re.ASCII | re.IGNORECASE)
_VALUE: Final = re.compile(r"[\x20-\x7e]+", re.ASCII)
_NAMES: Final = {name.lower(): name for name in ALLOWED}
_PLACES: Final = re.compile(r"\{(\w*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderRules:
    """Rules of one trunk, ready to be used."""

    added: tuple[tuple[str, str], ...] = ()
    """Name and value, with places for numbers."""
    removed: frozenset[str] = frozenset()
    """Names in small letters, which nothing else may bring either."""

    @classmethod
    def of(cls, texts: Iterable[str]) -> HeaderRules:
        """Read the texts. Raises RuleError."""
        added: list[tuple[str, str]] = []
        removed: set[str] = set()
        for count, text in enumerate(texts, 1):
            if count > MOST:
                raise RuleError(f"more than {MOST} header rules")
            kind, _, rest = text.partition(":")
            name, colon, value = rest.partition(":")
            known = _known(name)
            if kind == "header-remove" and not colon:
                removed.add(known.lower())
            elif kind == "header-add" and colon:
                added.append((known, _value(known, value.strip())))
            else:
                raise RuleError(f"{text[:60]!r} is no rule; there are: header-add:NAME:VALUE, header-remove:NAME")
        return cls(added=tuple(added), removed=frozenset(removed))

    def headers(self, *, caller: str, called: str, domain: str) -> tuple[tuple[str, str], ...]:
        """What is added to one call. The numbers must be `dialable`; they are the only thing that changes."""
        places = {"caller": caller, "called": called, "domain": domain}
        return tuple((name, _PLACES.sub(lambda place: places[place[1]], value)) for name, value in self.added)


def _known(name: str) -> str:
    found = _NAMES.get(name.lower()) or (name if _OWN_NAME.fullmatch(name) else None)
    if found is None:
        raise RuleError(f"the header {name[:40]!r} may not be changed; those that may: X-..., {', '.join(ALLOWED)}")
    return found


def _value(name: str, value: str) -> str:
    if len(value) > LONGEST or not _VALUE.fullmatch(value):
        raise RuleError(f"the value of {name} must be 1 to {LONGEST} printable ASCII characters")
    for place in _PLACES.findall(value):
        if place not in ("caller", "called", "domain"):
            raise RuleError(f"the value of {name} has {{{place}}}; places are {{caller}}, {{called}} and {{domain}}")
    return value
