"""Adding up: what each sink hears, from rows of PCM, for all sinks of one rate at once.

Kinds of sinks, each with no more work than it needs:

- one voice at 0 dB: a copy, bit by bit; where all others hear one voice too, but softer, that times its gain;
- edges: added in layers, then limited (limiter.py). The nth layer is the nth edge of every sink that has so many;
- a room (a conference): all its voices are added once, and each sink hears that sum less its own share, so that a
  conference of n costs n additions and n subtractions, not n * (n - 1). Sums are whole numbers, each edge's share
  rounded by itself: both ways give the same samples.

What changes between two ticks is faded over one frame (`Change`, `Swell`, `Voice.was`), so that nothing clicks: a step
of the gain from 0 to 1 in 160 samples lets a full-scale voice move by 205 of 32768 more than it does anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.limiter import limit

_NOBODY: Final = -1


def factor(gain_db: float) -> float:
    """10 ** (dB / 20)."""
    return float(10 ** (gain_db / 20)) if gain_db else 1.0


def ramp(start: float, end: float, samples: int) -> NDArray[np.float32]:
    """Factors of one frame, in equal steps: the last one is `end`, the one before the first would be `start`."""
    return (start + (end - start) * np.arange(1, samples + 1, dtype=np.float32) / samples).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One thing that a sink hears."""

    row: int
    """Of the PCM array."""
    gain: float = 1.0
    """Factor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """One of those who are heard in a room."""

    row: int
    gain: float = 1.0
    was: float | None = None
    """Factor up to now, where that is another one: faded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One edge's gain is to go from here to there in this frame."""

    row: int
    start: float
    end: float
    """What the edge has now; 0 when it is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swell:
    """All that a sink hears is faded in this frame: it begins, or it ends."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hears:
    """What one sink hears."""

    edges: tuple[Edge, ...] = ()
    room: int = _NOBODY
    """Index of its room."""
    own: int = _NOBODY
    """Its own place among the room's voices."""
    changes: tuple[Change, ...] = ()
    swell: Swell | None = None

    @property
    def copied(self) -> bool:
        return (
            len(self.edges) == 1
            and self.edges[0].gain == 1.0
            and self.room == _NOBODY
            and not self.changes
            and self.swell is None
        )


class Rooms:
    """The sums of all rooms at one rate."""

    def __init__(self, rooms: Sequence[Sequence[Voice]]) -> None:
        """`rooms[room]`: its voices, one at least."""
        voices = [voice for room in rooms for voice in room]
        self._rows = np.array([voice.row for voice in voices], np.intp)
        self._gains = _column([voice.gain for voice in voices])
        self._faded = [(at, voice.was, voice.gain) for at, voice in enumerate(voices) if voice.was is not None]
        sizes = [len(room) for room in rooms]
        self.starts = np.cumsum([0, *sizes])[:-1]
        """Where each room's voices begin in `shares`."""
        self.shares: NDArray[np.int32] = np.zeros((1, 0), np.int32)
        """What each voice gives, and a last row of nothing for who says nothing."""
        self.totals: NDArray[np.int32] = self.shares

    def add_up(self, pcm: NDArray[np.int16]) -> None:
        """Once a tick, before `Mixer.part`. `pcm`: int16 [rows, samples]."""
        if not len(self._rows):
            return
        samples = pcm.shape[1]
        self.shares = np.zeros((len(self._rows) + 1, samples), np.int32)
        voices = pcm[self._rows]
        self.shares[:-1] = voices if self._gains is None else np.rint(voices * self._gains)
        for at, start, end in self._faded:
            self.shares[at] = np.rint(voices[at] * ramp(start, end, samples))
        self.totals = np.add.reduceat(self.shares[:-1], self.starts, axis=0)


class Mixer:
    """The sums of some sinks of one rate. Sinks are put in an order of its own: `order`."""

    def __init__(self, heard: Sequence[Hears], rooms: Rooms) -> None:
        order = sorted(range(len(heard)), key=lambda sink: (heard[sink].copied, -len(heard[sink].edges)))
        self.order = order
        """Output row -> index in `heard`."""
        sinks = [heard[sink] for sink in order]
        self._rooms = rooms
        self._added = sum(not sink.copied for sink in sinks)
        """Those that are not copied; they come first."""
        self._copied = np.array([sink.edges[0].row for sink in sinks[self._added :]], np.intp)
        added = sinks[: self._added]
        self._layers = [_layer(added, depth) for depth in range(len(added[0].edges) if added else 0)]
        placed = [(at, sink) for at, sink in enumerate(added) if sink.room != _NOBODY]
        self._in_room = np.array([at for at, _ in placed], np.intp)
        self._room_of = np.array([sink.room for _, sink in placed], np.intp)
        self._own_of = np.array(
            [_NOBODY if sink.own == _NOBODY else rooms.starts[sink.room] + sink.own for _, sink in placed], np.intp
        )
        self._changes = [(at, change) for at, sink in enumerate(added) for change in sink.changes]
        self._swells = [(at, sink.swell) for at, sink in enumerate(added) if sink.swell is not None]
        self._softened = len(self._layers) == 1 and not placed and not self._changes and not self._swells
        """Each hears one voice, none louder than it is: nothing to add up, and nothing can be too loud."""
        if self._softened:
            gains = self._layers[0][1]
            self._softened = gains is not None and float(gains.max()) <= 1.0

    def part(self, pcm: NDArray[np.int16], begin: int, end: int) -> NDArray[np.int16]:
        """What the sinks `begin` up to `end` hear: int16 [sinks, samples] from int16 [rows, samples]."""
        border = self._added
        if begin >= border:
            return pcm[self._copied[begin - border : end - border]]
        middle = min(end, border)
        added = self._soften(pcm, begin, middle) if self._softened else limit(self._add(pcm, begin, middle))
        if end <= border:
            return added
        return np.concatenate((added, pcm[self._copied[: end - border]]))

    def _soften(self, pcm: NDArray[np.int16], begin: int, end: int) -> NDArray[np.int16]:
        sources, gains = self._layers[0]
        assert gains is not None
        voices: NDArray[np.float32] = pcm[sources[begin:end]] * gains[begin:end]
        np.rint(voices, out=voices)
        return voices.astype(np.int16)

    def _add(self, pcm: NDArray[np.int16], begin: int, end: int) -> NDArray[np.int32]:
        samples = pcm.shape[1]
        total = np.zeros((end - begin, samples), np.int32)
        for sources, gains in self._layers:
            upto = min(end, len(sources))
            if upto <= begin:
                break
            voices = pcm[sources[begin:upto]]
            total[: upto - begin] += voices if gains is None else _rounded(voices * gains[begin:upto])
        first, last = np.searchsorted(self._in_room, (begin, end))
        if first < last:
            rooms = self._rooms
            others = rooms.totals[self._room_of[first:last]] - rooms.shares[self._own_of[first:last]]
            total[self._in_room[first:last] - begin] += others
        for at, change in self._changes:
            if begin <= at < end:
                voice = pcm[change.row]
                faded = np.rint(voice * ramp(change.start, change.end, samples))
                total[at - begin] += (faded - np.rint(voice * np.float32(change.end))).astype(np.int32)
        for at, swell in self._swells:
            if begin <= at < end:
                total[at - begin] = np.rint(total[at - begin] * ramp(swell.start, swell.end, samples))
        return total


def _layer(sinks: Sequence[Hears], depth: int) -> tuple[NDArray[np.intp], NDArray[np.float32] | None]:
    """PCM rows and factors [edges, 1] of the nth edge of every sink that has so many: the first ones."""
    edges = [sink.edges[depth] for sink in sinks if len(sink.edges) > depth]
    return np.array([edge.row for edge in edges], np.intp), _column([edge.gain for edge in edges])


def _column(gains: Sequence[float]) -> NDArray[np.float32] | None:
    """Factors to multiply rows by; None when every one is 1."""
    return None if all(gain == 1.0 for gain in gains) else np.array(gains, np.float32)[:, np.newaxis]


def _rounded(values: NDArray[np.float32]) -> NDArray[np.int32]:
    return np.rint(values).astype(np.int32)
