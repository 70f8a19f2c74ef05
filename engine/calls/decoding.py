"""Legs in a codec that nobody here can decode, and the need to: music on hold, a supervisor, another leg without it.

Whoever needs such a leg's sound, or wants to play to it, says so (`need`) and waits; the peer is asked for another
codec by a re-INVITE, and the call is told when it has one (`media_changed`) or will not have one (`undecodable`). Where
one leg cannot leave its codec and the other has left it meanwhile, the other is asked back (`follow`).

What is asked for is sent at the next deadline, which is at once: nobody who wants something played needs to know what
time it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

from engine.calls.events import LocalMedia
from engine.media.commands import Codec

if TYPE_CHECKING:
    from engine.calls.ports import LegPort
    from engine.calls.switchboard import CallLeg


class Asked(Enum):
    """Whether a leg's peer was asked for another codec."""

    NO = auto()
    YES = auto()
    """It has not answered yet."""
    REFUSED = auto()
    """It was, and is not asked again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecRefused:
    """A leg's peer did not take a codec that can be decoded where one was needed; part of `log`."""

    leg: str
    codec: str
    """What the leg has, and keeps."""
    status: int
    """The peer's answer (SIP status)."""
    reason: str


class Decoding:
    """See the module."""

    def __init__(self, legs: LegPort) -> None:
        self._legs = legs
        self._due: list[tuple[CallLeg, LocalMedia]] = []

    def need(self, leg: CallLeg) -> bool:
        """Whether what is to be done with the leg's sound must wait, since it is in a codec that we cannot decode."""
        if leg.remote is None or leg.remote.codec is not Codec.OPAQUE:
            return False
        if leg.decodable is Asked.NO and leg.port is not None:
            leg.decodable = Asked.YES
            self._due.append((leg, LocalMedia(port=leg.port, decoded=True)))
        return True

    def need_all(self, *legs: CallLeg) -> bool:
        """The same of legs that talk to each other: where one cannot, the others keep its codec."""
        wait = [leg for leg in legs if leg.remote is not None and leg.remote.codec is Codec.OPAQUE]
        if not any(leg.decodable is Asked.REFUSED for leg in wait):
            for leg in wait:
                self.need(leg)
        return bool(wait)

    def follow(self, leg: CallLeg, other: CallLeg) -> None:
        """Ask the leg for the codec that the other cannot leave; once."""
        if leg.follows is Asked.NO and leg.port is not None:
            leg.follows = Asked.YES
            self._due.append((leg, LocalMedia(port=leg.port, alike=other.id)))

    @property
    def waits(self) -> bool:
        """Whether there is something to be sent."""
        return bool(self._due)

    def forget(self, leg: CallLeg) -> None:
        """The leg is over."""
        self._due = [due for due in self._due if due[0] is not leg]

    def send(self, now: float) -> None:
        """Send it."""
        due, self._due = self._due, []
        for leg, media in due:
            self._legs.move(leg.id, media, now)


def understand(one: CallLeg, other: CallLeg) -> bool:
    """Whether the sound of two legs can be passed from one to the other, decoded or as it is."""
    a, b = one.remote, other.remote
    if a is None or b is None:
        return True
    if a.codec is not Codec.OPAQUE and b.codec is not Codec.OPAQUE:
        return True
    return (a.codec, a.opaque, a.clock_rate) == (b.codec, b.opaque, b.clock_rate)
