"""Who is to hear what in a tick, and what has changed about it since the last plan.

Bookkeeping between the matrix, which knows legs and gains, and the plan, which knows rows of arrays. Whatever changes
is faded over one frame, so a plan in which something does is good for one tick only (`passing`). Four things change:

- a source comes or goes: its own row is faded, for all who hear it (`Going.fresh`, `Going.sources`);
- a sink comes or goes: all that it hears is faded (`swells`);
- an edge between two who are there: that edge's share (`changes`), or a voice's share in its conference (`was`);
- a player is stopped amid its sound: it plays one frame more (`ending`).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import IntEnum, auto
from typing import Final

from engine.media.leg import Leg
from engine.media.matrix import Conference, Matrix, Route
from engine.media.mixer import Swell, factor
from engine.media.player import Player

ROOM: Final = 4
"""Voices from which on a conference is added up once for all. Fewer are edges like others."""

SHARE: Final = 64
"""Legs that are looked at in one piece of a tick."""

PATIENCE: Final = 25
"""Ticks for which the row of a source that has come is watched for its first sound, to fade that in."""


class Kind(IntEnum):
    """What a row of PCM is, of its leg. A number, whose hash costs nothing."""

    VOICE = auto()
    """What the leg says."""
    PLAYER = auto()
    """What is played to it."""
    OVERLAY = auto()
    """A beep that it hears beside all else."""
    SHOWN = auto()
    """A player that it hears alone, in ready-made payloads, and that is recorded."""
    ENDING = auto()
    """The last frame of what was played to it."""


Key = tuple[Leg, Kind]
Heard = dict[Key, float]
"""What -> gain in dB."""


@dataclass(slots=True, kw_only=True)
class Going:
    """Who comes and goes between two plans."""

    sources: dict[Leg, int] = field(default_factory=dict)
    """Legs that nobody is to hear any more, with the row that they had; it is theirs for one tick."""
    sinks: dict[Leg, None] = field(default_factory=dict)
    """Legs that are to be served in another way after one tick more."""
    fresh: dict[Leg, int] = field(default_factory=dict)
    """Legs whose rows have not sounded yet, and for how many ticks they are watched."""

    def has_row(self, leg: Leg) -> bool:
        return leg.row >= 0 or leg in self.sources

    def row(self, leg: Leg) -> int:
        """The row of the table that a leg has, or had."""
        return leg.row if leg.row >= 0 else self.sources[leg]


@dataclass(slots=True, kw_only=True)
class Hearings:
    """See the module."""

    heard: dict[Leg, Heard]
    """Of every sink, but for the conference that it hears as a room."""
    seats: dict[Leg, Conference]
    """Sinks that hear a conference as a room."""
    voices: dict[Conference, Heard]
    """Who is heard in each conference that is a room to somebody."""
    players: dict[Leg, Player]
    """What is played to sinks besides."""
    changes: dict[Leg, list[tuple[Key, float, float]]] = field(default_factory=dict)
    """(what, factor so far, factor from now on) of edges that are faded."""
    swells: dict[Leg, Swell] = field(default_factory=dict)
    was: dict[tuple[Conference, Key], float] = field(default_factory=dict)
    """Factor so far of voices that are faded in their conference."""
    ending: dict[Leg, Player] = field(default_factory=dict)

    def all_of(self, sink: Leg) -> Heard:
        """What a sink hears, its room's voices among it."""
        seat = self.seats.get(sink)
        if seat is None:
            return self.heard[sink]
        return self.heard[sink] | {key: db for key, db in self.voices[seat].items() if key[0] is not sink}

    def passing(self, going: Going) -> bool:
        """Whether this is so for one tick only."""
        return bool(self.changes or self.swells or self.was or self.ending or going.sources or going.sinks)


def played(leg: Leg) -> Heard:
    """What a leg hears besides its edges."""
    found: Heard = {}
    if leg.player is not None and leg.route in (Route.MIX, Route.PLAYER):
        found[leg, Kind.PLAYER if leg.route is Route.MIX else Kind.SHOWN] = leg.player.gain_db
    if leg.overlay is not None and leg.route is Route.MIX:
        found[leg, Kind.OVERLAY] = leg.overlay.gain_db
    return found


def hearings(
    matrix: Matrix, mixed: dict[Leg, None], going: Going, before: Hearings | None
) -> Generator[None, None, Hearings]:
    """What every sink in `mixed` is to hear, worked out in pieces. `before` is what they heard."""
    found = Hearings(heard={}, seats={}, voices={}, players={})
    for at, sink in enumerate(mixed, 1):
        if at % SHARE == 0:
            yield
        if before is not None and sink in going.sinks and sink in before.heard:
            _keep(found, before, sink, going)
        else:
            _listen(found, matrix, sink)
    if before is not None:
        yield from _compare(found, before, going)
    return found


def _listen(found: Hearings, matrix: Matrix, sink: Leg) -> None:
    heard: Heard = {(edge.source, Kind.VOICE): edge.gain_db for edge in matrix.drawn(sink)}
    conference = matrix.conference(sink)
    if conference is not None:
        voices = found.voices.get(conference)
        if voices is None:
            voices = {(edge.source, Kind.VOICE): edge.gain_db for edge in conference.voices()}
        if len(voices) >= ROOM:
            found.voices[conference] = voices
            found.seats[sink] = conference
            heard = {key: db for key, db in heard.items() if key not in voices}
        else:
            heard |= {key: db for key, db in voices.items() if key[0] is not sink}
    found.heard[sink] = heard | played(sink)
    if sink.player is not None:
        found.players[sink] = sink.player


def _keep(found: Hearings, before: Hearings, sink: Leg, going: Going) -> None:
    """The sink goes: it hears once more what it heard, but for who has been faded out meanwhile."""
    found.heard[sink] = {
        (leg, kind): db for (leg, kind), db in before.all_of(sink).items() if kind is Kind.VOICE and going.has_row(leg)
    }
    found.swells[sink] = Swell(start=1.0, end=0.0)


def _compare_rooms(found: Hearings, before: Hearings, going: Going) -> None:
    for conference, voices in found.voices.items():
        old = before.voices.get(conference)
        if old is None or old == voices:
            continue
        for key in old.keys() - voices.keys():
            if key[0] in going.sources:
                voices[key] = old[key]
            elif key[0].row >= 0:
                voices[key], found.was[conference, key] = -200.0, factor(old[key])
        for key, db in voices.items():
            if db != old.get(key) and key[0] not in going.fresh and (conference, key) not in found.was:
                found.was[conference, key] = factor(old[key]) if key in old else 0.0


def _compare(found: Hearings, before: Hearings, going: Going) -> Generator[None, None, None]:
    _compare_rooms(found, before, going)
    for at, sink in enumerate(found.heard, 1):
        if at % SHARE == 0:
            yield
        if sink in going.sinks:
            continue
        if sink not in before.heard:
            found.swells[sink] = Swell(start=0.0, end=1.0)
        elif found.seats.get(sink) is not before.seats.get(sink):
            _compare_edges(found, sink, before.all_of(sink), found.all_of(sink), going)
        elif found.heard[sink] != before.heard[sink]:
            _compare_edges(found, sink, before.heard[sink], found.heard[sink], going)
        _compare_player(found, before, sink)


def _compare_edges(found: Hearings, sink: Leg, old: Heard, new: Heard, going: Going) -> None:
    changes = []
    for key in old.keys() - new.keys():
        if key[1] is not Kind.VOICE:
            continue
        if key[0] in going.sources:
            found.heard[sink][key] = old[key]
        elif key[0].row >= 0:
            changes.append((key, factor(old[key]), 0.0))
    for key, db in new.items():
        if key[1] is Kind.VOICE and db != old.get(key) and key[0] not in going.fresh:
            changes.append((key, factor(old[key]) if key in old else 0.0, factor(db)))
    if changes:
        found.changes[sink] = changes


def _compare_player(found: Hearings, before: Hearings, sink: Leg) -> None:
    old = before.players.get(sink)
    if old is not None and old is not found.players.get(sink):
        found.ending[sink] = old
        found.heard[sink][sink, Kind.ENDING] = old.gain_db
