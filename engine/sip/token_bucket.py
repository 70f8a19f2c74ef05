"""Budgets: so many at once, so many a second; or so much of the time that passes. Time is passed in."""

from __future__ import annotations


class TokenBucket:
    """Holds at most `burst` tokens and gains `rate` a second; full at first."""

    __slots__ = ("_at", "_burst", "_level", "_rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token; False, and nothing is taken, where there is none."""
        level = self._level + (now - self._at) * self._rate
        self._at = now
        level = min(level, self._burst)
        if level >= 1.0:
            self._level = level - 1.0
            return True
        self._level = level
        return False

    def has(self, now: float) -> bool:
        """Whether `take` would succeed."""
        return self._level + (now - self._at) * self._rate >= 1.0


class TimeBudget:
    """At most a `share` of the time may be spent, no more than `ahead` seconds of it at once. What was spent is told
    afterwards, so that it may run into debt."""

    __slots__ = ("_ahead", "_at", "_left", "_share")

    def __init__(self, share: float, ahead: float, now: float) -> None:
        self._share = share
        self._ahead = ahead
        self._left = ahead
        self._at = now

    def spend(self, seconds: float) -> None:
        """So much was spent."""
        self._left -= seconds

    def left(self, now: float) -> bool:
        """Whether anything may be spent now."""
        self._left = min(self._left + (now - self._at) * self._share, self._ahead)
        self._at = now
        return self._left > 0.0
