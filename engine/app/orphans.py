"""Media legs that a control process before this one has left behind.

After a crash the media process goes on, so that people who talk keep talking. The new control process does not know
their calls; it lets them be until nothing is heard any more, then closes them. The leg's tag says whose they were, for
the ledger that will take such calls back.
"""

from __future__ import annotations

from engine.media.commands import CloseLeg, LegClosed, LegInfo, Legs, MediaEvent, RtpTimeout


class Orphans:
    """Knows them from the media process's list at connect."""

    def __init__(self) -> None:
        self._legs: dict[str, LegInfo] = {}
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
                return [CloseLeg(leg=leg)]
            case LegClosed(leg=leg):
                self._legs.pop(leg, None)
        return []

    def _listed(self, legs: dict[str, LegInfo]) -> list[CloseLeg]:
        if not self._connected_before:
            self._legs = legs
            return []
        self._legs = {leg: info for leg, info in self._legs.items() if leg in legs}
        return [CloseLeg(leg=leg) for leg in legs if leg not in self._legs]
