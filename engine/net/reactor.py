"""The parts of Twisted's reactor and transports that `net` uses, as protocols.

Twisted declares them as zope interfaces, which type checkers read wrongly (their methods have no `self`); these say the
same to mypy. The reactor itself is installed by `engine.__main__` and handed down from `engine.app`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory


class Timer(Protocol):
    """A call to come (IDelayedCall)."""

    def active(self) -> bool: ...
    def cancel(self) -> None: ...


class Listener(Protocol):
    """A listening socket (IListeningPort)."""

    def stopListening(self) -> Deferred[None] | None: ...


class Reader(Protocol):
    """Something with a descriptor to read from (IReadDescriptor)."""

    def fileno(self) -> int: ...
    def logPrefix(self) -> str: ...
    def doRead(self) -> None: ...
    def connectionLost(self, reason: Any) -> None: ...


class Reactor(Protocol):
    """IReactorTime, -FDSet, -Socket, -TCP, -UNIX, -FromThreads and -Core of Twisted, as far as we use them."""

    def seconds(self) -> float:
        """The time that `callLater` counts by."""
        ...

    def callLater(self, delay: float, callable: Callable[..., object], *args: object) -> Timer: ...

    def addReader(self, reader: Reader) -> None: ...

    def removeReader(self, reader: Reader) -> None: ...

    def adoptStreamPort(self, fileDescriptor: int, addressFamily: int, factory: Factory) -> Listener: ...

    def callFromThread(self, callable: Callable[..., object], *args: object) -> object: ...

    def callWhenRunning(self, callable: Callable[..., object], *args: object) -> object: ...

    def run(self, installSignalHandlers: bool = True) -> None: ...

    def stop(self) -> None: ...


class End(Protocol):
    """One end of a connection (IPv4Address, IPv6Address)."""

    host: str
    port: int


class StreamTransport(Protocol):
    """An open TCP or Unix connection (ITCPTransport, IConsumer)."""

    connected: bool
    disconnecting: bool
    """Whether it is to be closed as soon as everything is written."""
    transport: StreamTransport
    """Of a TLS connection the TCP connection beneath; others have none."""

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def getHost(self) -> End: ...
    def getPeer(self) -> End: ...
    def getHandle(self) -> Any: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def registerProducer(self, producer: object, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...


def stream_transport(transport: Any) -> StreamTransport:
    """What a Protocol's `transport` is once its connection is made."""
    assert transport is not None
    return cast(StreamTransport, transport)
