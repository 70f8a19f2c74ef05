from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.media.bundle import Fire
from engine.media.io_uring import ENTRIES, Uring
from engine.media.io_volley import by_ring, one_by_one

Maker = Callable[[Sequence[int], NDArray[np.uint8]], Fire]


def ring() -> Uring:
    try:
        return Uring()
    except OSError as error:
        pytest.skip(f"this kernel gives us no io_uring: {error}")


@pytest.fixture(params=["ring", "one by one"])
def volley(request: pytest.FixtureRequest) -> Iterator[Maker]:
    """Both ways of sending; they are to do the same."""
    if request.param == "one by one":
        yield one_by_one
        return
    made = ring()
    yield by_ring(made)
    made.close()


class Ends:
    """Pairs of connected sockets."""

    def __init__(self, count: int, stack: ExitStack) -> None:
        def bound() -> socket.socket:
            made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            made.bind(("127.0.0.1", 0))
            made.setblocking(False)
            return made

        self.ours = [bound() for _ in range(count)]
        self.far = [bound() for _ in range(count)]
        for one, other in zip(self.ours, self.far, strict=True):
            one.connect(other.getsockname())

    def descriptors(self) -> list[int]:
        return [each.fileno() for each in self.ours]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def test_every_row_leaves_by_its_own_socket_as_it_is_when_fired(volley: Maker, stack: ExitStack) -> None:
    ends = Ends(5, stack)
    packets = np.zeros((5, 172), np.uint8)
    fire = volley(ends.descriptors(), packets)
    for turn in range(3):
        packets[:] = (np.arange(5) * 10 + turn)[:, np.newaxis]
        assert fire() == []
        for at, far in enumerate(ends.far):
            data, source = far.recvfrom(2048)
            assert (data, source) == (bytes([at * 10 + turn]) * 172, ends.ours[at].getsockname())


def test_a_volley_may_be_larger_than_the_queue_and_begin_anywhere_in_it(volley: Maker, stack: ExitStack) -> None:
    ends = Ends(3, stack)
    for rows in (ENTRIES - 3, 2 * ENTRIES + 7):
        packets = np.zeros((rows, 4), np.uint8)
        packets.view(np.uint32)[:, 0] = np.arange(rows)
        fire = volley([ends.ours[at % 3].fileno() for at in range(rows)], packets)
        assert fire() == []
        for which, far in enumerate(ends.far):
            came = [int.from_bytes(far.recv(16), "little") for _ in range(which, rows, 3)]
            assert came == list(range(which, rows, 3))


def test_rows_of_a_larger_array_leave_without_their_neighbours(volley: Maker, stack: ExitStack) -> None:
    ends = Ends(2, stack)
    whole = np.arange(60, dtype=np.uint8).reshape(2, 30)
    volley(ends.descriptors(), whole[:, 10:20])()
    assert [far.recv(100) for far in ends.far] == [bytes(range(10, 20)), bytes(range(40, 50))]


def test_what_the_kernel_does_not_take_is_told_with_its_row(volley: Maker, stack: ExitStack) -> None:
    ends = Ends(4, stack)
    packets = np.ones((4, 50), np.uint8)
    fire = volley(ends.descriptors(), packets)
    ends.far[2].close()
    assert fire() == [], "nobody has said yet that nobody listens there"
    assert fire() == [(2, errno.ECONNREFUSED)]
    assert [len(ends.far[at].recv(100)) for at in (0, 1, 3)] == [50, 50, 50]
    assert fire() == [], "a refusal is told once, then it is tried again"


def test_failures_do_not_fill_the_queue_that_tells_of_them(volley: Maker, stack: ExitStack) -> None:
    ends = Ends(1, stack)
    there = ends.far[0].getsockname()
    ends.far[0].close()
    packets = np.ones((1, 50), np.uint8)
    fire = volley(ends.descriptors(), packets)
    failures = sum(len(fire()) for _ in range(8 * ENTRIES))
    assert failures == 4 * ENTRIES, "every second one is refused"
    assert ends.ours[0].getpeername() == there


def test_a_full_buffer_is_told_and_does_not_wait(volley: Maker, stack: ExitStack) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    stack.enter_context(near)
    stack.enter_context(far)
    near.setblocking(False)
    packets = np.ones((1, 50), np.uint8)
    fire = volley([near.fileno()], packets)
    found: list[tuple[int, int]] = []
    while not found:
        found = fire()
    assert found == [(0, errno.EAGAIN)]


def test_a_closed_ring_leaves_no_descriptor() -> None:
    first = ring()
    number = first._fd
    first.close()
    second = ring()
    assert second._fd == number
    second.close()
