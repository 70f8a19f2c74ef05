"""What a player plays: a clip shared by all its listeners, and one listener's place in it.

Hold music for a thousand callers costs a thousand `send`s a tick and nothing else: a clip encodes its frames once for
each codec and gain and hands out the same bytes objects to everybody.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FRAME, encode
from engine.media.commands import Codec

_MAX_ENCODINGS: Final = 8
"""Codec and gain combinations that a clip keeps; the oldest goes first."""


class Clip:
    """Sound in whole frames. Immutable but for its cache of encodings."""

    def __init__(self, samples: NDArray[np.int16]) -> None:
        """`samples`: int16 at 8 kHz, any length; the last frame is filled up with silence."""
        padded = np.zeros(max(1, -(-len(samples) // FRAME)) * FRAME, np.int16)
        padded[: len(samples)] = samples
        self.frames = padded.reshape(-1, FRAME)
        """int16 [frames, 160]"""
        self.whole_frames = max(1, len(samples) // FRAME)
        """What a loop repeats: up to 159 samples at the end are left out rather than played with a hole of silence."""
        self._encodings: dict[tuple[Codec, float], list[bytes]] = {}

    @property
    def size(self) -> int:
        """Octets of PCM, for the bound of the cache."""
        return self.frames.nbytes

    def payloads(self, codec: Codec, gain_db: float) -> list[bytes]:
        """Ready-made payloads, one each 20 ms."""
        key = (codec, gain_db)
        found = self._encodings.get(key)
        if found is None:
            if len(self._encodings) >= _MAX_ENCODINGS:
                del self._encodings[next(iter(self._encodings))]
            codes = encode(amplify(self.frames, gain_db), codec)
            raw = codes.tobytes()
            found = self._encodings[key] = [raw[at : at + FRAME] for at in range(0, len(raw), FRAME)]
        return found


def amplify(samples: NDArray[np.int16], gain_db: float) -> NDArray[np.int16]:
    """Samples made louder or softer, clipped at full scale."""
    if gain_db == 0:
        return samples
    louder: NDArray[np.float64] = np.rint(samples * 10 ** (gain_db / 20))
    return louder.clip(-32768, 32767).astype(np.int16)


class Player:
    """One playing on one leg."""

    __slots__ = ("_at", "_codec", "_payloads", "clip", "gain_db", "loop", "name")

    def __init__(self, *, name: str, clip: Clip, loop: bool, gain_db: float) -> None:
        self.name = name
        self.clip = clip
        self.loop = loop
        self.gain_db = gain_db
        self._at = 0
        self._codec: Codec | None = None
        self._payloads: list[bytes] = []

    def payload(self, codec: Codec) -> bytes | None:
        """The next frame, encoded; None at the end."""
        at = self._next()
        if at < 0:
            return None
        if codec is not self._codec:
            self._codec = codec
            self._payloads = self.clip.payloads(codec, self.gain_db)
        return self._payloads[at]

    def frame(self) -> NDArray[np.int16] | None:
        """The next frame as int16 [160], before the gain; None at the end."""
        at = self._next()
        return None if at < 0 else self.clip.frames[at]

    def _next(self) -> int:
        at = self._at
        if at >= (self.clip.whole_frames if self.loop else len(self.clip.frames)):
            if not self.loop:
                return -1
            at = 0
        self._at = at + 1
        return at
