"""An agent's phone that is heard no more is asked to send elsewhere, so that it is heard again from wherever it is.

A leg's socket hears only whom it has latched on (`engine.media.latch`): when the home router of a phone gives its sound
another port, or the phone changes networks, nothing gets through any more, and the sound of a stranger must not. So
the phone is asked in the signalling, where it has proved who it is: the leg gets a second pair of ports (`Rebind`), the
phone is told of it by a re-INVITE (`LegPort.move`), and whoever sends there from a place that is the phone's is heard.

It is done when the phone's sound stops (RtpStopped, 3 s), or its registration comes from another address (Strayed). A
phone that says nothing in silence is asked in vain: each further time comes later (`Relatch.due`). Lines are not asked:
they do not move.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from engine.calls.events import LocalMedia, Moved, MoveRefused
from engine.ids import LegId
from engine.media import events as media
from engine.media.commands import Rebind

if TYPE_CHECKING:
    from engine.calls.switchboard import CallLeg, Switchboard

FIRST_WAIT_S: Final = 3.0
LONGEST_WAIT_S: Final = 300.0
_SOON: Final = 2
"""So often it is done without a wait that grows: a phone that changes networks may do so twice."""


@dataclass(slots=True, kw_only=True, eq=False)
class Relatch:
    """What was tried on one leg."""

    tries: int = 0
    asked_at: float = 0.0
    port: int | None = None
    """The second pair that the phone is being told of; None while it is not."""
    under_way: bool = False

    def due(self, now: float) -> bool:
        """Whether silence is worth another try."""
        wait = min(FIRST_WAIT_S * 2 ** max(0, self.tries - _SOON), LONGEST_WAIT_S)
        return not self.under_way and (not self.tries or now - self.asked_at >= wait)


class Relatching:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def media_event(self, event: media.RtpStopped | media.Rebound | media.LegFailed, now: float) -> None:
        """The media process says that a leg fell silent, or has a second pair, or can have none."""
        found = self._board.owners.get(LegId(event.leg))
        if found is None:
            return
        leg = found[1]
        match event:
            case media.RtpStopped():
                self._begin(leg, now, sure=False)
            case media.Rebound(port=port):
                if leg.relatch is not None and leg.relatch.under_way and leg.dialog:
                    leg.relatch.port = port
                    self._board.legs.move(leg.id, LocalMedia(port=port), now)
            case media.LegFailed():
                self._over(leg)

    def strayed(self, leg: CallLeg, now: float) -> None:
        """The leg's phone is at another address now."""
        self._begin(leg, now, sure=True)

    def outcome(self, leg: CallLeg, event: Moved | MoveRefused) -> None:
        """The phone was asked, by whomever."""
        if leg.relatch is not None and leg.relatch.port == event.local.port:
            self._over(leg)

    def _begin(self, leg: CallLeg, now: float, *, sure: bool) -> None:
        if leg.agent is None or leg.remote is None or leg.holding or not leg.dialog:
            return
        relatch = leg.relatch = leg.relatch or Relatch()
        if relatch.under_way or not (sure or relatch.due(now)):
            return
        relatch.tries, relatch.asked_at, relatch.under_way = relatch.tries + 1, now, True
        self._board.media.send(Rebind(leg=leg.id))

    def _over(self, leg: CallLeg) -> None:
        if leg.relatch is not None:
            leg.relatch.under_way, leg.relatch.port = False, None
