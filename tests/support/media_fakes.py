"""Stand-ins for the sockets and files of the media plane, so that its pure part runs without either."""

from __future__ import annotations

import errno
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.errors import Unavailable
from engine.media.bundle import Fire
from engine.media.codecs import encode
from engine.media.commands import (
    Codec,
    Command,
    Connect,
    Direction,
    OpenLeg,
    SetRemote,
    StartRecording,
    TidyRecordings,
)
from engine.media.events import MediaEvent
from engine.media.latch import target
from engine.media.leg import Leg
from engine.media.prompts import Clip, SoundError
from engine.media.reception import samples_at
from engine.media.relay import Forwarder
from engine.media.rounds import Rounds
from engine.media.stock import Stock
from engine.media.sweep import Sweep
from engine.media.switchboard import Switchboard
from engine.media.vault import master

PAYLOAD_TYPES = {Codec.PCMU: 0, Codec.PCMA: 8, Codec.G722: 9}

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
        self.seconds: dict[str, int] = {}
        """Second ports, by leg."""
        self.error: OSError | None = None
        """Raised by every send while it is set."""
        self.rebind_fails = False
        self.lent: list[int] = []
        """Ports of legs whose packets wait for the tick."""
        self.volleys = 0
        """Bundles that were sent."""

    def open(self) -> int:
        if not self.free:
            raise Unavailable("no free pair of RTP ports is left in the range")
        return self.free.pop(0)

    def attach(self, leg: Leg) -> None:
        self.sent[leg.port] = []
        self.rtcp[leg.port] = []

    def add(self, leg: Leg, port: int) -> None:
        self.seconds[leg.name] = port

    def aim(self, leg: Leg) -> None:
        leg.point(self._sender(leg.port) if target(leg) is not None else None, leg.port)

    def lend(self, leg: Leg) -> int:
        self.lent.append(leg.port)
        return leg.port

    def reclaim(self, leg: Leg) -> None:
        self.lent.remove(leg.port)

    def volley(self, descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        ports = list(descriptors)

        def fire() -> list[tuple[int, int]]:
            if self.error is not None:
                return [(row, self.error.errno or errno.EIO) for row in range(len(ports))]
            self.volleys += 1
            for port, row in zip(ports, packets, strict=True):
                assert port not in self.closed, "its descriptor may be another's by now"
                self.sent[port].append(unpack(row.tobytes()))
            return []

        return fire

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
        self.rtcp.setdefault(leg.port, []).append(packet)

    def close(self, leg: Leg) -> None:
        self.closed.append(leg.port)


class FakeTape:
    """`wire.Tape` that keeps everything."""

    def __init__(self, start: StartRecording, rate: int) -> None:
        self.start = start
        self.rate = rate
        self.chunks: list[bytes] = []
        self.finished = False

    def write(self, sound: bytes) -> None:
        assert not self.finished
        self.chunks.append(sound)

    def finish(self) -> None:
        self.finished = True

    @property
    def sound(self) -> NDArray[np.int16]:
        """int16 [samples, 2]: left, right."""
        return np.frombuffer(b"".join(self.chunks), "<i2").reshape(-1, 2)


class FakeTapes:
    """`wire.Tapes` in memory."""

    def __init__(self) -> None:
        self.tapes: dict[str, FakeTape] = {}
        self.tidied: list[TidyRecordings] = []
        self.failures: dict[str, Callable[[], None]] = {}

    def open(self, start: StartRecording, rate: int, failed: Callable[[], None]) -> FakeTape:
        if start.key is not None:
            master(start.key)
        self.failures[start.recording] = failed
        tape = self.tapes[start.recording] = FakeTape(start, rate)
        return tape

    def tidy(self, command: TidyRecordings) -> None:
        self.tidied.append(command)


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


class FakeScoop:
    """`sweep.Scoop` whose sockets are queues."""

    def __init__(self, packets: NDArray[np.uint8]) -> None:
        self.packets = packets
        self.queues: dict[int, deque[tuple[bytes, float]]] = {}
        """By place: packets, and when they came."""
        self.errors: dict[int, int] = {}
        """An errno that the next read of a place is answered by."""
        self.reads = 0
        """Places read, something there or not."""

    def seat(self, place: int, descriptor: int) -> None:
        self.queues[place] = deque()

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        sizes, heard_at = np.full(len(places), -errno.EAGAIN), np.zeros(len(places))
        for at, place in enumerate(places.tolist()):
            self.reads += 1
            if place in self.errors:
                sizes[at] = -self.errors.pop(place)
            elif self.queues[place]:
                packet, heard_at[at] = self.queues[place].popleft()
                sizes[at] = len(packet)
                self.packets[place, : len(packet)] = np.frombuffer(packet, np.uint8)
        return sizes, heard_at


@dataclass(slots=True)
class Bench:
    """The whole pure part of a media process on fakes, with a clock that the test turns."""

    wire: FakeWire = field(default_factory=FakeWire)
    files: FakeFiles = field(default_factory=FakeFiles)
    tapes: FakeTapes = field(default_factory=FakeTapes)
    events: list[MediaEvent] = field(default_factory=list)
    now: float = 1000.0
    tick: int = 0
    board: Switchboard = field(init=False)
    forwarder: Forwarder = field(init=False)
    rounds: Rounds = field(init=False)
    sweeps: bool = False
    """Packets wait for the tick where they may."""
    sweep: Sweep = field(init=False)
    scoops: list[FakeScoop] = field(default_factory=list)

    def __post_init__(self) -> None:
        numbers = iter(range(7, 10_000, 7))
        self.board = Switchboard(
            files=self.files,
            tapes=self.tapes,
            draw=lambda bits: next(numbers),
            cname=b"cname",
            epoch=1e9,
            emit=self.events.append,
        )
        self.board.wire = self.wire
        self.board.table.epoch = samples_at(self.now)
        self.board.stock = Stock(len(self.wire.free), self.wire.open, self.events.append)
        self.forwarder = Forwarder(self.board.table, pressed=self.board.digits.pressed)
        self.sweep = Sweep(
            self.board.table,
            self.forwarder,
            self.wire,
            scoop=self._scoop if self.sweeps else None,
            clock=lambda: self.now,
        )
        self.rounds = Rounds(
            self.board,
            wire=self.wire,
            sweep=self.sweep,
            random=lambda: 0.5,
            emit=self.events.append,
            epoch=1e9,
            dead_s=10.0,
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

    def _scoop(self, packets: NDArray[np.uint8]) -> FakeScoop:
        self.scoops.append(FakeScoop(packets))
        return self.scoops[-1]

    def arrive(self, leg: Leg, packet: bytes) -> None:
        if leg.rx.seat is not None:
            scoop = next(each for each in self.scoops if each.packets is leg.rx.seat.tray.packets)
            scoop.queues[leg.rx.seat.place].append((packet, self.now))
            return
        self.forwarder.buffer[: len(packet)] = packet
        self.forwarder.receive(leg.rx, len(packet), self.now, samples_at(self.now))

    def pass_tick(self, count: int = 1) -> None:
        """Let so many ticks of 20 ms go by."""
        for _ in range(count):
            for _ in self.sweep.pieces():
                pass
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
        "payload_type": PAYLOAD_TYPES.get(codec, 96),
        "clock_rate": 16000 if codec is Codec.L16_16K else 8000,
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
