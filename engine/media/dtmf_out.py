"""Digits on their way out: telephone-events (RFC 4733), or tones where the peer has not got those."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import PEAK_0DBM0, RATE
from engine.media.dtmf import DIGITS, END, EVENT, SEGMENT
from engine.media.inband import HIGH_HZ, KEYS, LOW_HZ

VOLUME: Final = 10
"""Minus dBm0, within RFC 4733 2.3.2's range for tones that must be recognised."""

TICK_MS: Final = 20
DIGIT_MS: Final = 100
SHORTEST_MS: Final = 40
"""Q.24: shorter tones need not be recognised."""
LONGEST_MS: Final = 60_000
END_COPIES: Final = 3
"""RFC 4733 2.5.1.4: the final packet is sent three times."""
PAUSE_TICKS: Final = 3
"""60 ms to the next digit. Of an event, two of the end copies fall into it."""

LOW_DBM0: Final = -10.0
HIGH_DBM0: Final = -8.0
"""Levels of tones: the high group is sent louder, since lines take more of it."""
_RAMP_S: Final = 0.002
_TONES: Final = {key: (LOW_HZ[at // 4], HIGH_HZ[at % 4]) for at, key in enumerate(KEYS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPacket:
    """What one tick sends of a digit."""

    payload: bytes
    first: bool
    advance: int = 0
    """By how much its timestamp is later than that of the packet before: another segment begins."""


@dataclass(slots=True, eq=False)
class Key:
    """One digit in the line."""

    code: int
    ticks: int | None
    """How long it is pressed; None while nobody knows."""


def ticks_of(duration_ms: int) -> int:
    """Whole ticks, within what is sensible."""
    return round(max(SHORTEST_MS, min(duration_ms, LONGEST_MS)) / TICK_MS)


class DigitSender:
    """Each tick gives what to send of the digits in line, as an event or as sound. Falsy when all are sent."""

    __slots__ = ("_advance", "_ends", "_key", "_queue", "_segment", "_tick")

    def __init__(self) -> None:
        self._queue: deque[Key] = deque()
        self._key: Key | None = None
        self._tick = 0
        self._ends = 0
        """Copies of the end that were sent."""
        self._segment = 0
        """Where in the event its current segment begins, in units of the clock."""
        self._advance = 0

    def add(self, digits: str, duration_ms: int = DIGIT_MS) -> None:
        """Queue digits. Raises ValueError when one of them is no DTMF digit; then none is queued."""
        ticks = ticks_of(duration_ms)
        self._queue.extend([Key(DIGITS.index(digit), ticks) for digit in digits.upper()])

    def hold(self, digit: str) -> Key:
        """Queue a digit that somebody presses now, and lets go at `release`, which must come."""
        key = Key(DIGITS.index(digit), None)
        self._queue.append(key)
        return key

    def release(self, key: Key, duration_ms: int) -> None:
        """It was held for so long: what is sent of it is no shorter, and ends at the next tick at the earliest."""
        begun = self._tick + 1 if key is self._key else 0
        key.ticks = max(begun, ticks_of(duration_ms))

    def __bool__(self) -> bool:
        return self._key is not None or bool(self._queue)

    @property
    def waiting(self) -> int:
        """Digits not yet begun."""
        return len(self._queue)

    def _next(self) -> Key:
        """The digit of this tick."""
        if self._key is None:
            self._key = self._queue.popleft()
            self._tick = self._ends = self._segment = self._advance = 0
        self._tick += 1
        return self._key

    def tick(self, clock: int = RATE) -> EventPacket | None:
        """The next 20 ms as an event: updates with growing duration, in units of `clock`; the end and its copies; the
        rest of the pause. What is longer than the field goes on in another segment, without a marker, whose timestamp
        is that of the last one's end (RFC 4733 2.5.1.3)."""
        key = self._next()
        if self._ends == END_COPIES:
            self._key = None
            return None
        advance, self._advance = self._advance, 0
        over = key.ticks is not None and self._tick >= key.ticks
        held = self._tick if key.ticks is None else min(self._tick, key.ticks)
        duration = held * clock * TICK_MS // 1000 - self._segment
        if duration > SEGMENT:
            self._segment += SEGMENT
            self._advance = SEGMENT
            return EventPacket(payload=EVENT.pack(key.code, VOLUME, SEGMENT), first=False, advance=advance)
        self._ends += over
        flags = END if over else 0
        payload = EVENT.pack(key.code, flags | VOLUME, duration)
        return EventPacket(payload=payload, first=self._tick == 1, advance=advance)

    def sound(self, rate: int = RATE) -> NDArray[np.int16]:
        """The next 20 ms as sound: the two tones (Q.23), then the pause."""
        key = self._next()
        size = rate * TICK_MS // 1000
        if key.ticks is not None and self._tick > key.ticks:
            if self._tick == key.ticks + PAUSE_TICKS:
                self._key = None
            return np.zeros(size, np.int16)
        times = (np.arange(size) + (self._tick - 1) * size) / rate
        low, high = _TONES[DIGITS[key.code]]
        made = 10 ** (LOW_DBM0 / 20) * np.sin(2 * np.pi * low * times)
        made += 10 ** (HIGH_DBM0 / 20) * np.sin(2 * np.pi * high * times)
        edge = (np.arange(ramp := round(rate * _RAMP_S)) + 0.5) / ramp
        if self._tick == 1:
            made[:ramp] *= edge
        if self._tick == key.ticks:
            made[-ramp:] *= edge[::-1]
        return np.rint(PEAK_0DBM0 * made).astype(np.int16)
