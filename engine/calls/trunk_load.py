"""How many calls a trunk has, and how fast it gets them."""

from __future__ import annotations

from engine.calls.trunk import Trunk
from engine.calls.trunk_records import TrunkFailure


class TokenBucket:
    """So many a second, of which as many as one second gives (at least one) may come at once."""

    __slots__ = ("_at", "_full", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._full = max(1.0, rate)
        self._tokens = self._full
        self._at = now

    def has(self, now: float) -> bool:
        """Whether one more may come now."""
        return self._now_has(now) >= 1

    def take(self, now: float) -> None:
        """One has come."""
        self._tokens, self._at = self._now_has(now) - 1, now

    def _now_has(self, now: float) -> float:
        return min(self._full, self._tokens + (now - self._at) * self._rate)


class TrunkLoad:
    """The load of one trunk."""

    __slots__ = ("_in", "_out", "calls_in", "calls_out")

    def __init__(self) -> None:
        self.calls_in = 0
        self.calls_out = 0
        self._in: TokenBucket | None = None
        self._out: TokenBucket | None = None

    def rates_changed(self) -> None:
        """The trunk may have other limits now; the calls stay."""
        self._in = self._out = None

    def full_in(self, trunk: Trunk, now: float) -> TrunkFailure | None:
        """Why no call from this trunk can be taken now; None where it can."""
        if _reached(trunk.max_in, self.calls_in) or _reached(trunk.max_calls, self.calls_in + self.calls_out):
            return TrunkFailure.FULL
        if trunk.cps_in and self._in is None:
            self._in = TokenBucket(trunk.cps_in, now)
        return TrunkFailure.TOO_FAST if self._in is not None and not self._in.has(now) else None

    def full_out(self, trunk: Trunk, now: float) -> TrunkFailure | None:
        """Why no call can be placed on it now."""
        if _reached(trunk.max_out, self.calls_out) or _reached(trunk.max_calls, self.calls_in + self.calls_out):
            return TrunkFailure.FULL
        if trunk.cps_out and self._out is None:
            self._out = TokenBucket(trunk.cps_out, now)
        return TrunkFailure.TOO_FAST if self._out is not None and not self._out.has(now) else None

    def begin_in(self, now: float) -> None:
        self.calls_in += 1
        if self._in is not None:
            self._in.take(now)

    def begin_out(self, now: float) -> None:
        self.calls_out += 1
        if self._out is not None:
            self._out.take(now)


def _reached(limit: int, calls: int) -> bool:
    return 0 < limit <= calls
