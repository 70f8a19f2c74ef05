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
from engine.media.mixer import Edges, edges, mix
from engine.media.table import Table

Group = tuple[int, NDArray[np.intp]]


@dataclass(slots=True, kw_only=True)
class Plan:
    """How one tick mixes, until somebody's route changes."""

    sinks: list[Leg]
    """In the order of rows of the mix: all of one codec, then all of the next."""
    bounds: list[tuple[int, int, int]]
    """(codec index, first row, row behind the last) of the sinks."""
    sources: list[Group]
    """(codec index, table rows) of the sources, in the order of the PCM array."""
    players: list[tuple[int, Leg]]
    """PCM row of each leg that hears its player."""
    edges: Edges
    pcm: NDArray[np.int16]
    """Rows: sources, then players, [rows, 160]."""
    codes: NDArray[np.uint8]
    views: list[memoryview]
    """Each row of `codes`."""


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
        self.digits: dict[Leg, int] = {}
        """Leg and the timestamp of the digit under way."""
        self.mixed: dict[Leg, None] = {}
        self.dirty = True
        self._plan: Plan | None = None

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
        self._table.tick = tick + 1
        return ended

    def _digit(self, leg: Leg, now: float) -> None:
        tx = leg.tx
        if leg.digits_out.starts:
            tx.stamp = self.digits[leg] = (tx.stamp + tx.gap(now)) & 0xFFFFFFFF
        packet = leg.digits_out.tick()
        if packet is not None:
            tx.event(packet.payload, first=packet.first, stamp=self.digits[leg], now=now)

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
        mixed = mix(plan.pcm, plan.edges).view(np.uint16)
        for codec, begin, end in plan.bounds:
            np.take(ENCODE[codec], mixed[begin:end], out=plan.codes[begin:end], mode="clip")
        for leg, view in zip(plan.sinks, plan.views, strict=True):
            leg.tx.frame(view, now, advance)

    def _lay_out(self) -> Plan:
        """Give every source and player a row of PCM, and every sink its edges."""
        sinks = sorted(self.mixed, key=lambda leg: INDEX[leg.codec])
        heard = [list(self._matrix.edges(sink)) for sink in sinks]
        rows = sorted(
            {edge.source.row for found in heard for edge in found}, key=lambda row: (self._table.codec(row), row)
        )
        place = {row: at for at, row in enumerate(rows)}
        players = [(len(rows) + at, sink) for at, sink in enumerate(sink for sink in sinks if sink.player is not None)]
        own = {leg: row for row, leg in players}
        inputs = [
            [(place[edge.source.row], edge.gain_db) for edge in found]
            + ([(own[sink], sink.player.gain_db)] if sink.player is not None else [])
            for sink, found in zip(sinks, heard, strict=True)
        ]
        codes = np.zeros((len(sinks), FRAME), np.uint8)
        whole = codes.reshape(-1).data
        return Plan(
            sinks=sinks,
            bounds=_bounds([INDEX[sink.codec] for sink in sinks]),
            sources=[
                (codec, np.array([row for row in rows if self._table.codec(row) == codec], np.intp))
                for codec in range(len(CODECS))
            ],
            players=players,
            edges=edges(inputs),
            pcm=np.zeros((len(rows) + len(players), FRAME), np.int16),
            codes=codes,
            views=[whole[at * FRAME : (at + 1) * FRAME] for at in range(len(sinks))],
        )


def _bounds(codecs: list[int]) -> list[tuple[int, int, int]]:
    """The runs of equal values in a sorted list."""
    return [(codec, codecs.index(codec), codecs.index(codec) + codecs.count(codec)) for codec in sorted(set(codecs))]
