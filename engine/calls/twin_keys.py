"""Keys that a phone sends twice: in its sound and by SIP INFO, as many can be set to. They are to be heard once.

The two come within a moment of each other, in either order: INFO when the key is pressed or let go, the word of the
media process when a telephone-event, or a tone, has ended. So the first keys by INFO of a leg that also has keys in its
sound are kept for a moment. If the same key comes by the sound, the leg sends twice, and no INFO of it counts any more;
if not, it has keys by INFO alone, and they count at once from then on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.calls.timers import Timers
from engine.ids import LegId

if TYPE_CHECKING:
    from engine.calls.switchboard import CallLeg

WAIT_S: Final = 0.8
"""A key is seldom held for longer."""
MOST: Final = 20
"""Nobody presses more within that."""


class _Seen(Enum):
    NOTHING = auto()
    TWICE = auto()
    APART = auto()


class Key(NamedTuple):
    """One by INFO."""

    digit: str
    duration_ms: int


@dataclass(slots=True)
class Twins:
    """What is known of one leg's keys."""

    seen: _Seen = _Seen.NOTHING
    sounded: tuple[str, float] | None = None
    """The last key in the sound, and when."""
    kept: list[Key] = field(default_factory=list)
    """By INFO, for a moment."""


class TwinKeys:
    """See the module."""

    def __init__(self) -> None:
        self._timers: Timers[LegId] = Timers()

    def sounded(self, leg: CallLeg, digit: str, now: float) -> None:
        """A key in the sound."""
        twins = leg.twins = leg.twins or Twins()
        if any(key.digit == digit for key in twins.kept):
            self._twice(leg, twins)
        else:
            twins.sounded = digit, now

    def counts(self, leg: CallLeg, key: Key, now: float) -> bool:
        """Whether a key by INFO is to be passed on now, of a leg that has keys in its sound as well; what waits comes
        out of `due`, or was the other half of one in the sound."""
        twins = leg.twins = leg.twins or Twins()
        if twins.seen is not _Seen.NOTHING:
            return twins.seen is _Seen.APART
        before, twins.sounded = twins.sounded, None
        if before is not None and before[0] == key.digit and now - before[1] <= WAIT_S:
            self._twice(leg, twins)
            return False
        if not twins.kept:
            self._timers.set(leg.id, now + WAIT_S)
        if len(twins.kept) < MOST:
            twins.kept.append(key)
        return False

    def _twice(self, leg: CallLeg, twins: Twins) -> None:
        twins.seen = _Seen.TWICE
        twins.kept.clear()
        self._timers.cancel(leg.id)

    def next_deadline(self) -> float | None:
        return self._timers.next_deadline()

    def waited(self, now: float) -> Iterator[LegId]:
        """Legs whose keys have waited long enough."""
        while (leg := self._timers.pop_due(now)) is not None:
            yield leg

    def due(self, leg: CallLeg) -> list[Key]:
        """The keys of such a leg: they were all there was of them."""
        twins = leg.twins
        if twins is None:
            return []
        kept, twins.kept = twins.kept, []
        twins.seen = _Seen.APART
        return kept
