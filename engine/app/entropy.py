"""Where real identifiers and keys come from."""

from __future__ import annotations

import os
from typing import Final

_OCTETS: Final = 9
"""72 bits: nobody guesses one, and no two are alike."""
_TOKENS: Final = 56
"""Made of one question to the operating system; a call takes ten."""


def octets(count: int) -> bytes:
    """For keys."""
    return os.urandom(count)


class SystemIds:
    """`engine.ids.IdSource` over the operating system's random numbers."""

    def __init__(self) -> None:
        self._tokens: list[str] = []

    def token(self) -> str:
        if not self._tokens:
            drawn = os.urandom(_OCTETS * _TOKENS).hex()
            self._tokens = [drawn[at : at + 2 * _OCTETS] for at in range(0, len(drawn), 2 * _OCTETS)]
        return self._tokens.pop()
