"""A table of the media plane in virtual time: packets with times of arrival in, what is played out."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FORMS, FRAME, INDEX, encode
from engine.media.commands import Codec
from engine.media.g722 import G722Encoder
from engine.media.table import Reading, Table


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Packet:
    """One packet on its way."""

    at: float
    """Arrival, in samples of 8 kHz of our clock."""
    stamp: int = field(compare=False)
    payload: bytes = field(compare=False)
    marker: bool = field(default=False, compare=False)
    ssrc: int = field(default=1, compare=False)


@dataclass(slots=True)
class Rig:
    """One table of one row."""

    codec: Codec = Codec.L16
    table: Table = field(default_factory=Table)
    row: int = field(init=False)
    waiting: list[Packet] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.row = self.table.add(INDEX[self.codec])

    def send(self, *packets: Packet) -> None:
        for packet in packets:
            heapq.heappush(self.waiting, packet)

    def tick(self) -> NDArray[np.int16]:
        """Take in what has come, and play one frame."""
        now = self.table.tick * FRAME
        while self.waiting and self.waiting[0].at <= now:
            packet = heapq.heappop(self.waiting)
            self.table.write(
                self.row,
                packet.stamp & 0xFFFFFFFF,
                packet.ssrc,
                memoryview(packet.payload),
                packet.marker,
                int(packet.at),
            )
        out = np.zeros((1, FORMS[self.codec].samples), np.int16)
        self.table.read([Reading(codec=INDEX[self.codec], rows=np.array([self.row]), out=out)])
        return out[0]

    def play(self, ticks: int) -> NDArray[np.int16]:
        return np.concatenate([self.tick() for _ in range(ticks)])


def payloads(sound: NDArray[np.int16], codec: Codec, *, frames: float = 1) -> list[bytes]:
    """Sound cut into packets of so many frames."""
    form = FORMS[codec]
    octets = G722Encoder().encode(sound) if codec is Codec.G722 else encode(sound, codec).tobytes()
    size = round(form.octets * frames)
    return [octets[at : at + size] for at in range(0, len(octets) - size + 1, size)]


def sine(frequency: float, seconds: float, *, peak: float = 8000, rate: int = 8000) -> NDArray[np.int16]:
    times = np.arange(round(seconds * rate)) / rate
    return np.rint(peak * np.sin(2 * np.pi * frequency * times)).astype(np.int16)


def stream(
    sound: NDArray[np.int16],
    codec: Codec = Codec.L16,
    *,
    first: float = 3.0,
    pace: float = 1.0,
    frames: float = 1,
    stamp: int = 0,
) -> list[Packet]:
    """Packets of a sender whose clock runs `pace` times as fast as ours, the first arriving at `first`."""
    units = round(FORMS[codec].units * frames)
    return [
        Packet(at=first + number * FRAME * frames / pace, stamp=stamp + number * units, payload=payload)
        for number, payload in enumerate(payloads(sound, codec, frames=frames))
    ]
