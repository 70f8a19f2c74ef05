"""What the pure part asks of sockets and files; `io_legs` and `io_files` answer, tests put their own in place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.media.bundle import Fire
from engine.media.commands import StartRecording, TidyRecordings
from engine.media.leg import Leg
from engine.media.prompts import Clip, SoundError


class Wire(Protocol):
    """The sockets of legs."""

    def open(self) -> int:
        """Bind a free pair of ports; the even one. Raises Unavailable."""
        ...

    def attach(self, leg: Leg) -> None:
        """Hear and send for this leg on the pair at `leg.port`. What came there before is not heard."""
        ...

    def add(self, leg: Leg, port: int) -> None:
        """Hear this leg also on the pair at `port`, which becomes `leg.port` when it has heard the peer."""
        ...

    def aim(self, leg: Leg) -> None:
        """Point `leg.tx.send` at `latch.target(leg)`, or make it None."""
        ...

    def lend(self, leg: Leg) -> int:
        """Tell no more of what comes to the leg's connected socket, which another reads from now on: its descriptor.
        -1 where it cannot be had now."""
        ...

    def reclaim(self, leg: Leg) -> None:
        """Read this leg's packets on arrival again."""
        ...

    def unlatch(self, leg: Leg) -> None:
        """Forget the peer's address and hear anybody's first packet again. Raises Unavailable; the leg is deaf then."""
        ...

    def report(self, leg: Leg, packet: bytes) -> None:
        """Send RTCP to `latch.rtcp_target(leg)`, if there is one. Never raises."""
        ...

    def volley(self, descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        """What sends row `i` of `packets` [rows, octets], as it is then, by the connected socket `descriptors[i]`, as
        long as all of them are open."""
        ...

    def close(self, leg: Leg) -> None:
        """Close both sockets. Nothing is sent or heard afterwards."""
        ...


class Files(Protocol):
    """Sound files, loaded off the loop."""

    def load(self, path: str, done: Callable[[Clip | SoundError], None]) -> None:
        """Call `done` with the clip or the reason against it: at once when it is known, else from the loop, later."""
        ...


class Tape(Protocol):
    """Where the sound of one recording goes."""

    def write(self, sound: bytes) -> None:
        """Take on more: 16-bit little-endian stereo. Never waits; what a disk does not take is a gap."""
        ...

    def finish(self) -> None:
        """No more follows: give the file its last form, and tell."""
        ...


class Tapes(Protocol):
    """The files of recordings, written off the loop. What becomes of them is told by events."""

    def open(self, start: StartRecording, rate: int, failed: Callable[[], None]) -> Tape:
        """A tape for a recording that begins; `failed` is called from the loop when there can be none (and the event
        was told). Raises VaultError for a key that is none."""
        ...

    def tidy(self, command: TidyRecordings) -> None:
        """Finish what crashed media processes have left running."""
        ...
