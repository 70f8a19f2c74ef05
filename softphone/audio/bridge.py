"""What stands between the SIP stack's clock and everything that makes or takes sound.

The stack asks for one frame to send (`outgoing`) and hands over one frame it received (`incoming`) every 20 ms, on
its own thread. Tone, file and silence are read straight from their source there: one clock, sample for sample. A
sound card has its own clock and is joined through two rings.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from softphone.audio.meter import LevelMeter
from softphone.audio.ring import Ring, Samples
from softphone.audio.sources import Source

FRAME_MS: Final = 20
RECORDED_AHEAD: Final = 500
"""Frames (10 s) that may wait for the disk before the recording loses the oldest ones."""


class Sink(Protocol):
    """Takes what the other side says, on the SIP stack's clock."""

    def write(self, samples: Samples) -> None:
        """Take one block; must not block."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLevels:
    """What passed through the bridge since the last report."""

    rx_dbfs: float
    """Heard from the network."""
    tx_dbfs: float
    """Sent to the network, after mute."""


class AudioBridge:
    """One voice out, one voice in, with mute, level meters and a tap for the recording.

    `outgoing` and `incoming` are called by the SIP stack's audio thread, everything else by the owner thread.
    """

    def __init__(self, *, rate: int, source: Source, sink: Sink | None = None, recorded: bool = False) -> None:
        """`sink` None throws away what is heard; `recorded` keeps it for `take_recorded`."""
        self.rate = rate
        self.frame_samples = rate * FRAME_MS // 1000
        self._source = source
        self._sink = sink
        self._muted = threading.Event()
        self._recording = threading.Event()
        self._rx = LevelMeter()
        self._tx = LevelMeter()
        self._recorded: deque[Samples] | None = deque(maxlen=RECORDED_AHEAD) if recorded else None
        self._silence: Samples = np.zeros(self.frame_samples, dtype=np.int16)

    def outgoing(self) -> Samples:
        """Return the next frame to send; a muted source runs on unheard, so that it resumes in time."""
        samples = self._source.read(self.frame_samples)
        if self._muted.is_set():
            samples = self._silence
        self._tx.add(samples)
        return samples

    def incoming(self, samples: Samples | None) -> None:
        """Take the frame received; None says that nobody is heard at the moment (held, or no call)."""
        block = self._silence if samples is None else samples
        self._rx.add(block)
        if self._sink is not None:
            self._sink.write(block)
        if self._recorded is not None and self._recording.is_set():
            self._recorded.append(block)

    def mute(self, muted: bool) -> None:
        """Send silence instead of the source from the next frame on, or stop doing so."""
        if muted:
            self._muted.set()
        else:
            self._muted.clear()

    def record(self, on: bool) -> None:
        """Keep what is heard from the next frame on, or stop keeping it."""
        if on:
            self._recording.set()
        else:
            self._recording.clear()

    def take_recorded(self) -> list[Samples]:
        """Hand over the recorded frames since the last call, oldest first."""
        frames: list[Samples] = []
        while self._recorded:
            frames.append(self._recorded.popleft())
        return frames

    def take_levels(self) -> AudioLevels:
        """Return both levels since the last call."""
        return AudioLevels(rx_dbfs=self._rx.take_dbfs(), tx_dbfs=self._tx.take_dbfs())


class RingPair:
    """The two rings between the SIP stack's clock and a sound card's."""

    def __init__(self, *, rate: int) -> None:
        self.microphone = Ring(rate=rate)
        """Written by the sound card, read by the bridge."""
        self.speaker = Ring(rate=rate)
        """Written by the bridge, read by the sound card."""

    def clear(self) -> None:
        """Start both at the target fill, as a call begins."""
        self.microphone.clear()
        self.speaker.clear()

    @property
    def fill_ms(self) -> tuple[float, float]:
        """Fill of microphone and speaker ring in ms."""
        return self.microphone.stats().fill_ms, self.speaker.stats().fill_ms

    @property
    def underruns(self) -> int:
        """Reads of either ring that found too little, since start-up."""
        return self.microphone.stats().underruns + self.speaker.stats().underruns

    @property
    def overruns(self) -> int:
        """Writes to either ring that had to drop, since start-up."""
        return self.microphone.stats().overruns + self.speaker.stats().overruns
