"""A link to a media process, with a child, a kernel and a line that the test holds."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from engine.media.commands import PROTOCOL_VERSION, Command
from engine.media.events import MediaEvent, Welcome
from engine.media.framing import Framer, encode
from engine.net.media_link import MediaLink

PATH = Path("/run/media.sock")


OWN = Path(f"/run/media.v{PROTOCOL_VERSION}.sock")


WELCOME = Welcome(version=PROTOCOL_VERSION, pid=42, port_min=20002, port_max=20010, legs=0)


class Child:
    """A media process that does as it is told, or does not."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.returncode: int | None = None
        self.told: list[str] = []
        self._deaf = deaf

    def poll(self) -> int | None:
        return self.returncode

    def terminate(self) -> None:
        self.told.append("terminate")

    def kill(self) -> None:
        self.told.append("kill")
        self._deaf = False

    def wait(self, timeout: float | None = None) -> int:
        if self._deaf:
            raise subprocess.TimeoutExpired("media", timeout or 0)
        self.told.append("reaped")
        return 0


class Sink:
    def __init__(self) -> None:
        self.events: list[MediaEvent] = []
        self.losses: list[str] = []

    def media_events(self, events: Sequence[MediaEvent]) -> None:
        self.events += events

    def media_lost(self, detail: str) -> None:
        self.losses.append(detail)


class Kernel:
    """A socket's buffer: takes as many octets as it has room for."""

    def __init__(self) -> None:
        self.room = 1 << 20
        self.fault: OSError | None = None
        self.taken = b""

    def send(self, data: bytes) -> int:
        if self.fault is not None:
            raise self.fault
        if not self.room:
            raise BlockingIOError
        part = data[: self.room]
        self.room -= len(part)
        self.taken += part
        return len(part)


class Transport(StringTransport):
    """Keeps what is written to Twisted; what goes past it, to the socket, is the kernel's."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()

    def getHandle(self) -> Kernel:
        return self.kernel


class Line:
    """The media process's end of one connection."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol
        self._framer = Framer()
        self.transport = Transport()
        protocol.makeConnection(self.transport)

    def heard(self) -> list[Command | MediaEvent]:
        """What the link has written since."""
        kernel = self.transport.kernel
        data = kernel.taken + self.transport.value()
        kernel.taken = b""
        self.transport.clear()
        return list(self._framer.feed(data))

    def say(self, *events: MediaEvent) -> None:
        self.raw(b"".join(encode(event) for event in events))

    def raw(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def hang_up(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionDone()))


class Rig:
    def __init__(self, *, spawns: bool = True, deaf: bool = False) -> None:
        self.reactor = MemoryReactorClock()
        self.sink = Sink()
        self.notes: list[str] = []
        self.children: list[Child] = []
        self.spawned_at: list[Path] = []
        self.fault: OSError | None = None
        self._deaf = deaf
        self.link = MediaLink(
            cast(Any, self.reactor),
            path=PATH,
            secret="s3cret",
            spawn=self._spawn if spawns else None,
            note=self.notes.append,
        )
        self.link.start(self.sink)

    def _spawn(self, path: Path) -> subprocess.Popen[bytes]:
        if self.fault is not None:
            raise self.fault
        self.spawned_at.append(path)
        self.children.append(Child(deaf=self._deaf))
        return cast("subprocess.Popen[bytes]", self.children[-1])

    @property
    def tried(self) -> list[str]:
        """Paths of all attempts to connect so far."""
        return [client[0] for client in self.reactor.unixClients]

    def nobody_listens(self) -> None:
        """The last attempt fails."""
        self.reactor.unixClients[-1][1].clientConnectionFailed(None, Failure(ConnectError()))

    def answered(self) -> Line:
        """The last attempt finds somebody."""
        return Line(self.reactor.unixClients[-1][1].buildProtocol(None))

    def welcomed(self) -> Line:
        line = self.answered()
        line.say(WELCOME)
        line.heard()
        return line
