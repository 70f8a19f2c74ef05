"""One leg: what control has said of it, what it hears and sends. Plain state; sockets hang on it by callables only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.media.commands import Codec, Direction, SetRemote
from engine.media.dtmf import DigitDetector
from engine.media.dtmf_out import DigitSender
from engine.media.health import Health
from engine.media.player import Player
from engine.media.reception import ReceiveInto, Reception
from engine.media.rtcp import RtcpSession
from engine.media.transmission import Send, Transmission

if TYPE_CHECKING:
    from engine.media.matrix import Route
    from engine.media.probation import Probation
    from engine.media.relay import Relay
    from engine.media.srtp import Shield

Address = tuple[str, int]

SENDS = frozenset({Direction.SENDRECV, Direction.SENDONLY})
LISTENS = frozenset({Direction.SENDRECV, Direction.RECVONLY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A leg has fallen silent and control knows it."""

    since: float
    """When it was last heard."""


@dataclass(slots=True)
class Signs:
    """What is known of a peer besides its sound."""

    probation: Probation | None = None
    """Of those who were not quite signalled, while nobody is latched; None where nobody came."""
    reported_from: Address | None = None
    """Where its last RTCP came from."""
    lived_at: float = 0.0
    """When it last gave a sign of life that is no sound: RTCP, or RTP of a number that was not agreed."""
    patience_s: float | None = None
    """How long it may be silent where WatchLeg has said so; None: as long as any leg."""
    stopped_at: float = -1.0
    """When it was heard before the silence that control was told of last."""


class Leg:
    """State of one leg. Compared and hashed by identity."""

    __slots__ = (
        "anchor",
        "codec",
        "comfort_type",
        "digits_in",
        "digits_out",
        "dtmf_type",
        "health",
        "inband",
        "latched",
        "listening",
        "name",
        "opaque",
        "opened_at",
        "overheard",
        "overlay",
        "payload_type",
        "pending",
        "player",
        "port",
        "recorded",
        "relayed_from",
        "relays",
        "remote",
        "route",
        "row",
        "rtcp",
        "rx",
        "shield",
        "signs",
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
        self.signs = Signs()
        self.anchor: SetRemote | None = None
        """The last remote that was more than hold: what `latched` belongs to."""
        self.shield: Shield | None = None
        """What encrypts and authenticates; None on a plain leg."""
        self.codec = Codec.PCMU
        self.opaque = ""
        """What an OPAQUE codec is."""
        self.payload_type = -1
        """Expected of the peer; -1 lets nothing in."""
        self.comfort_type: int | None = None
        """Of comfort noise (RFC 3389), from the peer and to it."""
        self.dtmf_type: int | None = None
        """Of telephone-events, likewise; None lets none in."""
        self.inband = False
        """Its peer's keys are tones in the sound, and ours to be."""
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
        self.pending: Player | None = None
        """What will be played when its first file has been loaded."""
        self.overlay: Player | None = None
        """A beep that is heard beside all else."""
        self.recorded = 0
        """Recordings of what it says."""
        self.overheard = 0
        """Recordings of what it hears."""
        self.digits_in = DigitDetector()
        self.digits_out = DigitSender()
        self.silence: Silence | None = None
        self.health = Health()

    @property
    def coding(self) -> str:
        """The codec's name for people."""
        return self.opaque or self.codec.value

    @property
    def keys_are_tones(self) -> bool:
        """Whether keys are looked for in its sound: always where that was agreed; else where its peer has no
        telephone-event and one would end what it is played."""
        if self.inband:
            return True
        playing = self.pending or self.player
        return self.dtmf_type is None and playing is not None and bool(playing.stop_digits)

    def outlets_changed(self) -> None:
        """`relays`, `row` or something that they depend on is another now: the fast lane's promise is off, and packets
        are dealt with on arrival."""
        self.rx.rise()
        self.rx.shut()

    def dismantle(self) -> None:
        """Closed for good: take the cycle between leg and reception apart, since the garbage collector is kept out of
        the loop."""
        self.player = self.pending = None
        self.rx.out_send = None
        del self.rx.leg

    def point(self, send: Send | None, descriptor: int = -1) -> None:
        """Where this leg's packets go from now on; `descriptor` is that of the connected socket whose `send` it is."""
        self.tx.leave()
        if self.relayed_from is not None:
            self.relayed_from.rx.shut()
        self.tx.send = send if send is None or self.shield is None else self.shield.sending(send)
        self.tx.descriptor = -1 if send is None or self.shield is not None else descriptor

    def hear(self, receive: ReceiveInto) -> None:
        """Whence this leg's packets come from now on."""
        self.rx.rise()
        self.rx.recv_into = receive if self.shield is None else self.shield.receiving(receive)

    def settle(self) -> None:
        """Bring the counters of both directions up to date."""
        self.rx.settle()
        self.tx.settle()
        if self.relayed_from is not None:
            self.relayed_from.rx.settle()
