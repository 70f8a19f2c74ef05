"""A fuse for each trunk, blown by calls that it failed to set up.

OPTIONS tell whether a peer lives; a gateway that lives and cannot place a call (its own line is down, its licence full)
shows that only when it gets one. The theory, as a table:

    state      a call failed                       a call went well    time
    closed     counted; at the limit: open         counted             -
    open       (no call is let through)            closed              rested: half-open
    half-open  open, twice as long                 closed              -
    any        open, for as long as a Retry-After says

The limit is `circuit_after` failures in a row, or RATIO of at least LEAST calls within WINDOW_S. While half-open one
call at a time is let through. A call that began before the fuse blew and goes well closes it too: that is news as good
as any. What counts as failed is decided by `lines.Lines`' user: what speaks of the line and not of who is called.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.calls.trunk_records import CircuitState

FIRST_REST_S: Final = 5.0
LONGEST_REST_S: Final = 300.0
WINDOW_S: Final = 60.0
LEAST: Final = 20
RATIO: Final = 0.5
REMEMBERED: Final = 100
"""Calls within the window that are looked at: the last ones."""


class TrunkCircuit:
    """The fuse of one trunk. Times are monotonic seconds."""

    __slots__ = ("_calls", "_probing", "_rest_s", "_row", "detail", "rested_at", "state")

    def __init__(self) -> None:
        self.state = CircuitState.CLOSED
        self.detail = ""
        """Why it blew, and for how long it rests; empty while it is closed."""
        self.rested_at = 0.0
        """When an open one lets a call through again."""
        self._row = 0
        self._calls: deque[tuple[float, bool]] = deque(maxlen=REMEMBERED)
        self._rest_s = FIRST_REST_S
        self._probing = False

    def lets(self, now: float) -> bool:
        """Whether a call may be tried now. Changes nothing."""
        if self.state is CircuitState.CLOSED:
            return True
        return now >= self.rested_at and not self._probing

    def begin(self, now: float) -> bool:
        """A call is tried now. Whether the state is another than before."""
        if self.state is CircuitState.CLOSED:
            return False
        changed = self.state is CircuitState.OPEN
        self.state, self._probing = CircuitState.HALF_OPEN, True
        return changed

    def given_up(self) -> None:
        """The call ended and said nothing of the line: the caller hung up."""
        self._probing = False

    def well(self, now: float) -> bool:
        """A call went well. Whether the state is another than before."""
        self._row, self._probing = 0, False
        changed = self.state is not CircuitState.CLOSED
        if changed:
            self._calls.clear()
            self.state, self.detail, self._rest_s = CircuitState.CLOSED, "", FIRST_REST_S
        else:
            self._calls.append((now, True))
        return changed

    def failed(self, limit: int, now: float) -> bool:
        """A call failed; `limit` is how many may in a row, 0 for any number. Whether the state is another now."""
        if self.state is CircuitState.OPEN or limit == 0:
            self._probing = False
            return False
        self._row += 1
        self._calls.append((now, False))
        if self.state is CircuitState.HALF_OPEN:
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            return self._blow("failed again", now)
        if self._row >= limit:
            return self._blow(f"{self._row} calls in a row failed", now)
        recent = [well for at, well in self._calls if at > now - WINDOW_S]
        lost = recent.count(False)
        if len(recent) >= LEAST and lost >= RATIO * len(recent):
            return self._blow(f"{lost} of the last {len(recent)} calls failed", now)
        return False

    def wished(self, seconds: float, now: float) -> bool:
        """The trunk said for how long it wants no call (Retry-After of a 503, RFC 3261 21.5.4), whatever the limit is.
        Whether the state is another now."""
        until = now + min(seconds, LONGEST_REST_S)
        changed = self.state is not CircuitState.OPEN
        if changed or until > self.rested_at:
            self.state, self._probing, self.rested_at = CircuitState.OPEN, False, until
            self.detail = f"it wants no call for {until - now:g} s"
        return changed

    def _blow(self, why: str, now: float) -> bool:
        self.state, self._probing = CircuitState.OPEN, False
        self.rested_at = now + self._rest_s
        self.detail = f"{why}; it rests for {self._rest_s:g} s"
        return True
