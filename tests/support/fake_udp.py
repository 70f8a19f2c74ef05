"""A UDP listener on a socket in memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from engine.net.udp import UdpListener
from engine.sip.flow import Address


@dataclass(eq=False)
class UdpSocket:
    """Keeps what is sent, or fails as it is told; what is in `inbox` can be read."""

    error: OSError | None = None
    host: str = "192.0.2.9"
    sent: list[tuple[bytes, tuple[str, int]]] = field(default_factory=list)
    options: dict[tuple[int, int], int] = field(default_factory=dict)
    inbox: deque[tuple[bytes, tuple[Any, ...]]] = field(default_factory=deque)
    closed: bool = False

    def fileno(self) -> int:
        return -1 if self.closed else 7

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.options[level, option] = value

    def sendto(self, data: bytes, remote: tuple[str, int]) -> int:
        if self.error is not None:
            raise self.error
        self.sent.append((data, remote))
        return len(data)

    def recvfrom_into(self, room: memoryview) -> tuple[int, tuple[Any, ...]]:
        if not self.inbox:
            raise BlockingIOError
        data, source = self.inbox.popleft()
        room[: len(data)] = data
        return len(data), source

    def close(self) -> None:
        self.closed = True


class Reactor:
    """Keeps the readers."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.remove(reader)


def opened(handle: UdpSocket | None = None, reactor: Reactor | None = None) -> tuple[UdpListener, UdpSocket]:
    """A listener that stands on 192.0.2.9:5080."""
    listener = UdpListener(Address("192.0.2.9", 5080))
    on: Any = UdpSocket() if handle is None else handle
    by: Any = Reactor() if reactor is None else reactor
    listener.open(by, on)
    return listener, on
