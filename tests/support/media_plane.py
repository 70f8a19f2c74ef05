"""A real media process and the far ends of its legs, for integration tests and benchmarks."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from engine.media.client import MediaConnection, attach
from engine.media.commands import Codec, Command, Direction, ListLegs, OpenLeg, SetRemote
from engine.media.events import LegOpened, Legs, MediaEvent, Welcome
from engine.media.options import PlaneOptions
from tests.support.procs import Process, Processes, wait_until

HEADER = struct.Struct("!BBHII")
SECRET = "of the state directory"
Event = TypeVar("Event", bound=MediaEvent)


class NoSuchEvent(AssertionError):
    """An event that a test waited for did not come."""


class Control:
    """A control process's connection, read and written with waiting."""

    def __init__(self, sock: socket.socket, secret: str = SECRET) -> None:
        self.connection = MediaConnection(secret)
        self.events: list[MediaEvent] = []
        """What came and was not yet taken by `wait`."""
        self.socket = sock
        sock.setblocking(True)
        self.flush()

    def send(self, *commands: Command) -> None:
        for command in commands:
            self.connection.send(command)
        self.flush()

    def settle(self) -> None:
        """Return once every command so far has been carried out."""
        self.send(ListLegs())
        self.wait(Legs)

    def flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            self.socket.sendall(data)

    def wait(
        self, kind: type[Event], *, timeout: float = 10.0, where: Callable[[Event], bool] = lambda _: True
    ) -> Event:
        """The first event of this kind that fits; raises `NoSuchEvent` with what came instead."""
        deadline = time.monotonic() + timeout
        while True:
            for index, event in enumerate(self.events):
                if isinstance(event, kind) and where(event):
                    del self.events[index]
                    return event
            if not self._read(deadline - time.monotonic()):
                raise NoSuchEvent(f"no {kind.__name__} within {timeout:g} s; there were {self.events[-10:]}")

    def collect(self, seconds: float) -> list[MediaEvent]:
        """Everything that comes within so many seconds, and what had come before."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        taken, self.events = self.events, []
        return taken

    def closed(self, *, timeout: float = 3.0) -> bool:
        """Whether the media process closes the connection in time."""
        self.socket.settimeout(timeout)
        try:
            while data := self.socket.recv(65536):
                self.events += self.connection.feed(data)
        except TimeoutError:
            return False
        except ConnectionResetError:
            return True
        return True

    def _read(self, timeout: float) -> bool:
        if timeout <= 0:
            return False
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        self.events += self.connection.feed(data)
        self.flush()
        return bool(data)

    def close(self) -> None:
        self.socket.close()


@dataclass(slots=True, kw_only=True)
class Plane:
    """A running media process."""

    process: Process
    options: PlaneOptions
    connections: list[Control] = field(default_factory=list)
    """Every one that was made, so that those of a test that failed are closed too."""

    def control(self, secret: str = SECRET) -> Control:
        """A new connection in command."""
        control = self.guest(secret)
        control.wait(Welcome)
        return control

    def guest(self, secret: str = SECRET) -> Control:
        """A new connection that has sent a Hello and not waited for the answer."""
        found: list[socket.socket] = []

        def connected() -> bool:
            sock = attach(self.options.socket)
            if sock is not None:
                found.append(sock)
            return sock is not None

        wait_until(connected, timeout=10, what="the media process listens")
        self.connections.append(Control(found[0], secret))
        return self.connections[-1]

    def close(self) -> None:
        """Close all connections; the process goes on."""
        for connection in self.connections:
            connection.close()


def start_plane(procs: Processes, directory: Path, *, port_min: int, port_max: int, **options: object) -> Plane:
    """Start `python -m engine.media.plane` on loopback; further options as in PlaneOptions."""
    secret_file = directory / "media-secret"
    secret_file.write_text(SECRET + "\n")
    chosen = PlaneOptions(
        socket=directory / "media.sock",
        secret_file=secret_file,
        port_min=port_min,
        port_max=port_max,
        bind="127.0.0.1",
        **options,  # type: ignore[arg-type]
    )
    process = procs.start("media", [sys.executable, "-m", "engine.media.plane", *chosen.arguments()])
    return Plane(process=process, options=chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One RTP packet that a far end received."""

    at: float
    marker: bool
    payload_type: int
    seq: int
    stamp: int
    ssrc: int
    payload: bytes


class FarEnd:
    """The peer of one leg: an RTP and an RTCP socket on neighbouring ports."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self.address = address
        self.port = port
        self.rtp = self._bound(port)
        self.rtcp = self._bound(port + 1)
        self.leg_port = 0
        self.seq = 1000
        self.stamp = 50_000
        self.ssrc = 0xABCD0000 + port
        self.payload_type = 0

    def _bound(self, port: int) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((self.address, port))
        return sock

    def speak(self, payload: bytes = b"\x80" * 160, *, payload_type: int | None = None, marker: bool = False) -> None:
        """Send the next packet of the stream."""
        second = (self.payload_type if payload_type is None else payload_type) | (0x80 if marker else 0)
        header = HEADER.pack(0x80, second, self.seq & 0xFFFF, self.stamp & 0xFFFFFFFF, self.ssrc)
        self.rtp.sendto(header + payload, ("127.0.0.1", self.leg_port))
        self.seq += 1
        self.stamp += 160

    def hear(self) -> list[Packet]:
        """Every packet that has come."""
        packets: list[Packet] = []
        while True:
            try:
                data = self.rtp.recv(2048)
            except BlockingIOError:
                return packets
            except ConnectionRefusedError:
                continue
            _, second, seq, stamp, ssrc = HEADER.unpack_from(data)
            packets.append(
                Packet(
                    at=time.monotonic(),
                    marker=bool(second & 0x80),
                    payload_type=second & 0x7F,
                    seq=seq,
                    stamp=stamp,
                    ssrc=ssrc,
                    payload=data[HEADER.size :],
                )
            )

    def hear_until(self, enough: Callable[[list[Packet]], bool], *, timeout: float = 5.0) -> list[Packet]:
        """What comes until it is enough, or the time is over: the test says what was missing."""
        packets: list[Packet] = []
        deadline = time.monotonic() + timeout
        while True:
            packets += self.hear()
            if enough(packets) or time.monotonic() > deadline:
                return packets
            time.sleep(0.01)

    def remote(self, leg: str, **changes: object) -> SetRemote:
        """What control says of this end."""
        values: dict[str, object] = {
            "leg": leg,
            "address": self.address,
            "port": self.port,
            "flow_address": self.address,
            "codec": Codec.PCMU,
            "payload_type": 0,
            "dtmf_payload_type": 101,
            "direction": Direction.SENDRECV,
        }
        return SetRemote(**(values | changes))  # type: ignore[arg-type]

    def close(self) -> None:
        self.rtp.close()
        self.rtcp.close()


def open_leg(control: Control, leg: str, end: FarEnd | None = None, **changes: object) -> int:
    """Open a leg, tell it of its far end, return its port."""
    control.send(OpenLeg(leg=leg, tag=f"tag of {leg}"))
    port = control.wait(LegOpened, where=lambda event: event.leg == leg).port
    if end is not None:
        end.leg_port = port
        control.send(end.remote(leg, **changes))
    return port


def talk(ends: list[FarEnd], *, seconds: float, payload: bytes = b"\x80" * 160) -> dict[FarEnd, list[Packet]]:
    """Let every end send 20 ms packets on time; what each of them hears meanwhile and in the tenth of a second after.

    An end that hears fewer than were sent to each is listened to for longer: a machine that stalls delivers late.
    """
    heard: dict[FarEnd, list[Packet]] = {end: [] for end in ends}
    start = time.monotonic()
    sent = round(seconds / 0.02)
    for index in range(sent):
        time.sleep(max(0.0, start + index * 0.02 - time.monotonic()))
        for end in ends:
            end.speak(payload)
            heard[end] += end.hear()
    deadline = time.monotonic() + 1.0
    while True:
        time.sleep(0.1)
        for end in ends:
            heard[end] += end.hear()
        if time.monotonic() > deadline or not any(0 < len(packets) < sent for packets in heard.values()):
            return heard
