"""Packets that are not one frame of the tick: 10, 30, 40, 50 or 60 ms, and codecs of more than 160 octets a frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from engine.media.codecs import FRAME, Form

_STALE_S: Final = 0.1
"""What began to wait longer ago belongs to a talkspurt that is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """One packet to be sent."""

    payload: bytes
    stamp: int
    at: float
    """Monotonic seconds that its first sample belongs to."""
    marked: bool
    """A talkspurt begins."""


class Cutter:
    """Gathers frames of 20 ms and cuts them into packets of the length that the peer asked for."""

    __slots__ = ("_at", "_held", "_marked", "_octets", "_per_unit", "_stamp", "_tick", "form", "ptime_ms", "units")

    def __init__(self, form: Form, ptime_ms: int) -> None:
        self.form = form
        self.ptime_ms = ptime_ms
        self.units = form.units * ptime_ms // 20
        """Of the RTP clock in a packet."""
        self._tick = form.units
        self._octets = form.octets * ptime_ms // 20
        self._per_unit = form.octets // form.units
        self._held = bytearray()
        self._at = 0.0
        """Monotonic seconds of the first sample that waits."""
        self._stamp = 0
        """Of that sample, or of the next one when none waits."""
        self._marked = False

    def rest(self, now: float) -> Cut | None:
        """What waits when no more follows on it: a shorter packet, unless its time is over."""
        if not self._held:
            return None
        rest = self._cut(len(self._held))
        return rest if now - rest.at < _STALE_S else None

    def begin(self, stamp: int) -> None:
        """A talkspurt begins with this stamp; nothing waits."""
        self._held.clear()
        self._stamp = stamp
        self._marked = True

    def skip(self, samples: int) -> None:
        """So many samples at 8 kHz are left out; nothing waits."""
        self._stamp = self._stamp + samples * self._tick // FRAME & 0xFFFFFFFF

    def add(self, frame: bytes | memoryview, now: float) -> Iterator[Cut]:
        """The packets that are whole with this frame."""
        if not self._held:
            self._at = now
        self._held += frame
        while len(self._held) >= self._octets:
            yield self._cut(self._octets)

    def _cut(self, octets: int) -> Cut:
        cut = Cut(payload=bytes(self._held[:octets]), stamp=self._stamp, at=self._at, marked=self._marked)
        del self._held[:octets]
        units = octets // self._per_unit
        self._stamp = self._stamp + units & 0xFFFFFFFF
        self._at += 0.02 * units / self._tick
        self._marked = False
        return cut
