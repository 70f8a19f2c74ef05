"""Calls that go round in a circle: from a line by us to a line, and back to us by whoever stands between.

A call that comes back is a spiral, which is allowed: a number may be forwarded to another that is ours. One that comes
back for ever is a loop. Max-Forwards (`Carried.hops`) ends it where every switch on the way counts; many private
exchanges begin anew at 70 instead (Asterisk does). So the unanswered calls of one caller to one number of a line are
counted too: in a loop nobody ever answers, and each turn adds one within milliseconds.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

Turn = tuple[str, str, str]
"""Caller's number, line, number called there."""

MOST_TURNS: Final = 10
"""Far more than a spiral has, and than one number is called by one caller before anybody answers, unless that is a
switchboard that shows one number for all; such calls are refused while ten ring."""


class Turns:
    """The unanswered calls from lines to lines."""

    def __init__(self) -> None:
        self._open: Counter[Turn] = Counter()

    def enter(self, turn: Turn) -> bool:
        """Whether one more may be tried; each that is must `leave`."""
        if self._open[turn] >= MOST_TURNS:
            return False
        self._open[turn] += 1
        return True

    def leave(self, turn: Turn) -> None:
        """It was answered, or is over."""
        self._open[turn] -= 1
        if self._open[turn] <= 0:
            del self._open[turn]

    def __len__(self) -> int:
        return len(self._open)
