"""Checks of single fields, in the words that all errors of the store use."""

from __future__ import annotations

import re
from typing import Final

from engine.errors import InvalidRequest

_NAME: Final = re.compile(r"[a-z0-9._-]{1,64}", re.ASCII)

MAX_TEXT: Final = 128


def check_name(what: str, field: str, name: str) -> None:
    """Raise InvalidRequest for a name that is not [a-z0-9._-]{1,64}, or is "." or "..": it stands in SIP addresses,
    labels and paths."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{what}: {field} {name!r} is not allowed; use 1 to 64 of a-z 0-9 . _ -")
    if name in (".", ".."):
        raise InvalidRequest(
            f"{what}: {field} {name!r} is not allowed: clients read it as a step in the path of an address; "
            "add a letter or a digit"
        )


def plain_text(what: str, field: str, value: str, *, longest: int = MAX_TEXT) -> None:
    """Raise InvalidRequest for text that is too long or cannot be shown."""
    if len(value) > longest:
        raise InvalidRequest(f"{what}: {field} has {len(value)} characters; at most {longest} are allowed")
    if not value.isprintable():
        raise InvalidRequest(f"{what}: {field} {value!r} has characters that cannot be shown")


def number_between(what: str, field: str, value: float, low: float, high: float) -> None:
    """Raise InvalidRequest for a number out of range."""
    # Written so that not-a-number is out of range too.
    if not low <= value <= high:
        raise InvalidRequest(f"{what}: {field} {value} is out of range; allowed is {low} to {high}")
