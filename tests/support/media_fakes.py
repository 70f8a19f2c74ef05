"""Stand-ins for the sockets and files of the media plane, so that its pure part runs without either."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.errors import Unavailable
from engine.media.codecs import encode
from engine.media.commands import Codec, Command, Connect, Direction, MediaEvent, OpenLeg, SetRemote
from engine.media.latch import target
from engine.media.leg import Leg
from engine.media.prompts import Clip
from engine.media.reception import samples_at
from engine.media.relay import Forwarder
from engine.media.rounds import Rounds
from engine.media.stock import Stock
from engine.media.switchboard import Switchboard
from engine.media.wav import SoundError

HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One RTP packet that a leg sent."""

    marker: bool
    payload_type: int
    seq: int
    stamp: int
    ssrc: int
    payload: bytes


def unpack(packet: bytes | memoryview) -> Sent:
    first, second, seq, stamp, ssrc = HEADER.unpack_from(packet)
    assert first == 0x80
    return Sent(
        marker=bool(second & 0x80),
        payload_type=second & 0x7F,
        seq=seq,
        stamp=stamp,
        ssrc=ssrc,
        payload=bytes(packet[HEADER.size :]),
    )


class FakeWire:
    """`wire.Wire` that keeps what is sent."""

    def __init__(self) -> None:
        self.free = list(range(20002, 20040, 2))
        self.sent: dict[int, list[Sent]] = {}
        """By port."""
        self.rtcp: dict[int, list[bytes]] = {}
        self.unlatched: list[int] = []
        self.closed: list[int] = []
        self.error: OSError | None = None
        """Raised by every send while it is set."""
        self.rebind_fails = False

    def open(self) -> int:
        if not self.free:
            raise Unavailable("no free pair of RTP ports is left in the range")
        return self.free.pop(0)

    def attach(self, leg: Leg) -> None:
        self.sent[leg.port] = []
        self.rtcp[leg.port] = []

    def aim(self, leg: Leg) -> None:
        leg.point(self._sender(leg.port) if target(leg) is not None else None)

    def _sender(self, port: int) -> Callable[[memoryview], int]:
        def send(packet: memoryview) -> int:
            if self.error is not None:
                raise self.error
            self.sent[port].append(unpack(packet))
            return len(packet)

        return send

    def unlatch(self, leg: Leg) -> None:
        if self.rebind_fails:
            raise Unavailable(f"cannot bind port {leg.port} again: taken")
        self.unlatched.append(leg.port)

    def report(self, leg: Leg, packet: bytes) -> None:
        self.rtcp[leg.port].append(packet)

    def close(self, leg: Leg) -> None:
        self.closed.append(leg.port)


class FakeFiles:
    """`wire.Files` over a dict; with `later` set, `deliver` hands out what was asked for."""

    def __init__(self) -> None:
        self.clips: dict[str, Clip] = {}
        self.later = False
        self._asked: list[tuple[str, Callable[[Clip | SoundError], None]]] = []

    def load(self, path: str, done: Callable[[Clip | SoundError], None]) -> None:
        self._asked.append((path, done))
        if not self.later:
            self.deliver()

    def deliver(self) -> None:
        asked, self._asked = self._asked, []
        for path, done in asked:
            done(self.clips.get(path, SoundError("No such file or directory")))


@dataclass(slots=True)
class Speaker:
    """The peer of one leg: numbers and stamps what it says."""

    leg: Leg
    seq: int = 100
    stamp: int = 1_000_000
    ssrc: int = 0x1234
    payload_type: int = 0


@dataclass(slots=True)
class Bench:
    """The whole pure part of a media process on fakes, with a clock that the test turns."""

    wire: FakeWire = field(default_factory=FakeWire)
    files: FakeFiles = field(default_factory=FakeFiles)
    events: list[MediaEvent] = field(default_factory=list)
    now: float = 1000.0
    tick: int = 0
    board: Switchboard = field(init=False)
    forwarder: Forwarder = field(init=False)
    rounds: Rounds = field(init=False)

    def __post_init__(self) -> None:
        numbers = iter(range(7, 10_000, 7))
        self.board = Switchboard(
            files=self.files, draw=lambda bits: next(numbers), cname=b"cname", epoch=1e9, emit=self.events.append
        )
        self.board.wire = self.wire
        self.board.stock = Stock(len(self.wire.free), self.wire.open, self.events.append)
        self.forwarder = Forwarder(self.board.table, pressed=self.board.pressed)
        self.rounds = Rounds(
            self.board,
            wire=self.wire,
            random=lambda: 0.5,
            emit=self.events.append,
            epoch=1e9,
            rtp_timeout_s=10.0,
        )
        self.rounds.told = True

    def do(self, *commands: Command) -> None:
        for command in commands:
            self.board.obey(command, self.now)

    def leg(self, name: str, *, codec: Codec = Codec.PCMU, **changes: object) -> Leg:
        """An open leg with a remote that is latched."""
        self.do(OpenLeg(leg=name, tag=f"tag {name}"))
        leg = self.board.legs[name]
        leg.latched = ("192.0.2.1", 4000)
        self.do(remote(name, codec=codec, **changes))
        return leg

    def bridge(self, one: str, other: str, *, gain_db: float = 0.0) -> None:
        self.do(
            Connect(source=one, sink=other, gain_db=gain_db),
            Connect(source=other, sink=one, gain_db=gain_db),
        )

    def speak(
        self, speaker: Speaker, payload: bytes = b"\x80" * 160, *, marker: bool = False, first: int = 0x80
    ) -> None:
        """One packet arrives at a leg."""
        second = speaker.payload_type | (0x80 if marker else 0)
        packet = HEADER.pack(first, second, speaker.seq & 0xFFFF, speaker.stamp & 0xFFFFFFFF, speaker.ssrc) + payload
        speaker.seq += 1
        speaker.stamp += 160
        self.arrive(speaker.leg, packet)

    def arrive(self, leg: Leg, packet: bytes) -> None:
        self.forwarder.buffer[: len(packet)] = packet
        self.forwarder.receive(leg.rx, len(packet), self.now, samples_at(self.now))

    def pass_tick(self, count: int = 1) -> None:
        """Let so many ticks of 20 ms go by."""
        for _ in range(count):
            self.board.tick_ended(self.board.step.run(self.tick, self.now))
            self.rounds.tick(self.tick, self.now)
            self.tick += 1
            self.now += 0.02

    def heard(self, leg: Leg) -> list[Sent]:
        """Everything that was sent on a leg since the last time."""
        taken = self.wire.sent[leg.port]
        self.wire.sent[leg.port] = []
        return taken

    def told(self) -> list[MediaEvent]:
        """The events since the last time."""
        taken = self.events[:]
        self.events.clear()
        return taken


def remote(leg: str, *, codec: Codec = Codec.PCMU, **changes: object) -> SetRemote:
    values: dict[str, object] = {
        "leg": leg,
        "address": "192.0.2.1",
        "port": 4000,
        "flow_address": "192.0.2.1",
        "codec": codec,
        "payload_type": 0 if codec is Codec.PCMU else 8,
        "dtmf_payload_type": 101,
        "direction": Direction.SENDRECV,
    }
    return SetRemote(**(values | changes))  # type: ignore[arg-type]


def sine_frames(frequency: float, *, frames: int, peak: float, codec: Codec) -> list[bytes]:
    """20 ms payloads of a sine."""
    times = np.arange(frames * 160) / 8000
    samples: NDArray[np.int16] = np.rint(peak * np.sin(2 * np.pi * frequency * times)).astype(np.int16)
    codes = encode(samples, codec).tobytes()
    return [codes[at : at + 160] for at in range(0, len(codes), 160)]
