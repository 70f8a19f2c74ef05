"""Legs on their way from one media process to another.

    new leg opened there -> re-INVITE -> answered: it is spoken to from there, its partners are heard there
                                      -> first packet there (or a while without): it is heard there, the old leg closes
                         -> refused: the new leg closes; spans carry what the two say for as long as they talk, and
                            a chair lets him sit in a conference (`media_rooms`)

Until the first packet comes to the new port, what still comes to the old one is carried by the span that was there
before, so that nothing of what is said is lost. A leg moves when all with whom it talks live in one other process, and
that has been so for a moment; who sits in a conference moves to where that is. A leg whose process was lost moves in
the same way, but for the old leg.

An encrypted leg moves like any other: the re-INVITE offers fresh keys of ours, and the old leg has the old ones for as
long as it lives. A peer that keeps its key goes on counting packets; the new place finds out where it is
(`SrtpKeys.resumed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from engine.app.media_edges import Edges
from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.app.media_spans import Spans
from engine.media.commands import CloseLeg, OpenLeg

SETTLED_S: Final = 1.0
"""Who talks across two processes for so long is moved. Who is only asked for a moment is not."""
UNHEARD_S: Final = 3.0
"""After the answer, without a packet at the new port: he is silent, or on hold."""
AGAIN_S: Final = 3.0
"""After a move that came at a bad moment (491)."""
TRIES: Final = 3
HOMELESS_S: Final = 15.0
"""So long a leg of a lost process may wait for another."""
_PENDING: Final = 491


class Stage(Enum):
    OPENING = auto()
    """The new port is not known yet."""
    ASKED = auto()
    """The re-INVITE is under way."""
    LISTENING = auto()
    """The peer has agreed; no packet has come to the new port."""


@dataclass(slots=True, eq=False)
class Move:
    leg: PlacedLeg
    to: MediaPlane
    before: MediaPlane | None
    """Where the old leg is; None where it was lost."""
    stage: Stage = Stage.OPENING
    port: int = 0
    until: float = float("inf")


class Moves:
    """See the module. `asked` is drained by who can send a re-INVITE: leg and port."""

    def __init__(
        self,
        legs: Mapping[str, PlacedLeg],
        edges: Edges,
        spans: Spans,
        *,
        choose: Callable[[PlacedLeg], MediaPlane | None],
        left: Callable[[PlacedLeg, MediaPlane], None],
        failed: Callable[[str, str], None],
    ) -> None:
        """`choose` says where a homeless leg goes now; `left` is told of an old place that is being closed; `failed`
        which leg cannot live on, and why."""
        self._legs = legs
        self._edges = edges
        self._spans = spans
        self._choose = choose
        self._left = left
        self._failed = failed
        self._moves: dict[str, Move] = {}
        self._candidates: dict[PlacedLeg, float] = {}
        self._tries: dict[PlacedLeg, int] = {}
        self._homeless: dict[PlacedLeg, float] = {}
        self._void: set[tuple[str, int]] = set()
        """What peers were asked for that has come to nothing meanwhile."""
        self.asked: list[tuple[str, int]] = []
        self.recorded_at: Callable[[PlacedLeg], Iterable[MediaPlane]] = lambda _: ()
        """Where a leg is recorded; set by the owner."""
        self.seated_at: Callable[[PlacedLeg], MediaPlane | None] = lambda _: None
        """Where the conference is in which a leg sits; set by the owner."""

    def __len__(self) -> int:
        return len(self._moves)

    # --- what happens ---

    def lost(self, leg: PlacedLeg, now: float) -> None:
        """The leg's process is gone; it is to be put up in another."""
        self._moves.pop(leg.name, None)
        leg.homeless = True
        self._homeless[leg] = now + HOMELESS_S
        self.look_for_homes()

    def look_for_homes(self) -> None:
        """A process has come, or a leg was lost."""
        for leg in [*self._homeless]:
            if leg.name not in self._moves and (to := self._choose(leg)) is not None:
                self._begin(leg, to, None)

    def evacuate(self, leg: PlacedLeg) -> None:
        """Move the leg wherever it can live, if it can be moved at all."""
        if leg.name not in self._moves and self._movable(leg) and not any(self.recorded_at(leg)):
            to = self._choose(leg)
            if to is not None and to is not leg.home:
                self._begin(leg, to, leg.home)

    def opened(self, plane: MediaPlane, leg: str, port: int) -> bool:
        """A port was given; whether it was for a leg that moves."""
        move = self._moves.get(leg)
        if move is None or move.to is not plane or move.stage is not Stage.OPENING:
            return False
        self._ask(move, port)
        return True

    def not_opened(self, plane: MediaPlane, leg: str) -> bool:
        """There was no port; whether it was for a leg that moves."""
        move = self._moves.get(leg)
        if move is None or move.to is not plane or move.stage is not Stage.OPENING:
            return False
        del self._moves[leg]
        plane.load.legs -= 1
        self._stay(move, "no port in another media process")
        return True

    def answered(self, name: str, port: int, now: float) -> bool:
        """The peer sends to this port of ours from now on; whether it is one that we have asked it for."""
        if (name, port) in self._void:
            self._void.discard((name, port))
            self._failed(name, "the media process to which it moved was lost")
            return True
        move = self._moves.get(name)
        if move is None or move.stage is not Stage.ASKED or move.port != port:
            return False
        leg = move.leg
        move.stage, move.until = Stage.LISTENING, now + UNHEARD_S
        if move.before is None:
            leg.ears = move.to
        leg.home, leg.homeless = move.to, False
        self._homeless.pop(leg, None)
        self._edges.redraw(leg)
        leg.arrives = True
        if move.before is None:
            self._moves.pop(name, None)
        return True

    def refused(self, name: str, port: int, status: int, now: float) -> bool:
        """The peer does not; whether it is a port that we have asked it for."""
        if (name, port) in self._void:
            self._void.discard((name, port))
            return True
        move = self._moves.get(name)
        if move is None or move.stage is not Stage.ASKED or move.port != port:
            return False
        del self._moves[name]
        self._close(move.leg, move.to)
        tried = self._tries[move.leg] = self._tries.get(move.leg, 0) + 1
        if status == _PENDING and tried < TRIES and move.before is not None:
            self._candidates[move.leg] = now + AGAIN_S
        else:
            self._stay(move, f"the far end refused to be moved ({status})")
            for partner in self._partners(move.leg):
                if not partner.stays:
                    self._candidates.setdefault(partner, now + SETTLED_S)
        return True

    def heard(self, plane: MediaPlane, leg: str) -> None:
        """The first packet came to a port of this leg."""
        move = self._moves.get(leg)
        if move is not None and move.to is plane and move.stage is Stage.LISTENING:
            self._arrive(move)

    def closing(self, leg: PlacedLeg) -> None:
        """The leg is being closed at home; close where it moves to, or came from, as well."""
        self._candidates.pop(leg, None)
        self._homeless.pop(leg, None)
        self._tries.pop(leg, None)
        self._void = {void for void in self._void if void[0] != leg.name}
        move = self._moves.pop(leg.name, None)
        if move is not None:
            other = move.before if move.stage is Stage.LISTENING else move.to
            if other is not None:
                self._close(leg, other)

    def plane_lost(self, plane: MediaPlane) -> None:
        """A process is gone: who was on the way there stays, who came from there is heard where he is."""
        for move in [*self._moves.values()]:
            if move.stage is Stage.LISTENING and move.before is plane:
                self._arrive(move, closed=True)
            elif move.to is plane and move.stage is not Stage.LISTENING:
                del self._moves[move.leg.name]
                if move.stage is Stage.ASKED and move.before is not None:
                    self._void.add((move.leg.name, move.port))

    def bound_for(self, leg: PlacedLeg) -> MediaPlane | None:
        """Where the leg is moving to."""
        move = self._moves.get(leg.name)
        return None if move is None else move.to

    # --- time ---

    def next_deadline(self) -> float | None:
        times = [*self._candidates.values(), *self._homeless.values()]
        times += [move.until for move in self._moves.values() if move.stage is Stage.LISTENING]
        return min(times, default=None)

    def note_crossings(self, now: float) -> None:
        """Legs that have begun to talk to another process are looked at in a moment."""
        for leg in self._edges.crossing:
            if not leg.stays and leg.name not in self._moves:
                self._candidates.setdefault(leg, now + SETTLED_S)
        self._edges.crossing.clear()

    def handle_deadline(self, now: float) -> None:
        for move in [*self._moves.values()]:
            if move.stage is Stage.LISTENING and move.until <= now:
                self._arrive(move)
        for leg in [leg for leg, at in self._candidates.items() if at <= now]:
            if self._candidates.pop(leg, None) is not None:
                self._consider(leg, now)
        for leg in [leg for leg, at in self._homeless.items() if at <= now]:
            del self._homeless[leg]
            if leg.name not in self._moves:
                self._failed(leg.name, "no media process took it in time")

    # --- inside ---

    def _consider(self, leg: PlacedLeg, now: float) -> None:
        """Move the leg, or the one it talks with, if that brings them together."""
        to = self._better(leg)
        if to is None:
            return
        partners = self._partners(leg)
        if any(partner.name in self._moves for partner in (*partners, leg)):
            self._candidates[leg] = now + SETTLED_S
            return
        if len(partners) == 1 and self.seated_at(leg) is None:
            (other,) = partners
            back = self._better(other)
            if back is not None and (back.load.score, back.index) < (to.load.score, to.index):
                leg, to = other, back
                self._candidates.pop(leg, None)
        self._begin(leg, to, leg.home)

    def _better(self, leg: PlacedLeg) -> MediaPlane | None:
        """The one other process in which all live with whom the leg talks, or his conference is; None where it is to
        stay."""
        if not self._movable(leg):
            return None
        if (seated := self.seated_at(leg)) is not None:
            places = {seated}
        else:
            places = {place for partner in self._partners(leg) for place in (partner.home, partner.ears)}
        if len(places) == 1:
            places.update(self.recorded_at(leg))
        if len(places) != 1:
            return None
        (to,) = places
        return to if to is not leg.home and to.takes_legs else None

    def _movable(self, leg: PlacedLeg) -> bool:
        remote = leg.remote
        return not (leg.stays or leg.homeless or leg.closing or remote is None)

    def _partners(self, leg: PlacedLeg) -> set[PlacedLeg]:
        names = {*leg.sources, *leg.sinks} - {leg.name}
        return {found for name in names if (found := self._legs.get(name)) is not None}

    def _begin(self, leg: PlacedLeg, to: MediaPlane, before: MediaPlane | None) -> None:
        move = self._moves[leg.name] = Move(leg, to, before)
        to.load.legs += 1
        port = to.outbox.open(OpenLeg(leg=leg.name, tag=leg.tag), at_once=True)
        if port is not None:
            self._ask(move, port)

    def _ask(self, move: Move, port: int) -> None:
        move.stage, move.port = Stage.ASKED, port
        self.asked.append((move.leg.name, port))

    def _arrive(self, move: Move, *, closed: bool = False) -> None:
        """The peer is heard at the new place; the old one is of no use any more."""
        leg, before = move.leg, move.before
        del self._moves[leg.name]
        self._tries.pop(leg, None)
        leg.ears = leg.home
        self._edges.redraw(leg)
        if before is not None and not closed:
            self._close(leg, before)

    def _stay(self, move: Move, why: str) -> None:
        move.leg.stays = True
        if move.before is None:
            self._homeless.pop(move.leg, None)
            self._failed(move.leg.name, why)

    def _close(self, leg: PlacedLeg, plane: MediaPlane) -> None:
        self._left(leg, plane)
        plane.send(CloseLeg(leg=leg.name))
