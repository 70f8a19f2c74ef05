"""Probation: whether packets from an address that was not quite signalled belong together (see `latch`).

A run is one stream as a telephone sends it: `RUN` packets on end with one SSRC, numbers that rise by one, stamps that
rise with them, and arrivals that take about as long as the sound in them. Whoever sends at random, or in a
hurry, has none. Pure; made only for legs that meet such packets, and forgotten when they latch.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from engine.media.leg import Address

RUN: Final = 5
"""Packets. A tenth of a second of sound is lost to who is put on probation."""

CANDIDATES: Final = 4
"""Sources that are watched at a time: the others wait until one of these has been silent for `PATIENCE_S`."""

PATIENCE_S: Final = 1.0
_MAX_STEP_S: Final = 0.2
"""Of sound from one packet to the next."""
_HURRY: Final = 0.5
"""A run may take half as long as its sound, since packets gather on their way."""
_HEAD: Final = struct.Struct("!HII")
_AT_NUMBER: Final = 2


@dataclass(slots=True)
class _Candidate:
    ssrc: int
    seq: int
    stamp: int
    began: float
    sound: int
    """Samples since it began."""
    count: int
    heard_at: float


class Probation:
    """The candidates of one leg."""

    __slots__ = ("_candidates", "_rate")

    def __init__(self, rate: int) -> None:
        """`rate` is that of the stamps."""
        self._rate = rate
        self._candidates: dict[Address, _Candidate] = {}

    def passed(self, source: Address, packet: bytes | bytearray | memoryview, now: float) -> bool:
        """Take in a valid RTP packet from there; whether it completes a run."""
        seq, stamp, ssrc = _HEAD.unpack_from(packet, _AT_NUMBER)
        known = self._candidates.get(source)
        if known is None and not self._room(now):
            return False
        if known is None or not self._follows(known, seq, stamp, ssrc, now):
            self._candidates[source] = _Candidate(ssrc, seq, stamp, now, 0, 1, now)
            return False
        known.sound += stamp - known.stamp & 0xFFFFFFFF
        known.seq, known.stamp, known.heard_at = seq, stamp, now
        known.count += 1
        return known.count >= RUN and now - known.began >= _HURRY * known.sound / self._rate

    def _room(self, now: float) -> bool:
        if len(self._candidates) < CANDIDATES:
            return True
        stale = [source for source, each in self._candidates.items() if now - each.heard_at > PATIENCE_S]
        for source in stale:
            del self._candidates[source]
        return bool(stale)

    def _follows(self, known: _Candidate, seq: int, stamp: int, ssrc: int, now: float) -> bool:
        return (
            ssrc == known.ssrc
            and seq - known.seq & 0xFFFF == 1
            and 0 < stamp - known.stamp & 0xFFFFFFFF <= _MAX_STEP_S * self._rate
            and now - known.heard_at <= PATIENCE_S
        )
