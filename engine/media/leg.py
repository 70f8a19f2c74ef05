"""One leg: what control has said of it, what it hears and sends. Plain state; sockets hang on it by callables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.media.commands import Codec, Direction, Play, SetRemote
from engine.media.dtmf import DigitDetector, DigitSender
from engine.media.prompts import Player
from engine.media.reception import Reception
from engine.media.rtcp import RtcpSession
from engine.media.transmission import Send, Transmission

if TYPE_CHECKING:
    from engine.media.commands import Quality
    from engine.media.matrix import Route
    from engine.media.relay import Relay

Address = tuple[str, int]

SENDS = frozenset({Direction.SENDRECV, Direction.SENDONLY})
LISTENS = frozenset({Direction.SENDRECV, Direction.RECVONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A leg has fallen silent and control knows it."""

    since: float
    """When it was last heard."""


class Leg:
    """State of one leg. Compared and hashed by identity."""

    __slots__ = (
        "anchor",
        "codec",
        "digits_in",
        "digits_out",
        "dtmf_type",
        "latched",
        "listening",
        "looked_at",
        "name",
        "opened_at",
        "payload_type",
        "pending",
        "player",
        "port",
        "quality_at",
        "quality_last",
        "relayed_from",
        "relays",
        "remote",
        "route",
        "row",
        "rtcp",
        "rx",
        "silence",
        "tag",
        "tx",
    )

    def __init__(
        self, *, name: str, tag: str, port: int, tx: Transmission, rtcp: RtcpSession, opened_at: float
    ) -> None:
        self.name = name
        self.tag = tag
        self.port = port
        self.opened_at = opened_at
        self.tx = tx
        self.rx = Reception(self)
        self.rtcp = rtcp
        self.remote: SetRemote | None = None
        self.latched: Address | None = None
        """Where the peer's packets come from, once that is known."""
        self.anchor: SetRemote | None = None
        """The last remote that was more than hold: what `latched` belongs to."""
        self.codec = Codec.PCMU
        self.payload_type = -1
        """Expected of the peer; -1 lets nothing in."""
        self.dtmf_type: int | None = None
        self.listening = False
        """The direction lets us receive."""
        self.route: Route | None = None
        self.relays: list[Relay] = []
        """The pass-throughs of this leg's sound."""
        self.relayed_from: Leg | None = None
        """Whose sound passes through to this leg."""
        self.row = -1
        """Row in the table while the mixer listens to this leg."""
        self.player: Player | None = None
        self.pending: Play | None = None
        """What will be played when its file has been loaded."""
        self.digits_in = DigitDetector()
        self.digits_out = DigitSender()
        self.silence: Silence | None = None
        self.quality_last: Quality | None = None
        self.quality_at = 0.0
        """When `quality_last` was told."""
        self.looked_at = 0.0
        """When it was last asked whether there is news."""

    def outlets_changed(self) -> None:
        """`relays`, `row` or something that they depend on is another now: the fast lane's promise is off."""
        self.rx.shut()

    def dismantle(self) -> None:
        """Closed for good: take the cycle between leg and reception apart, since the garbage collector is kept out of
        the loop."""
        del self.rx.leg

    def point(self, send: Send | None) -> None:
        """Where this leg's packets go from now on."""
        if self.relayed_from is not None:
            self.relayed_from.rx.shut()
        self.tx.send = send

    def settle(self) -> None:
        """Bring the counters of both directions up to date."""
        self.rx.settle()
        if self.relayed_from is not None:
            self.relayed_from.rx.settle()
