"""When to register again after a failure: soon at first, then more slowly, never all phones at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

FIRST_S: Final = 1.0
LONGEST_S: Final = 60.0
"""A network that returns is noticed within a minute."""
SPREAD: Final = 0.25
"""Each wait is shortened by up to this share at random, so that a restarted server is not hit by all phones at once."""
REFUSALS: Final = frozenset({401, 403, 404, 407, 423, 488, 606})
"""The server is there and says no: asking every second would only look like an attack."""


class Backoff:
    """Waits of 1, 2, 4 ... 60 s; a refusal waits the longest at once. Success starts it over."""

    def __init__(self, random: Callable[[], float]) -> None:
        """`random` gives numbers in [0, 1)."""
        self._random = random
        self._next = FIRST_S

    def after_failure(self, code: int) -> float:
        """Return the seconds to wait before the next attempt."""
        wait = LONGEST_S if code in REFUSALS else self._next
        self._next = min(LONGEST_S, self._next * 2)
        return wait * (1 - SPREAD * self._random())

    def succeeded(self) -> None:
        """Start over."""
        self._next = FIRST_S
