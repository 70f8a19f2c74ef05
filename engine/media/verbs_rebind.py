"""A second pair of ports for a leg whose peer is to be heard again (see `commands.Rebind`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.media.commands import Rebind
from engine.media.events import Rebound

if TYPE_CHECKING:
    from engine.media.switchboard import Switchboard, Verbs


class RebindVerbs:
    """See the module."""

    def __init__(self, board: Switchboard, *, pair: Callable[[int | None], int]) -> None:
        """`pair` gives the spare pair that was asked for, or a new one; raises CommandFailed."""
        self.board = board
        self._pair = pair

    def verbs(self) -> Verbs:
        return {Rebind: self._rebind}

    def _rebind(self, command: Rebind, now: float) -> None:
        leg = self.board.leg(command.leg)
        port = self._pair(command.port)
        self.board.wire.add(leg, port)
        self.board.emit(Rebound(leg=leg.name, port=port))
