"""How loud a leg's peer is, from one packet a second: enough to see a dead microphone, and nothing that a packet of the
fast lane pays for (`Reception.sampling` asks for the next one)."""

from __future__ import annotations

from math import log10
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import DECODE, INDEX, PEAK_0DBM0
from engine.media.commands import Codec
from engine.media.g722 import G722Decoder

SILENT_DBM0: Final = -50.0
"""Nobody speaks, and no room is heard: noise of rooms and lines lies over that."""

SMOOTHING: Final = 0.2
"""Weight of the newest packet: the figure is of the last five seconds or so."""

MAX_OCTETS: Final = 1920
"""60 ms of the widest codec."""

_FULL: Final = PEAK_0DBM0**2 / 2
"""Mean square of a sine at 0 dBm0."""
_FLOOR: Final = 10.0**-9
_SQUARES: Final[NDArray[np.float64]] = DECODE.astype(np.float64) ** 2
"""[codec, code]"""


class Loudness:
    """Of one leg."""

    __slots__ = ("_decoder", "_power", "loud_at")

    def __init__(self) -> None:
        self._power: float | None = None
        self._decoder: G722Decoder | None = None
        self.loud_at = 0.0
        """When a packet was last heard that is not silence; 0 before the first."""

    def hear(self, payload: bytes, codec: Codec, now: float) -> None:
        """Take in one packet. Of an opaque codec nothing is known."""
        power = self._power_of(payload[:MAX_OCTETS], codec)
        if power is None:
            return
        before = self._power
        self._power = power if before is None else before + SMOOTHING * (power - before)
        if power > 10.0 ** (SILENT_DBM0 / 10.0):
            self.loud_at = now

    def _power_of(self, payload: bytes, codec: Codec) -> float | None:
        """Mean square over that of 0 dBm0."""
        index = INDEX.get(codec)
        if index is None or len(payload) < 2:
            return None
        if index < len(DECODE):
            squares = _SQUARES[index].take(np.frombuffer(payload, np.uint8))
            return float(np.add.reduce(squares)) / (len(payload) * _FULL)  # `mean` asks a lot before it adds up
        if codec is Codec.G722:
            # The decoder of a second ago has found its way back after half a packet.
            self._decoder = self._decoder or G722Decoder()
            samples = self._decoder.decode(payload)
            samples = samples[len(samples) // 2 :]
        else:
            samples = np.frombuffer(payload[: len(payload) // 2 * 2], ">i2")
        return float((samples.astype(np.float64) ** 2).mean()) / _FULL

    @property
    def dbm0(self) -> float | None:
        """Of late; None where nothing could be measured, and -90 at the least."""
        return None if self._power is None else round(10.0 * log10(max(self._power, _FLOOR)), 1)
