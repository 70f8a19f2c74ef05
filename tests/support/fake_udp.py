"""A UDP listener on a socket in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.net.udp import UdpListener
from engine.sip.flow import Address


@dataclass
class End:
    host: str
    port: int


@dataclass
class UdpSocket:
    """Keeps what is sent, or fails as it is told."""

    error: OSError | None = None
    sent: list[tuple[bytes, tuple[str, int]]] = field(default_factory=list)
    options: dict[tuple[int, int], int] = field(default_factory=dict)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def sendto(self, data: bytes, remote: tuple[str, int]) -> int:
        if self.error is not None:
            raise self.error
        self.sent.append((data, remote))
        return len(data)


@dataclass
class UdpPort:
    """What Twisted gives a protocol as its transport."""

    handle: UdpSocket
    host: str = "192.0.2.9"
    port: int = 5080

    def getHost(self) -> End:
        return End(self.host, self.port)

    def getHandle(self) -> UdpSocket:
        return self.handle


def opened(handle: UdpSocket | None = None) -> tuple[UdpListener, UdpSocket]:
    """A listener that stands on 192.0.2.9:5080."""
    listener: Any = UdpListener(Address("192.0.2.9", 5080))
    handle = UdpSocket() if handle is None else handle
    listener.makeConnection(UdpPort(handle))
    return listener, handle
