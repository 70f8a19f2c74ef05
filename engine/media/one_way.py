"""One-way audio: of two who should hear each other, one is not heard, or says that it hears nothing.

- IN: nothing comes of the leg's peer, while whoever it talks with sends.
- OUT: the peer's receiver reports say that nothing of ours reaches it, or its host refuses our packets.

The peer of a leg with comfort noise may rest for as long as nobody speaks; it is missed only before its first packet.
Whoever is in a conference talks with all who speak there; who is muted is not missed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from engine.media.events import Way
from engine.media.rtcp import Report, ReportBlock

MISSED_S: Final = 1.9
"""Without a packet for so long, and still at the next visit half a second later: told within 3 s."""
ACTIVE_S: Final = 1.0
"""Who was heard this lately speaks, or at least sends."""
REFUSED_S: Final = 1.9
SENT_AT_LEAST: Final = 50
"""Packets of ours between two reports from which on it means something that none is told of."""
REPORTS_WITHOUT: Final = 2
"""Some leave out their report block now and then; so many on end do not."""


class OneWay:
    """Of one leg. Visited twice a second; told of every report."""

    __slots__ = ("_deaf", "_highest", "_missed_since", "_refused", "_refused_since", "_sent", "_without", "ever", "now")

    def __init__(self) -> None:
        self.now: frozenset[Way] = frozenset()
        """Ways in which nothing passes."""
        self.ever: frozenset[Way] = frozenset()
        self._missed_since: float | None = None
        self._deaf = False
        self._highest: int | None = None
        self._sent = 0
        self._without = 0
        self._refused = 0
        self._refused_since: float | None = None

    def visit(self, now: float, *, heard_at: float, may_rest: bool, partners_at: float | None, refused: int) -> None:
        """`heard_at`: when the peer was last heard, or listening began; `may_rest`: it has been heard, and may send
        nothing while nobody speaks; `partners_at`: when whoever talks with it was last heard, None where nobody does;
        `refused`: packets of ours that came back, in all."""
        talks = partners_at is not None and now - partners_at <= ACTIVE_S
        missing = talks and not may_rest and now - heard_at >= MISSED_S
        ways = set()
        if not missing:
            # Who fell silent because the other did is missed on: nothing says yet that it is heard again.
            if Way.IN in self.now and partners_at is not None and now - heard_at >= MISSED_S:
                ways.add(Way.IN)
            self._missed_since = None
        elif self._missed_since is None:
            self._missed_since = now
        else:
            ways.add(Way.IN)
        if refused == self._refused:
            self._refused_since = None
        elif self._refused_since is None:
            self._refused_since = now
        self._refused = refused
        blocked = self._refused_since is not None and now - self._refused_since >= REFUSED_S
        if partners_at is not None and (self._deaf or blocked):
            ways.add(Way.OUT)
        self.now = frozenset(ways)
        self.ever |= self.now

    def reported(self, reports: Iterable[Report], own_ssrc: int, sent: int) -> None:
        """The peer's report came; `sent`: packets of ours so far."""
        meant = sent - self._sent >= SENT_AT_LEAST
        self._sent = sent
        block = next((each for each in reports if isinstance(each, ReportBlock) and each.ssrc == own_ssrc), None)
        if block is not None and block.highest != self._highest:
            self._highest = block.highest
            self._deaf, self._without = False, 0
        elif not meant:
            pass
        elif block is not None:
            self._deaf = True
        else:
            self._without += 1
            self._deaf = self._without >= REPORTS_WITHOUT
