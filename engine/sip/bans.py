"""Who is banned, until when, and for how long the next time: a pure table."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

BanKey = tuple[str, str | None]
"""Source (`source_key`), and the one user name that is banned from there, or None for the whole address."""

_DOUBLINGS: Final = 32
"""More would only make a number too large; the longest ban is reached long before."""


class Ban(NamedTuple):
    """One ban as it stands."""

    source: str
    user: str | None
    """None: nobody is heard from the source. Else: nobody of this name."""
    reason: str
    until: float
    """Monotonic seconds."""
    times: int
    """How often it was banned, this one counted, since it was last forgotten."""


class Bans:
    """The first ban lasts `first_s`, each further one twice as long, `longest_s` at most. Who has kept quiet for
    `longest_s` after the end of the last begins anew. Past `bound` the ban that was touched least recently goes."""

    __slots__ = ("_bans", "_bound", "_first_s", "_longest_s")

    def __init__(self, *, first_s: float, longest_s: float, bound: int) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._bound = bound
        self._bans: OrderedDict[BanKey, Ban] = OrderedDict()

    def __len__(self) -> int:
        """Entries, also of bans that are over and not yet forgotten."""
        return len(self._bans)

    def impose(self, source: str, user: str | None, reason: str, now: float) -> Ban:
        """Ban, or ban for longer than the last time."""
        key = (source, user)
        before = self._bans.pop(key, None)
        times = 1 if before is None or now - before.until > self._longest_s else before.times + 1
        lasts = min(self._longest_s, self._first_s * 2.0 ** min(times - 1, _DOUBLINGS))
        ban = self._bans[key] = Ban(source, user, reason, now + lasts, times)
        if len(self._bans) > self._bound:
            self._bans.popitem(last=False)
        return ban

    def stands(self, source: str, user: str | None, now: float) -> bool:
        """Whether the ban is there and not over."""
        ban = self._bans.get((source, user))
        return ban is not None and now < ban.until

    def lift(self, source: str, user: str | None) -> bool:
        """Take a ban back and forget it; False where there is none."""
        return self._bans.pop((source, user), None) is not None

    def standing(self, now: float) -> list[Ban]:
        """All bans that are not over, the latest first."""
        return [ban for ban in reversed(self._bans.values()) if now < ban.until]
