"""What the pure part asks of sockets and files; `io_legs` and `io_files` answer, tests put their own in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from engine.media.leg import Leg
from engine.media.prompts import Clip
from engine.media.wav import SoundError


class Wire(Protocol):
    """The sockets of legs."""

    def open(self) -> int:
        """Bind a free pair of ports; the even one. Raises Unavailable."""
        ...

    def attach(self, leg: Leg) -> None:
        """Hear and send for this leg on the pair at `leg.port`. What came there before is not heard."""
        ...

    def aim(self, leg: Leg) -> None:
        """Point `leg.tx.send` at `latch.target(leg)`, or make it None."""
        ...

    def unlatch(self, leg: Leg) -> None:
        """Forget the peer's address and hear anybody's first packet again. Raises Unavailable; the leg is deaf then."""
        ...

    def report(self, leg: Leg, packet: bytes) -> None:
        """Send RTCP to `latch.rtcp_target(leg)`, if there is one. Never raises."""
        ...

    def close(self, leg: Leg) -> None:
        """Close both sockets. Nothing is sent or heard afterwards."""
        ...


class Files(Protocol):
    """Sound files, loaded off the loop."""

    def load(self, path: str, done: Callable[[Clip | SoundError], None]) -> None:
        """Call `done` with the clip or the reason against it: at once when it is known, else from the loop, later."""
        ...
