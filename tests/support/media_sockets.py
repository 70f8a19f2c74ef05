"""The sockets of legs on stand-ins for the kernel's, so that latching runs in virtual time, on any address."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import Unavailable
from engine.media.bundle import Fire
from engine.media.events import MediaEvent
from engine.media.io_legs import LegSockets
from engine.media.io_pairs import Pair
from engine.media.leg import Address, Leg
from engine.media.reception import samples_at
from tests.support.media_fakes import HEADER, Bench

_numbers = count(100)


class FakeSocket:
    """A datagram socket whose other end is the test."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.number = next(_numbers)
        self.queue: deque[tuple[bytes, Address]] = deque()
        self.peer: Address | None = None
        self.sent: list[tuple[bytes, Address]] = []
        self.closed = False
        self.unreachable = False
        """What `connect` finds."""
        self.stamped = False
        """The kernel is to say when packets came."""

    def arrive(self, data: bytes, source: Address) -> None:
        """A datagram comes; the kernel of a connected socket drops a stranger's."""
        if not self.closed and self.peer in (None, source):
            self.queue.append((data, source))

    # what the code under test calls

    def fileno(self) -> int:
        return -1 if self.closed else self.number

    def connect(self, address: Address) -> None:
        if self.unreachable:
            raise OSError("Network is unreachable")
        self.peer = address

    def recvfrom(self, size: int) -> tuple[bytes, Address]:
        if not self.queue:
            raise BlockingIOError
        return self.queue.popleft()

    def recvfrom_into(self, buffer: bytearray) -> tuple[int, Address]:
        data, source = self.recvfrom(0)
        data = data[: len(buffer)]
        buffer[: len(data)] = data
        return len(data), source

    def recv_into(self, buffer: bytearray) -> int:
        return self.recvfrom_into(buffer)[0]

    def recv(self, size: int) -> bytes:
        return self.recvfrom(size)[0]

    def send(self, data: Any) -> int:
        assert self.peer is not None
        return self.sendto(data, self.peer)

    def sendto(self, data: Any, address: Address) -> int:
        assert not self.closed
        self.sent.append((bytes(data), address))
        return len(data)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.stamped = True

    def close(self) -> None:
        self.closed = True


class SocketScoop:
    """`sweep.Scoop` over such sockets."""

    def __init__(self, packets: NDArray[np.uint8], made: list[FakeSocket], clock: Callable[[], float]) -> None:
        self._packets = packets
        self._made = made
        self._clock = clock
        self._seats: dict[int, FakeSocket] = {}

    def seat(self, place: int, descriptor: int) -> None:
        self._seats[place] = next(each for each in self._made if each.fileno() == descriptor)
        assert self._seats[place].stamped

    def read(self, places: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        sizes = np.full(len(places), -errno.EAGAIN)
        for at, place in enumerate(places.tolist()):
            assert not self._seats[place].closed, "its descriptor may be another's by now"
            if self._seats[place].queue:
                data, _ = self._seats[place].queue.popleft()
                sizes[at] = len(data)
                self._packets[place, : len(data)] = np.frombuffer(data, np.uint8)
        return sizes, np.full(len(places), self._clock())


class FakePairs:
    """`io_pairs.Pairs`; remembers every socket."""

    def __init__(self) -> None:
        self.made: list[FakeSocket] = []
        self.released: list[int] = []
        self._ports = count(20002, 2)
        self.taken = False
        """Whether no port can be bound."""

    def open(self) -> Pair:
        if self.taken:
            raise Unavailable("no free pair of RTP ports is left in the range")
        port = next(self._ports)
        return Pair(port, self.bound(port), self.bound(port + 1))  # type: ignore[arg-type]

    def bound(self, port: int) -> FakeSocket:
        if self.taken:
            raise OSError(98, "Address already in use")
        self.made.append(FakeSocket(port))
        return self.made[-1]

    def release(self, port: int) -> None:
        self.released.append(port)

    def to_kernel(self, address: Address) -> Address:
        return address


class Watch:
    """A `Poller`: which descriptors are watched."""

    def __init__(self) -> None:
        self.watched: set[int] = set()

    def register(self, fd: int, events: int) -> None:
        assert fd not in self.watched
        assert fd >= 0
        self.watched.add(fd)

    def modify(self, fd: int, events: int) -> None:
        raise AssertionError("nobody here writes")

    def edge(self, fd: int) -> None:
        assert fd in self.watched

    def unregister(self, fd: int) -> None:
        self.watched.remove(fd)

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return []

    def close(self) -> None:
        """Nothing to do."""


@dataclass(slots=True)
class Wired:
    """A `Bench` whose legs have `LegSockets` on such sockets."""

    bench: Bench = field(default_factory=Bench)
    pairs: FakePairs = field(default_factory=FakePairs)
    watch: Watch = field(default_factory=Watch)
    sockets: LegSockets = field(init=False)
    reports: list[str] = field(default_factory=list)
    """Legs that RTCP was heard on."""

    def __post_init__(self) -> None:
        bench = self.bench
        self.sockets = LegSockets(
            poller=self.watch,
            pairs=self.pairs,  # type: ignore[arg-type]
            forwarder=bench.forwarder,
            emit=bench.events.append,
            heard=lambda leg, reports, now: self.reports.append(leg.name),
            volley=self.volley,
        )
        bench.board.wire = self.sockets
        bench.board.stock._bind = self.sockets.open
        bench.rounds._wire = bench.sweep._wire = self.sockets
        if bench.sweeps:
            bench.sweep._scoop = lambda packets: SocketScoop(packets, self.pairs.made, lambda: bench.now)

    def volley(self, descriptors: Sequence[int], packets: NDArray[np.uint8]) -> Fire:
        """As `io_volley.SendRing.volley`, into these sockets."""
        open_ones = {each.number: each for each in self.pairs.made if not each.closed}
        rows = [(open_ones[descriptor], packets[at].data) for at, descriptor in enumerate(descriptors)]

        def fire() -> list[tuple[int, int]]:
            for each, row in rows:
                each.send(row)
            return []

        return fire

    def leg(self, name: str) -> Leg:
        return self.bench.board.legs[name]

    def socket(self, port: int) -> FakeSocket:
        """The socket that is open on this port."""
        return next(each for each in reversed(self.pairs.made) if each.port == port and not each.closed)

    def packet(
        self, port: int, source: Address, data: bytes | None = None, *, seq: int = 1, ssrc: int = 7, kind: int = 0
    ) -> None:
        """A packet comes to this port, and is looked at. Without `data` it is RTP, the stamp going with the number."""
        if data is None:
            data = HEADER.pack(0x80, kind, seq & 0xFFFF, seq * 160 & 0xFFFFFFFF, ssrc) + bytes([0x55]) * 160
        arrived_at = self.socket(port)
        arrived_at.arrive(data, source)
        self._look_at(arrived_at)

    def look(self) -> None:
        """What the loop does: read whatever waits."""
        for each in list(self.pairs.made):
            self._look_at(each)

    def _look_at(self, each: FakeSocket) -> None:
        now, sockets = self.bench.now, self.sockets
        if each.closed or not each.queue or each.number not in self.watch.watched:
            return
        rx = sockets.latched.get(each.number)
        if rx is None:
            sockets.others[each.number](now)
        while rx is not None and each.queue:
            self.bench.forwarder.receive(rx, rx.recv_into(self.bench.forwarder.buffer), now, samples_at(now))

    def sent(self) -> list[tuple[bytes, Address]]:
        """Everything that went out since the last time, from whichever socket."""
        taken = [packet for each in self.pairs.made for packet in each.sent]
        for each in self.pairs.made:
            each.sent.clear()
        return taken

    def told(self, kind: type[MediaEvent]) -> list[Any]:
        return [event for event in self.bench.events if isinstance(event, kind)]
