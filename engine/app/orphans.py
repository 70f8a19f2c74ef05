"""Media legs that a control process before this one has left behind.

After a crash the media process goes on, so that people who talk keep talking. The new control process does not know
their calls; it lets them be until nothing is heard any more, then closes them. Who is alone in his call is not talking:
he waited, and would hear music for ever, for nobody knows of him. The leg's tag says whose they were, for the ledger
that will take such calls back.
"""

from __future__ import annotations

from collections import Counter

from engine.media.commands import CloseLeg, LegClosed, LegInfo, Legs, MediaEvent, RtpTimeout


class Orphans:
    """Knows them from the media process's list at connect."""

    def __init__(self) -> None:
        self._legs: dict[str, LegInfo] = {}
        self._closing: set[str] = set()
        self._connected_before = False

    def __len__(self) -> int:
        return len(self._legs)

    def legs(self) -> tuple[LegInfo, ...]:
        """All that are left."""
        return tuple(self._legs.values())

    def connection_lost(self) -> None:
        """We lost the media process and ended our calls. Should the same process be found again, its legs that are no
        orphans are ours, of calls that are over."""
        self._connected_before = True

    def media_event(self, event: MediaEvent) -> list[CloseLeg]:
        """What is to be done about orphans, if the event is about one."""
        match event:
            case Legs(legs=legs):
                return self._listed({info.leg: info for info in legs})
            case RtpTimeout(leg=leg) if leg in self._legs:
                return self._close([leg])
            case LegClosed(leg=leg) if leg in self._legs:
                del self._legs[leg]
                self._closing.discard(leg)
                return self._close_lonely()
        return []

    def _listed(self, legs: dict[str, LegInfo]) -> list[CloseLeg]:
        if not self._connected_before:
            self._legs = legs
            return self._close_lonely()
        self._legs = {leg: info for leg, info in self._legs.items() if leg in legs}
        return [CloseLeg(leg=leg) for leg in legs if leg not in self._legs]

    def _close_lonely(self) -> list[CloseLeg]:
        """Close every leg that is the last of its call."""
        legs_of = Counter(_call(info) for info in self._legs.values())
        return self._close([leg for leg, info in self._legs.items() if legs_of[_call(info)] == 1])

    def _close(self, legs: list[str]) -> list[CloseLeg]:
        fresh = [leg for leg in legs if leg not in self._closing]
        self._closing.update(fresh)
        return [CloseLeg(leg=leg) for leg in fresh]


def _call(info: LegInfo) -> str:
    """The call in a leg's tag, `CALL:ROLE:STARTED`."""
    return info.tag.partition(":")[0]
