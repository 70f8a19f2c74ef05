"""One playing on one leg: a playlist, and the place in it.

The next item's clip is asked for when one begins, so that it is there when that one is over: not a frame of silence
lies between. Where a disk is slower than that, silence is heard until it comes. What does not fill a frame at the end
of an item is left out, but for the last one's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import length_hint
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME, WIDE_FRAME
from engine.media.commands import Codec
from engine.media.prompts import Clip, Payloads

FRAME_MS: Final = 20

_QUIET: Final = Clip(np.zeros(FRAME, np.int16), np.zeros(WIDE_FRAME, np.int16))
"""A frame of silence."""


_NONE: Final = _QUIET.payloads(Codec.PCMU, 0.0)


class Item:
    """One item of a playlist."""

    __slots__ = ("broken", "clip", "frames")

    def __init__(self, clip: Clip | None, frames: int = 0) -> None:
        self.clip = clip
        """None where it must be loaded (again) before it is played."""
        self.frames = frames
        """To be played of it, over and over; 0: what it has, once."""
        self.broken = False
        """There is none to come: it is left out."""


def silence(frames: int) -> Item:
    """So many frames of silence."""
    return Item(_QUIET, frames)


Wanted = Callable[["Player", int], None]
"""Called with the place of an item that has begun."""


class Player:
    """See the module."""

    __slots__ = (
        "_ahead",
        "_at",
        "_base",
        "_clip",
        "_codec",
        "_end",
        "_payloads",
        "_place",
        "_played",
        "_round",
        "_turn",
        "_waits",
        "gain_db",
        "items",
        "loop",
        "name",
        "ready",
        "stop_digits",
        "wanted",
    )

    def __init__(self, *, name: str, items: Sequence[Item], loop: bool, gain_db: float, stop_digits: str = "") -> None:
        """`items`: at least one."""
        self.name = name
        self.items = items
        self.loop = loop
        self.gain_db = gain_db
        self.stop_digits = stop_digits
        self.wanted: Wanted | None = None
        """Who loads the clips of later items; None: they are all there."""
        self.ready: Iterator[bytes] = iter(())
        """The next payloads, as long as there are any: whoever takes one spares himself `payload`. Not to be used after
        the codec has changed (`settle`)."""
        self._ahead = 0
        """How many there were when it was looked last."""
        self._played = 0
        """Frames until then."""
        self._place = 0
        """Of the item that is played now."""
        self._waits = True
        """That has not begun yet."""
        self._clip: Clip | None = None
        """What is played now; None before the first."""
        self._at = 0
        self._end = 0
        """Frames of this item, or until it is looked whether it has come."""
        self._round = 1
        """Frames after which those of the clip come again."""
        self._turn = 0
        """Times that a clip has begun anew."""
        self._codec: Codec | None = None
        self._payloads: Payloads = _NONE
        self._base = 0
        """Where the payloads of this turn begin."""

    def payload(self, codec: Codec) -> bytes | None:
        """The next frame, encoded; None at the end."""
        clip = self._step()
        if clip is None:
            return None
        if codec is not self._codec:
            self._codec = codec
            self._payloads = clip.payloads(codec, self.gain_db, loop=self._turns)
            self._base = clip.base(codec, self._turn)
        place = (self._at - 1) % self._round
        payload = self._payloads[self._base + place]
        if self._at < self._end <= self._round:
            following = self._payloads.following(self._base + place, self._base + self._end)
            self._ahead, self.ready = len(following), iter(following)
        return payload

    @property
    def played(self) -> int:
        """Frames so far."""
        self._look()
        return self._played

    def settle(self) -> None:
        """Take back what is `ready`: it may be asked for otherwise from now on."""
        self._look()
        if self._ahead:
            self._ahead, self.ready = 0, iter(())

    def _look(self) -> None:
        """See how many have been taken."""
        if self._ahead:
            left = length_hint(self.ready)
            taken, self._ahead = self._ahead - left, left
            self._at += taken
            self._played += taken

    def frame(self, samples: int = FRAME) -> NDArray[np.int16] | None:
        """The next frame as int16 [samples], 160 or 320, before the gain; None at the end."""
        clip = self._step()
        return None if clip is None else clip.frame((self._at - 1) % self._round, samples)

    def shown(self, samples: int = FRAME) -> NDArray[np.int16]:
        """The frame that was given last, in whichever form, as int16 [samples] before the gain."""
        self._look()
        clip = self._clip or _QUIET
        return clip.frame(max(0, self._at - 1) % self._round, samples)

    @property
    def _turns(self) -> bool:
        """Whether one clip is played over and over."""
        return self.loop and len(self.items) == 1

    def _step(self) -> Clip | None:
        """Go to the next frame; its clip."""
        self.settle()
        if self._at >= self._end and not self._go_on():
            return None
        self._at += 1
        self._played += 1
        return self._clip

    def _go_on(self) -> bool:
        """Begin the next item that can be played, or a frame of silence in its stead; False where there is none."""
        self._codec = None
        place = self._place if self._waits else self._place + 1
        for at in range(place, place + len(self.items)):
            if at >= len(self.items) and not self.loop:
                return False
            place = at % len(self.items)
            if not self.items[place].broken:
                self._begin(place)
                return True
        return False

    def _begin(self, place: int) -> None:
        item = self.items[place]
        self._turn = self._turn + 1 if self._turns and self._clip is not None else 0
        self._place, self._at, self._round = place, 0, 1
        self._waits = item.clip is None
        if item.clip is None:
            self._clip, self._end = _QUIET, 1
            return
        self._clip = item.clip
        self._round = item.clip.whole_frames if self._goes_on(place) else len(item.clip.frames)
        self._end = item.frames or self._round
        if self.wanted is not None and len(self.items) > 1:
            self.wanted(self, place)

    def _goes_on(self, place: int) -> bool:
        """Whether something follows this item."""
        return self.loop or place + 1 < len(self.items)
