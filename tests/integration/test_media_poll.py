"""Both pollers on real sockets: the one of Linux and the one for everywhere else."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator

import pytest

from engine.media.io_poll import READ, WRITE, EpollPoller, Poller, SelectorPoller

pytestmark = pytest.mark.integration


@pytest.fixture(params=[pytest.param(SelectorPoller, id="selectors"), pytest.param(EpollPoller, id="epoll")])
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    make: Callable[[], Poller] = request.param
    if make is EpollPoller and not hasattr(select, "epoll"):
        pytest.skip("no epoll on this system")
    made = make()
    yield made
    made.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with one, other:
        yield one, other


def ready(poller: Poller) -> list[int]:
    return [descriptor for descriptor, _ in poller.poll(0.0)]


def test_reports_what_can_be_read_until_it_has_been(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poller.register(one.fileno(), READ)
    assert ready(poller) == []

    other.send(b"1")
    other.send(b"2")
    for _ in range(2):
        assert ready(poller) == [one.fileno()]
        one.recv(10)
    assert ready(poller) == []


def test_reports_what_can_be_written_when_asked(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    one, _ = pair
    poller.register(one.fileno(), READ)
    poller.modify(one.fileno(), READ | WRITE)
    assert ready(poller) == [one.fileno()]
    poller.modify(one.fileno(), READ)
    assert ready(poller) == []


def test_forgets_what_is_unregistered(poller: Poller, pair: tuple[socket.socket, socket.socket]) -> None:
    one, other = pair
    poller.register(one.fileno(), READ)
    other.send(b"1")
    poller.unregister(one.fileno())

    assert ready(poller) == []


def test_on_edge_epoll_tells_of_arrivals_only(pair: tuple[socket.socket, socket.socket]) -> None:
    if not hasattr(select, "epoll"):
        pytest.skip("no epoll on this system")
    one, other = pair
    poller = EpollPoller()
    poller.register(one.fileno(), READ)
    poller.edge(one.fileno())
    other.send(b"1")
    assert ready(poller) == [one.fileno()]
    assert ready(poller) == []
    other.send(b"2")
    assert ready(poller) == [one.fileno()]
    poller.close()
