"""What is remembered, and what is not."""

from __future__ import annotations

import pytest

from engine.sip.memory import remember


def test_a_text_is_read_once_while_it_is_kept() -> None:
    asked: list[str] = []

    @remember(2, 3)
    def read(text: str) -> int:
        asked.append(text)
        return len(text)

    assert [read(text) for text in ("a", "a", "bb", "a", "ccc", "bb")] == [1, 1, 2, 1, 3, 2]
    assert asked == ["a", "bb", "ccc", "bb"]


def test_a_long_text_and_an_error_are_not_kept() -> None:
    asked: list[str] = []

    @remember(2, 3)
    def read(text: str) -> int:
        asked.append(text)
        return int(text)

    assert read("1234") == read("1234") == 1234
    for _ in range(2):
        with pytest.raises(ValueError, match="x"):
            read("x")
    assert asked == ["1234", "1234", "x", "x"]
