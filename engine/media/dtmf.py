"""RFC 4733 telephone-events: digits in, once each, and digits out."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from engine.media.codecs import FRAME, RATE

DIGITS: Final = "0123456789*#ABCD"
"""By event code (RFC 4733 3.2); flash (16) is not a digit."""

END: Final = 0x80
VOLUME: Final = 10
"""Minus dBm0, within RFC 4733 2.3.2's range for tones that must be recognised."""

SILENCE_S: Final = 0.15
"""An event whose end was lost is over after this; updates come every 20 to 50 ms."""

DIGIT_TICKS: Final = 5
"""100 ms of tone."""
END_COPIES: Final = 3
"""RFC 4733 2.5.1.4: the final packet is sent three times."""
PAUSE_TICKS: Final = 3
"""60 ms to the next digit; two of the end copies fall into it."""

_EVENT: Final = struct.Struct("!BBH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """A digit that the peer pressed."""

    digit: str
    duration_ms: int


class DigitDetector:
    """Makes one Digit of the many packets of an event. All packets of one event carry one timestamp, which tells
    retransmitted ends from a second press of the same key."""

    __slots__ = ("_code", "_duration", "_heard_at", "_reported", "_stamp", "found")

    def __init__(self) -> None:
        self.found: deque[Digit] = deque()
        """Digits not yet fetched, oldest first."""
        self._stamp = -1
        self._code = 0
        self._duration = 0
        self._heard_at = 0.0
        self._reported = True

    def packet(self, payload: bytes | memoryview, stamp: int, now: float) -> None:
        """Take in one telephone-event payload; anything but a digit of whole length is ignored."""
        if len(payload) < _EVENT.size:
            return
        code, flags, duration = _EVENT.unpack_from(payload)
        if code >= len(DIGITS):
            return
        if stamp != self._stamp:
            if self._stamp >= 0 and (stamp - self._stamp) & 0xFFFFFFFF > 0x7FFFFFFF:
                return  # a reordered packet of an event that is over
            self._report()
            self._stamp = stamp
            self._code = code
            self._duration = 0
            self._reported = False
        self._heard_at = now
        self._duration = max(self._duration, duration)
        if flags & END:
            self._report()

    @property
    def pending(self) -> bool:
        """A digit has begun and is not told yet."""
        return not self._reported

    def silent(self, now: float) -> None:
        """Report an event whose end packets were all lost."""
        if not self._reported and now - self._heard_at >= SILENCE_S:
            self._report()

    def _report(self) -> None:
        if not self._reported:
            self._reported = True
            self.found.append(Digit(digit=DIGITS[self._code], duration_ms=self._duration * 1000 // RATE))


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPacket:
    """What one tick sends of a digit."""

    payload: bytes
    first: bool


class DigitSender:
    """Digits on their way out: each tick gives the packet to send, or none in a pause. Falsy when all are sent."""

    __slots__ = ("_code", "_queue", "_tick")

    def __init__(self) -> None:
        self._queue: deque[int] = deque()
        self._code = -1
        self._tick = 0

    def add(self, digits: str) -> None:
        """Queue digits. Raises ValueError when one of them is no DTMF digit; then none is queued."""
        self._queue.extend([DIGITS.index(digit) for digit in digits.upper()])

    def __bool__(self) -> bool:
        return self._code >= 0 or bool(self._queue)

    @property
    def waiting(self) -> int:
        """Digits not yet begun."""
        return len(self._queue)

    def tick(self) -> EventPacket | None:
        """The next 20 ms: updates with growing duration, the end and its copies, the rest of the pause."""
        if self._code < 0:
            self._code = self._queue.popleft()
            self._tick = 0
        self._tick += 1
        tick = self._tick
        code = self._code
        if tick == DIGIT_TICKS + PAUSE_TICKS:
            self._code = -1
        if tick < DIGIT_TICKS:
            return EventPacket(payload=_EVENT.pack(code, VOLUME, tick * FRAME), first=tick == 1)
        if tick < DIGIT_TICKS + END_COPIES:
            return EventPacket(payload=_EVENT.pack(code, END | VOLUME, DIGIT_TICKS * FRAME), first=False)
        return None
