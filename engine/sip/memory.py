"""Remembering what was read, for texts that come again and again: peers are few, and each writes its own name alike."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")


def remember(entries: int, longest: int) -> Callable[[Callable[[str], T]], Callable[[str], T]]:
    """Decorates a pure function from a text to a value that nobody changes. The last `entries` texts of up to `longest`
    characters are kept with their values, so that strangers cannot choose how much we hold. What is raised is not kept.
    """

    def decorate(read: Callable[[str], T]) -> Callable[[str], T]:
        kept = lru_cache(maxsize=entries)(read)

        def recall(text: str) -> T:
            return kept(text) if len(text) <= longest else read(text)

        return recall

    return decorate
