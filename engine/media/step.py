"""The pure tick: every 20 ms, what the legs off the pass-through path are sent.

Three kinds are served, each with no more work than it needs: legs that hear a player alone get ready-made payloads;
legs that send digits get telephone-events; the rest is decoded, mixed and encoded, all rows at once. The arrays exist
for those last ones only, laid out anew when somebody's route changes (`dirty`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import CODECS, ENCODE, FRAME, INDEX
from engine.media.jitter import SLOTS
from engine.media.leg import Leg
from engine.media.matrix import Matrix
from engine.media.mixer import Sums, mix, sums
from engine.media.table import Table


@dataclass(slots=True, kw_only=True)
class Group:
    """The sinks of one codec."""

    codec: int
    sums: Sums
    sinks: list[Leg]
    """Those that hear most first."""
    codes: NDArray[np.uint8]
    """What they are sent [sinks, 160]."""
    views: list[memoryview]
    """Each row of `codes`."""


@dataclass(slots=True, kw_only=True)
class Plan:
    """How one tick mixes, until somebody's route changes."""

    sources: list[tuple[int, NDArray[np.intp]]]
    """(codec index, table rows) of the sources, in the order of the PCM array."""
    players: list[tuple[int, Leg]]
    """PCM row of each leg that hears its player."""
    pcm: NDArray[np.int16]
    """Rows: sources, then players, [rows, 160]."""
    groups: list[Group]


@dataclass(slots=True, kw_only=True)
class Ended:
    """What came to an end in a tick: its leg may need another route."""

    played: list[Leg]
    digits: list[Leg]


class Step:
    """Runs the ticks over the legs that `switchboard` put into its lists."""

    def __init__(self, table: Table, matrix: Matrix) -> None:
        self._table = table
        self._matrix = matrix
        self.players: dict[Leg, None] = {}
        self.digits: dict[Leg, None] = {}
        self.mixed: dict[Leg, None] = {}
        self.dirty = True
        self._plan: Plan | None = None

    @property
    def due(self) -> bool:
        """Whether anybody is served by ticks. Packets that are passed on and legs that hear nobody need none."""
        return bool(self.players or self.digits or self.mixed)

    def run(self, tick: int, now: float) -> Ended:
        """Send everything that is due at `tick`. Ticks left out since the last one are skipped, not caught up."""
        skipped = tick - self._table.tick
        self._table.tick = tick
        advance = FRAME * (1 + max(0, skipped))
        ended = Ended(played=[], digits=[])
        for leg in self.players:
            player = leg.player
            payload = player.payload(leg.codec) if player is not None else None
            if payload is None:
                ended.played.append(leg)
            else:
                leg.tx.frame(payload, now, advance)
        for leg in list(self.digits):
            self._digit(leg, now)
            if not leg.digits_out:
                ended.digits.append(leg)
        if self.mixed:
            self._mix(now, advance, skipped, ended)
        else:
            self._plan = None
        self._table.tick = tick + 1
        return ended

    def _digit(self, leg: Leg, now: float) -> None:
        packet = leg.digits_out.tick()
        if packet is not None:
            leg.tx.event(packet.payload, first=packet.first, now=now)

    def _mix(self, now: float, advance: int, skipped: int, ended: Ended) -> None:
        if self.dirty or self._plan is None:
            self._plan = self._lay_out()
            self.dirty = False
        plan = self._plan
        table = self._table
        if skipped > 0:
            table.hush(range(max(table.tick - skipped, table.tick - SLOTS + 1), table.tick))
        table.read(plan.sources, plan.pcm)
        for row, leg in plan.players:
            frame = leg.player.frame() if leg.player is not None else None
            if frame is None:
                plan.pcm[row] = 0
                ended.played.append(leg)
            else:
                plan.pcm[row] = frame
        for group in plan.groups:
            mixed = mix(plan.pcm, group.sums).view(np.uint16)
            np.take(ENCODE[group.codec], mixed, out=group.codes, mode="clip")
            for leg, view in zip(group.sinks, group.views, strict=True):
                leg.tx.frame(view, now, advance)

    def _lay_out(self) -> Plan:
        """Give every source and player a row of PCM, and every sink its edges."""
        table = self._table
        heard = {sink: list(self._matrix.edges(sink)) for sink in self.mixed}
        rows = sorted({edge.source.row for found in heard.values() for edge in found})
        rows.sort(key=table.codec)
        place = {row: at for at, row in enumerate(rows)}
        players = [(len(rows) + at, sink) for at, sink in enumerate(sink for sink in heard if sink.player is not None)]
        inputs = {sink: [(place[edge.source.row], edge.gain_db) for edge in found] for sink, found in heard.items()}
        for row, leg in players:
            inputs[leg].append((row, leg.player.gain_db if leg.player is not None else 0.0))
        codecs = range(len(CODECS))
        return Plan(
            sources=[
                (codec, np.array([row for row in rows if table.codec(row) == codec], np.intp)) for codec in codecs
            ],
            players=players,
            pcm=np.zeros((len(rows) + len(players), FRAME), np.int16),
            groups=[
                _group(codec, {sink: found for sink, found in inputs.items() if INDEX[sink.codec] == codec})
                for codec in codecs
                if any(INDEX[sink.codec] == codec for sink in inputs)
            ],
        )


def _group(codec: int, inputs: dict[Leg, list[tuple[int, float]]]) -> Group:
    sinks = sorted(inputs, key=lambda sink: -len(inputs[sink]))
    codes = np.zeros((len(sinks), FRAME), np.uint8)
    whole = codes.reshape(-1).data
    return Group(
        codec=codec,
        sums=sums([inputs[sink] for sink in sinks]),
        sinks=sinks,
        codes=codes,
        views=[whole[at * FRAME : (at + 1) * FRAME] for at in range(len(sinks))],
    )
