"""Who hears whom: the commands that draw and take away the edges of the hearing matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.media.commands import Codec, Connect, Disconnect, JoinConference, LeaveConference
from engine.media.leg import Leg
from engine.media.matrix import Seat
from engine.media.refusal import CommandFailed, check_gain

if TYPE_CHECKING:
    from engine.media.switchboard import Switchboard, Verbs


class HearingVerbs:
    """See the module."""

    def __init__(self, board: Switchboard) -> None:
        self.board = board

    def verbs(self) -> Verbs:
        return {
            Connect: self._connect,
            Disconnect: self._disconnect,
            JoinConference: self._join,
            LeaveConference: self._leave,
        }

    def _connect(self, command: Connect, now: float) -> None:
        source, sink = self.board.leg(command.source), self.board.leg(command.sink)
        check_gain(command.gain_db)
        obstacle = self.board.matrix.obstacle(source, sink, command.gain_db)
        if obstacle is not None:
            raise CommandFailed(obstacle)
        self.board.matrix.connect(source, sink, command.gain_db)
        self.board.refresh(sink)
        self.board.fit_row(source)

    def _disconnect(self, command: Disconnect, now: float) -> None:
        source, sink = self.board.legs.get(command.source), self.board.legs.get(command.sink)
        if source is not None and sink is not None:
            self.board.matrix.disconnect(source, sink)
            self.board.refresh(sink)
            self.board.fit_row(source)

    def _join(self, command: JoinConference, now: float) -> None:
        leg = self.board.leg(command.leg)
        check_gain(command.gain_db)
        if leg.codec is Codec.OPAQUE:
            raise CommandFailed(f"{leg.coding} can only be passed through, not mixed with others")
        before = self._company(leg)
        seat = Seat(speaks=command.speaks, hears=command.hears, gain_db=command.gain_db)
        self.board.matrix.join(leg, command.conference, seat)
        self._seated(leg, before)

    def _leave(self, command: LeaveConference, now: float) -> None:
        leg = self.board.legs.get(command.leg)
        if leg is not None:
            before = self._company(leg)
            self.board.matrix.leave(leg)
            self._seated(leg, before)

    def _company(self, leg: Leg) -> dict[Leg, None]:
        """Everybody who hears this leg or is heard by it."""
        matrix = self.board.matrix
        return dict.fromkeys([*matrix.sinks(leg), *(edge.source for edge in matrix.edges(leg))])

    def _seated(self, leg: Leg, before: dict[Leg, None]) -> None:
        self.board.refresh(leg)
        for other in before | self._company(leg):
            self.board.refresh(other)
            self.board.fit_row(other)
        self.board.fit_row(leg)
