"""RFC 4733 telephone-events as they come in: one digit of the many packets of each. (`dtmf_out` sends them.)"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.media.codecs import RATE

DIGITS: Final = "0123456789*#ABCD"
"""By event code (RFC 4733 3.2); flash (16) is not a digit."""

END: Final = 0x80

SILENCE_S: Final = 0.15
"""An event whose end was lost is over after this; updates come every 20 to 50 ms."""

SEGMENT: Final = 0xFFFF
"""The longest duration that the field holds; an event goes on in another segment (RFC 4733 2.5.1.3)."""

_EARLIEST_SEGMENT: Final = 0xF000
"""Some begin the next segment sooner; nobody lets go and presses the same key again with no end between."""

EVENT: Final = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """A digit that the peer pressed."""

    digit: str
    duration_ms: int


class DigitDetector:
    """Makes one Digit of the many packets of an event. All packets of one event, or of one segment of a long one, carry
    one timestamp, which tells retransmitted ends from a second press of the same key."""

    __slots__ = ("_code", "_duration", "_earlier", "_heard_at", "_reported", "_stamp", "clock", "found")

    def __init__(self) -> None:
        self.found: deque[Digit] = deque()
        """Digits not yet fetched, oldest first."""
        self.clock = RATE
        """Of durations: Hz of the telephone-event format."""
        self._stamp = -1
        self._code = 0
        self._duration = 0
        """Of this segment."""
        self._earlier = 0
        """Of the segments before it."""
        self._heard_at = 0.0
        self._reported = True

    def packet(self, payload: bytes | memoryview, stamp: int, now: float, *, marker: bool = False) -> None:
        """Take in one telephone-event payload; anything but a digit of whole length is ignored."""
        if len(payload) < EVENT.size:
            return
        code, flags, duration = EVENT.unpack_from(payload)
        if code >= len(DIGITS):
            return
        if stamp != self._stamp:
            if self._stamp >= 0 and (stamp - self._stamp) & 0xFFFFFFFF > 0x7FFFFFFF:
                return  # a reordered packet of an event that is over
            self._begin(code, stamp, marker)
        self._heard_at = now
        self._duration = max(self._duration, duration)
        if flags & END:
            self._report()

    def _begin(self, code: int, stamp: int, marker: bool) -> None:
        """Another timestamp than before: another digit, or the next segment of a long one."""
        passed = (stamp - self._stamp) & 0xFFFFFFFF
        goes_on = not self._reported and not marker and code == self._code
        if goes_on and max(_EARLIEST_SEGMENT, self._duration) <= passed <= SEGMENT + 1:
            self._earlier += passed
        else:
            self._report()
            self._code = code
            self._earlier = 0
            self._reported = False
        self._stamp = stamp
        self._duration = 0

    @property
    def pending(self) -> bool:
        """A digit has begun and is not told yet."""
        return not self._reported

    @property
    def digit(self) -> str:
        """The one that has begun last."""
        return DIGITS[self._code]

    def silent(self, now: float) -> None:
        """Report an event whose end packets were all lost."""
        if not self._reported and now - self._heard_at >= SILENCE_S:
            self._report()

    def _report(self) -> None:
        if not self._reported:
            self._reported = True
            held = (self._earlier + self._duration) * 1000 // self.clock
            self.found.append(Digit(digit=DIGITS[self._code], duration_ms=held))
