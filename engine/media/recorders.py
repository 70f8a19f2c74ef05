"""What is recorded: for each recording two channels, which the tick adds up like what legs are sent.

A channel is a sink of the hearing matrix to which no packet goes: what a leg says (its own row), or what a leg hears
(its edges and its player). All channels are added up at once and laid onto a reel.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import RATE, WIDE_RATE
from engine.media.leg import Leg
from engine.media.mixer import Edge, Hears, Mixer, Rooms
from engine.media.reel import Reel
from engine.media.wire import Tape

MAX_SKIPPED: Final = 15_000
"""Ticks (5 min) that are made up for by silence; a machine that slept longer has ended its calls."""

_NO_ROOMS: Final = Rooms(())


class Recorder:
    """One recording. Compared and hashed by identity."""

    __slots__ = ("beep_tick", "began", "hears", "left", "name", "path", "paused", "reel", "right", "row", "tape")

    def __init__(
        self, *, name: str, path: str, left: Leg, right: Leg | None, tape: Tape, reel: Reel, began: float
    ) -> None:
        self.name = name
        self.path = path
        """Of the finished file."""
        self.began = began
        """Monotonic seconds."""
        self.left: Leg | None = left
        """Whose voice is the left channel; None once it is closed."""
        self.right = right
        """Whose voice is the right channel."""
        self.hears = right is None
        """The right channel is what `left` hears."""
        self.tape = tape
        self.reel = reel
        self.row = reel.add(tape)
        self.beep_tick: int | None = None
        """When the next beep is due; None when none is."""
        self.paused = False

    def legs(self) -> Iterator[Leg]:
        """Those that are open."""
        for leg in (self.left, self.right):
            if leg is not None:
                yield leg


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """Something to be recorded in every tick."""

    recorder: Recorder
    side: int
    """0 left, 1 right."""
    leg: Leg
    hears: bool
    """What the leg hears, not what it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taps:
    """How the channels of one reel are taken from the tick's PCM."""

    reel: Reel
    mixer: Mixer
    rows: NDArray[np.intp]
    """Of the reel, by channel."""
    sides: NDArray[np.intp]


class Recorders:
    """Every recording of the process."""

    def __init__(self) -> None:
        self._recorders: dict[str, Recorder] = {}
        self.reels = {rate: Reel(rate) for rate in (RATE, WIDE_RATE)}

    def __bool__(self) -> bool:
        return bool(self._recorders)

    def get(self, name: str) -> Recorder | None:
        return self._recorders.get(name)

    def all(self) -> list[Recorder]:
        return list(self._recorders.values())

    def add(self, recorder: Recorder) -> None:
        self._recorders[recorder.name] = recorder

    def remove(self, recorder: Recorder) -> None:
        """End one: its tape gets what is gathered."""
        del self._recorders[recorder.name]
        recorder.reel.remove(recorder.row)

    def channels(self) -> list[Channel]:
        """All that is to be recorded now."""
        found = []
        for recorder in self._recorders.values():
            if recorder.paused:
                continue
            if recorder.left is not None:
                found.append(Channel(recorder=recorder, side=0, leg=recorder.left, hears=False))
            right = recorder.left if recorder.hears else recorder.right
            if right is not None:
                found.append(Channel(recorder=recorder, side=1, leg=right, hears=recorder.hears))
        return found

    def taps(self, inputs: Mapping[Channel, tuple[Edge, ...]]) -> list[Taps]:
        """Lay out: `inputs` has what is heard on each channel. One without any stays silent."""
        found = []
        for reel in self.reels.values():
            mine = [each for each, heard in inputs.items() if heard and each.recorder.reel is reel]
            if mine:
                mixer = Mixer([Hears(edges=inputs[channel]) for channel in mine], _NO_ROOMS)
                mine = [mine[at] for at in mixer.order]
                found.append(
                    Taps(
                        reel=reel,
                        mixer=mixer,
                        rows=np.array([channel.recorder.row for channel in mine], np.intp),
                        sides=np.array([channel.side for channel in mine], np.intp),
                    )
                )
        return found

    def take(self, taps: list[Taps], pcm: Mapping[int, NDArray[np.int16]], skipped: int) -> None:
        """Record one tick's PCM, by the samples of a frame, after silence for the ticks that were left out before."""
        for reel in self.reels.values():
            for _ in range(min(skipped, MAX_SKIPPED)):
                reel.advance()
            reel.join()
        for each in taps:
            mixed = each.mixer.part(pcm[each.reel.frame], 0, len(each.rows))
            each.reel.lay(mixed, each.rows, each.sides)
        for reel in self.reels.values():
            reel.advance()
