"""Streams to which every tick sends a frame: those that can be bundled leave together, each other one by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from engine.media.bundle import Bundle, Volley
from engine.media.codecs import FRAME
from engine.media.transmission import Transmission

PIECE: Final = 64
"""Streams of one piece of the tick, and members of a bundle. Some 0.2 to 0.4 ms of work; and when one goes the others
are bundled anew, which takes some microseconds for each."""


class Fleet:
    """The streams of one list. Which are in it may change from tick to tick."""

    def __init__(self, volley: Volley) -> None:
        self._volley = volley
        self._streams: Sequence[Transmission] = ()
        self._bundles: list[tuple[Bundle, list[int]]] = []
        """With the places of the members among the streams."""
        self._single: list[int] = []

    def send(
        self, streams: Sequence[Transmission], payloads: Sequence[bytes | memoryview], now: float, advance: int = FRAME
    ) -> None:
        """All of `pieces` at once."""
        for _ in self.pieces(streams, payloads, now, advance):
            pass

    def pieces(
        self, streams: Sequence[Transmission], payloads: Sequence[bytes | memoryview], now: float, advance: int = FRAME
    ) -> Iterator[None]:
        """Send each stream its frame, `advance` samples at 8 kHz after the last, some at a time. A `streams` that holds
        others than before must be another object."""
        if streams is not self._streams or self._outdated():
            self._arrange(streams)
        for count, at in enumerate(self._single, 1):
            streams[at].frame(payloads[at], now, advance)
            if count % PIECE == 0:
                yield
        for bundle, places in self._bundles:
            if bundle.broken:  # meanwhile
                for at in places:
                    streams[at].leave()
                    streams[at].frame(payloads[at], now, advance)
                continue
            for row, at in zip(bundle.payloads, places, strict=True):
                row[:] = payloads[at]
            bundle.send(now, advance)
            yield

    def disband(self) -> None:
        """Every stream goes its own way."""
        for bundle, _ in self._bundles:
            bundle.disband()
        self._bundles, self._single, self._streams = [], [], ()

    def _outdated(self) -> bool:
        """Whether somebody left a bundle or could join one."""
        if any(bundle.broken for bundle, _ in self._bundles):
            return True
        return len([at for at in self._single if self._streams[at].bundles]) > 1

    def _arrange(self, streams: Sequence[Transmission]) -> None:
        place = {tx: at for at, tx in enumerate(streams)}
        kept: list[tuple[Bundle, list[int]]] = []
        for bundle, _ in self._bundles:
            if bundle.broken or not all(tx in place for tx in bundle.members) or 2 * len(bundle.members) < PIECE:
                bundle.disband()
            else:
                kept.append((bundle, [place[tx] for tx in bundle.members]))
        bundled = [bundle for bundle, _ in kept]
        for tx in streams:
            if tx.bundle is not None and tx.bundle not in bundled:
                tx.leave()  # another fleet had it
        able = [at for at, tx in enumerate(streams) if tx.bundle is None and tx.bundles]
        shares = [able[at : at + PIECE] for at in range(0, len(able), PIECE)]
        new = [(Bundle([streams[at] for at in share], self._volley), share) for share in shares if len(share) > 1]
        self._streams, self._bundles = streams, kept + new
        self._single = [at for at, tx in enumerate(streams) if tx.bundle is None]
