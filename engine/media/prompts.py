"""What players play: clips, shared by all their listeners.

Hold music for a thousand callers costs a thousand `send`s a tick and nothing else: a clip encodes its frames once for
each codec and gain, some at a time, and hands out the same bytes objects to everybody who hears them at about the same
time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.media.codecs import FORMS, FRAME, WIDE_FRAME, encode
from engine.media.commands import Codec
from engine.media.g722 import G722Encoder
from engine.media.resample import doubled

_MAX_ENCODINGS: Final = 8
"""Codec and gain combinations that a clip keeps; the oldest goes first."""

_SHARE: Final = 50
"""Frames that are encoded at once where a codec has no state."""

_MAX_SHARES: Final = 64
"""Of those, how many are kept: half a megabyte in all; who comes by later has them made again."""

_PRIMING: Final = 10
"""Frames before one that is encoded out of turn, by which a coder gets near the state that the listener's decoder has:
what is left of the difference is heard as a little noise for a twentieth of a second."""

_ROUNDS: Final = 15_000
"""Frames (5 min) of a loop that are encoded one after the other, as many rounds as that are, before the first of them
comes again: only there does the coder's state not go on."""

_MAX_CODED: Final = 20_000
"""Payloads that are kept of a codec with a state: all rounds of a loop of up to a minute and a half."""

_AHEAD: Final = 25
"""Payloads that a listener takes along at once."""

_MAX_CODERS: Final = 64
"""Listeners at places of their own, each with the state that is right for it."""


class SoundError(EngineError):
    """A sound file cannot be played; the message says why, and what to do."""

    code = "media_sound"


class Payloads(Protocol):
    """Ready-made payloads of a clip."""

    def __getitem__(self, at: int, /) -> bytes: ...

    def following(self, at: int, end: int, /) -> Sequence[bytes]:
        """Some of those behind this one, before `end`, that are there already."""
        ...


class Clip:
    """Sound in whole frames. Immutable but for its cache of encodings."""

    def __init__(self, samples: NDArray[np.int16], wide: NDArray[np.int16] | None = None) -> None:
        """`samples`: int16 at 8 kHz, any length; the last frame is filled up with silence. `wide`: the same sound at
        16 kHz; without it, who hears 16 kHz hears the samples at 8 kHz, resampled."""
        frames = max(1, -(-len(samples) // FRAME))
        self._take(
            _framed(samples, frames, FRAME), None if wide is None else _framed(wide, frames, WIDE_FRAME), len(samples)
        )

    @classmethod
    def framed(cls, frames: NDArray[np.int16], wide: NDArray[np.int16], samples: int) -> Self:
        """Sound that is in frames already, int16 [frames, 160] and [frames, 320], wherever it may lie: nothing is
        copied. `samples`: how many there are at 8 kHz, without the silence in the last frame."""
        clip = cls.__new__(cls)
        clip._take(frames, wide, samples)
        return clip

    def _take(self, frames: NDArray[np.int16], wide: NDArray[np.int16] | None, samples: int) -> None:
        self.frames: NDArray[np.int16] = frames
        """int16 [frames, 160]"""
        self._wide: NDArray[np.int16] | None = wide
        self.whole_frames = max(1, samples // FRAME)
        """What a loop repeats: up to 159 samples at the end are left out rather than played with a hole of silence."""
        self._encodings: dict[tuple[Codec, float, bool], Payloads] = {}

    def frame(self, at: int, samples: int) -> NDArray[np.int16]:
        """One frame as int16 [samples]: 160 at 8 kHz or 320 at 16."""
        if samples == WIDE_FRAME and self._wide is None:
            return doubled(self.frames.reshape(-1), at * FRAME)
        frames = self.frames if samples == FRAME or self._wide is None else self._wide
        found: NDArray[np.int16] = frames[at]
        return found

    def payloads(self, codec: Codec, gain_db: float, *, loop: bool = False) -> Payloads:
        """Ready-made payloads, one each 20 ms; those of a loop's rounds begin at `base`."""
        loop = loop and codec is Codec.G722
        key = (codec, gain_db, loop)
        found = self._encodings.get(key)
        if found is None:
            if len(self._encodings) >= _MAX_ENCODINGS:
                del self._encodings[next(iter(self._encodings))]
            found = self._encodings[key] = self._encode(codec, gain_db, loop)
        return found

    def base(self, codec: Codec, turn: int) -> int:
        """Where the payloads of a loop's nth round begin."""
        if codec is not Codec.G722 or not turn:
            return 0
        rounds = -(-_ROUNDS // self.whole_frames)
        return (1 + (turn - 1) % rounds) * self.whole_frames

    def _encode(self, codec: Codec, gain_db: float, loop: bool) -> Payloads:
        if codec is Codec.G722:
            return Coded(self.frames, self._wide, gain_db, self.whole_frames if loop else len(self.frames))
        if FORMS[codec].samples == WIDE_FRAME:
            return Linear(self.frames, self._wide, codec, gain_db)
        return Shares(self.frames, codec, gain_db)


def _framed(samples: NDArray[np.int16], count: int, frame: int) -> NDArray[np.int16]:
    padded = np.zeros(count * frame, np.int16)
    length = min(len(samples), len(padded))
    padded[:length] = samples[:length]
    return padded.reshape(-1, frame)


def _wide_frame(frames: NDArray[np.int16], wide: NDArray[np.int16] | None, at: int) -> NDArray[np.int16]:
    found: NDArray[np.int16] = doubled(frames.reshape(-1), at * FRAME) if wide is None else wide[at]
    return found


class Shares:
    """Payloads of a clip in a codec without a state at 8 kHz, made a second at a time."""

    def __init__(self, frames: NDArray[np.int16], codec: Codec, gain_db: float) -> None:
        self._frames = frames
        self._codec = codec
        self._octets = FORMS[codec].octets
        self._gain_db = gain_db
        self._made: dict[int, list[bytes]] = {}

    def __len__(self) -> int:
        """How many are kept."""
        return sum(map(len, self._made.values()))

    def __getitem__(self, at: int) -> bytes:
        share, place = divmod(at, _SHARE)
        found = self._made.get(share)
        if found is None:
            if len(self._made) >= _MAX_SHARES:
                del self._made[next(iter(self._made))]
            frames = self._frames[share * _SHARE : (share + 1) * _SHARE]
            raw = encode(amplify(frames, self._gain_db), self._codec).tobytes()
            found = [raw[at : at + self._octets] for at in range(0, len(raw), self._octets)]
            self._made[share] = found
        return found[place]

    def following(self, at: int, end: int) -> Sequence[bytes]:
        share, place = divmod(at, _SHARE)
        return self._made[share][place + 1 : end - share * _SHARE]


class Linear:
    """Payloads of a clip in L16 at 16 kHz, made as they are asked for: few ever ask."""

    def __init__(self, frames: NDArray[np.int16], wide: NDArray[np.int16] | None, codec: Codec, gain_db: float) -> None:
        self._frames = frames
        self._wide = wide
        self._codec = codec
        self._gain_db = gain_db

    def __getitem__(self, at: int) -> bytes:
        return encode(amplify(_wide_frame(self._frames, self._wide, at), self._gain_db), self._codec).tobytes()

    def following(self, at: int, end: int) -> Sequence[bytes]:
        return ()


class Coded:
    """Payloads of a clip in G.722, made in order as the first listener comes by, so that nobody waits for a whole file,
    and kept for all others. The coder's state goes on from frame to frame, as the listener's does, also into the next
    round of a loop."""

    def __init__(
        self, frames: NDArray[np.int16], wide: NDArray[np.int16] | None, gain_db: float, round_of: int
    ) -> None:
        """`round_of`: frames after which the sound begins anew."""
        self._frames = frames
        self._wide = wide
        self._gain_db = gain_db
        self._round = round_of
        self._payloads: OrderedDict[int, bytes] = OrderedDict()
        self._coders: dict[int, G722Encoder] = {}
        """By the frame for which each one's state is right."""

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._payloads)

    def __getitem__(self, at: int) -> bytes:
        found = self._payloads.get(at)
        if found is None:
            coder = self._coders.pop(at, None) or self._primed(at)
            found = self._code(coder, at)
            if len(self._payloads) >= _MAX_CODED:
                self._payloads.popitem(last=False)
            if len(self._coders) >= _MAX_CODERS:
                del self._coders[next(iter(self._coders))]
            self._payloads[at], self._coders[at + 1] = found, coder
        return found

    def following(self, at: int, end: int) -> Sequence[bytes]:
        """Where another has been before. A few only: what is far ahead may be dropped, and coded anew, meanwhile."""
        found = []
        for place in range(at + 1, min(at + _AHEAD, end)):
            payload = self._payloads.get(place)
            if payload is None:
                break
            found.append(payload)
        return found

    def _primed(self, at: int) -> G722Encoder:
        coder = G722Encoder()
        for before in range(max(0, at - _PRIMING), at):
            self._code(coder, before)
        return coder

    def _code(self, coder: G722Encoder, at: int) -> bytes:
        return coder.encode(amplify(_wide_frame(self._frames, self._wide, at % self._round), self._gain_db))


def amplify(samples: NDArray[np.int16], gain_db: float) -> NDArray[np.int16]:
    """Samples made louder or softer, clipped at full scale."""
    if gain_db == 0:
        return samples
    louder: NDArray[np.float64] = np.rint(samples * 10 ** (gain_db / 20))
    return louder.clip(-32768, 32767).astype(np.int16)
