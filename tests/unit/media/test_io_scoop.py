"""Many sockets read by one call, on real ones."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from engine.media.io_scoop import Scoop, can_scoop, stamped
from engine.media.io_uring import Uring

PLACES = 8


class Ends:
    """A scoop of some places, and who sends to each."""

    def __init__(self, stack: ExitStack) -> None:
        if not can_scoop():
            pytest.skip("not on this machine")
        try:
            ring = Uring()
        except OSError as error:
            pytest.skip(f"this kernel gives us no io_uring: {error}")
        stack.callback(ring.close)
        self.packets = np.zeros((PLACES, 2048), np.uint8)
        self.scoop = Scoop(ring, self.packets)
        self.ours = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(PLACES)]
        self.far = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(PLACES)]
        for place, (one, other) in enumerate(zip(self.ours, self.far, strict=True)):
            one.setblocking(False)
            for each in (one, other):
                each.bind(("127.0.0.1", 0))
            one.connect(other.getsockname())
            other.connect(one.getsockname())
            stamped(one)
            self.scoop.seat(place, one.fileno())

    def read(self, *places: int) -> tuple[list[int], list[float]]:
        sizes, heard_at = self.scoop.read(np.array(places, np.intp))
        return sizes.tolist(), heard_at.tolist()


@pytest.fixture
def ends() -> Iterator[Ends]:
    with ExitStack() as stack:
        yield Ends(stack)


def test_each_place_gets_a_packet_of_its_own_socket_and_none_where_none_is(ends: Ends) -> None:
    for place in (5, 0, 2):
        ends.far[place].send(bytes([place]) * (100 + place))
    sizes, _ = ends.read(0, 1, 2, 5)
    assert sizes == [100, -errno.EAGAIN, 102, 105]
    assert [ends.packets[place, : 100 + place].tobytes() for place in (0, 2, 5)] == [
        bytes([place]) * (100 + place) for place in (0, 2, 5)
    ]
    assert ends.read(0, 2, 5)[0] == [-errno.EAGAIN] * 3


def test_packets_come_in_their_order_and_from_asked_places_alone(ends: Ends) -> None:
    for number in range(3):
        ends.far[3].send(bytes([number]))
        ends.far[4].send(bytes([10 + number]))
    came = []
    for _ in range(3):
        assert ends.read(3)[0] == [1]
        came.append(int(ends.packets[3, 0]))
    assert came == [0, 1, 2]
    assert ends.read(4)[0] == [1]
    assert ends.packets[4, 0] == 10


def test_the_kernel_says_when_a_packet_came(ends: Ends) -> None:
    sent = []
    for place in (0, 1, 2):
        before = time.monotonic()
        ends.far[place].send(b"x" * 172)
        sent.append((before, time.monotonic()))
        time.sleep(0.03)
    _, heard_at = ends.read(0, 1, 2)
    for (before, after), heard in zip(sent, heard_at, strict=True):
        assert before - 0.002 <= heard <= after + 0.002


def test_a_packet_of_another_day_came_just_now(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock was set between its arrival and the reading."""
    wall = time.time()
    for step_s in (-3600.0, 3600.0):
        ends.far[0].send(b"x")
        with monkeypatch.context() as patch:
            patch.setattr(time, "time", lambda step_s=step_s: wall + step_s)
            _, heard_at = ends.read(0)
        assert heard_at[0] == pytest.approx(time.monotonic(), abs=0.5)


def test_what_a_socket_says_is_told_by_its_errno(ends: Ends) -> None:
    ends.far[1].close()
    ends.ours[1].send(b"x")
    ends.far[2].send(b"y")
    assert ends.read(1, 2)[0] == [-errno.ECONNREFUSED, 1]
    assert ends.read(1)[0] == [-errno.EAGAIN]


def test_an_empty_datagram_is_one_and_a_long_one_is_cut(ends: Ends) -> None:
    ends.far[0].send(b"")
    ends.far[1].send(b"z" * 3000)
    ends.far[2].send(b"w" * 10)
    assert ends.read(0, 1, 2)[0] == [0, 2048, 10]
    assert bytes(ends.packets[2, :10]) == b"w" * 10, "its neighbour did not run over into it"
