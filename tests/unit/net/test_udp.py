from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest
from twisted.python import log

from engine.net import udp
from engine.net.udp import UdpListener
from engine.sip.flow import Address, Flow, Transport
from tests.support.fake_udp import Reactor, UdpSocket, opened

PHONE = Address("192.0.2.50", 5062)


TRUNK = ("192.0.2.60", 5060)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock shows."""
    now = [1000.0]
    monkeypatch.setattr(udp, "monotonic", lambda: now[0])
    return now


class Centre:
    """A listener whose sockets are in memory; everything from one host is a trunk's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reactor = Reactor()
        self.listener, self.main = opened(reactor=self.reactor)
        self.listener.receive = self._receive
        self.heard: list[bytes] = []
        self.made: list[tuple[str, int]] = []
        self.none = False
        monkeypatch.setattr(udp, "_connected", self._connected)
        monkeypatch.setattr(udp, "_CAN_DIVIDE", True)

    def _receive(self, data: bytes, flow: Flow) -> bool:
        self.heard.append(data)
        return flow.remote.host == TRUNK[0]

    def _connected(self, listening: Any, source: tuple[str, int]) -> UdpSocket | None:
        assert listening is self.main
        self.made.append(source)
        return None if self.none else UdpSocket()

    def hear(self, data: bytes, source: tuple[Any, ...], reader: int = 0) -> None:
        handle: Any = self.reactor.readers[reader].handle
        handle.inbox.append((data, source))
        self.reactor.readers[reader].doRead()


@pytest.fixture
def centre(monkeypatch: pytest.MonkeyPatch) -> Centre:
    return Centre(monkeypatch)


def read(listener: UdpListener, handle: UdpSocket, data: bytes, source: tuple[Any, ...]) -> list[tuple[bytes, Flow]]:
    """What comes of a datagram."""
    heard: list[tuple[bytes, Flow]] = []
    listener.receive = lambda data, flow: bool(heard.append((data, flow)))
    handle.inbox.append((data, source))
    listener._main.doRead()
    return heard


def test_a_datagram_is_handed_on_with_the_flow_between_both_ends() -> None:
    heard = read(*opened(), b"hello", ("192.0.2.50", 5062))
    assert heard == [(b"hello", Flow(Transport.UDP, Address("192.0.2.9", 5080), PHONE))]


def test_of_an_ipv6_source_host_and_port_count() -> None:
    listener, handle = opened()
    (heard,) = read(listener, handle, b"hello", ("2001:db8::1", 5062, 7, 0))
    assert heard[1].remote == Address("2001:db8::1", 5062)
    assert listener.flow_to(("2001:db8::1", 5062)) is heard[1]


def test_a_link_local_peer_is_passed_over() -> None:
    assert read(*opened(), b"hello", ("fe80::1%eth0", 5060, 0, 2)) == []


def test_the_kernel_is_asked_for_room_for_a_burst() -> None:
    _, handle = opened()
    assert handle.options[socket.SOL_SOCKET, socket.SO_RCVBUF] == 4 << 20


def test_other_sockets_have_their_turn_after_a_while(centre: Centre, clock: list[float]) -> None:
    def slow(data: bytes, flow: Flow) -> bool:
        centre.heard.append(data)
        clock[0] += 0.0015
        return False

    centre.listener.receive = slow
    centre.main.inbox.extend((b"%d" % number, ("192.0.2.50", 5062)) for number in range(5))
    centre.reactor.readers[0].doRead()
    assert centre.heard == [b"0", b"1", b"2"]
    centre.reactor.readers[0].doRead()
    assert len(centre.heard) == 5


def test_a_defect_with_one_datagram_does_not_keep_the_next_from_being_read(centre: Centre) -> None:
    told: list[object] = []
    log.addObserver(told.append)
    try:
        numbers = count()

        def broken(data: bytes, flow: Flow) -> bool:
            assert next(numbers), "the first one"
            return centre._receive(data, flow)

        centre.listener.receive = broken
        centre.main.inbox.extend([(b"1", ("192.0.2.50", 5062)), (b"2", ("192.0.2.50", 5062))])
        centre.reactor.readers[0].doRead()
    finally:
        log.removeObserver(told.append)
    assert centre.heard == [b"2"]
    assert len(told) == 1


def test_a_trunk_has_a_socket_of_its_own_from_its_first_datagram_on(centre: Centre) -> None:
    centre.hear(b"1", ("192.0.2.50", 5062))
    assert centre.made == []
    centre.hear(b"2", TRUNK)
    centre.hear(b"3", TRUNK)
    assert centre.made == [TRUNK]
    centre.hear(b"4", TRUNK, reader=1)
    assert centre.heard == [b"1", b"2", b"3", b"4"]
    assert centre.made == [TRUNK]


def test_where_the_kernel_divides_otherwise_all_share_one_socket(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "_CAN_DIVIDE", False)
    centre.hear(b"2", TRUNK)
    assert centre.made == []
    _, handle = opened()
    assert (socket.SOL_SOCKET, socket.SO_REUSEPORT) not in handle.options


def test_where_the_kernel_gives_no_socket_it_is_asked_again_later(centre: Centre, clock: list[float]) -> None:
    centre.none = True
    centre.hear(b"1", TRUNK)
    centre.hear(b"2", TRUNK)
    assert centre.heard == [b"1", b"2"]
    assert len(centre.made) == len(centre.reactor.readers) == 1
    clock[0] += 61
    centre.none = False
    centre.hear(b"3", TRUNK)
    assert len(centre.reactor.readers) == 2


@pytest.mark.skipif(not udp._CAN_DIVIDE, reason="here no peer has a socket of its own")
def test_with_no_descriptor_left_a_trunk_is_read_with_everybody_else() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening, ExitStack() as restore:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(("127.0.0.1", 0))
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        restore.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        assert udp._connected(listening, ("127.0.0.1", 9)) is None
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        made = udp._connected(listening, ("127.0.0.1", 9))
        assert made is not None
        made.close()


def test_only_a_silent_peer_gives_its_socket_up(
    centre: Centre, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(udp, "_OWN_SOCKETS", 2)
    for port in (1, 2):
        centre.hear(b"x", (TRUNK[0], port))
    first = centre.reactor.readers[1]
    clock[0] += 50
    centre.hear(b"x", (TRUNK[0], 1), reader=1)
    clock[0] += 5
    centre.hear(b"x", (TRUNK[0], 3))
    assert len(centre.made) == 2, "both were heard lately"
    centre.reactor.readers[2].read_at -= 60
    clock[0] += 0.9
    centre.hear(b"x", (TRUNK[0], 3))
    assert len(centre.made) == 2, "not looked for with every datagram"
    clock[0] += 5.1
    silent = centre.reactor.readers[2]
    centre.hear(b"x", (TRUNK[0], 3))
    assert centre.made[2:] == [(TRUNK[0], 3)]
    assert silent.handle.closed
    assert not first.handle.closed
    assert len(centre.reactor.readers) == 3


def test_when_it_stops_every_socket_is_closed(centre: Centre) -> None:
    centre.hear(b"2", TRUNK)
    handles = [reader.handle for reader in centre.reactor.readers]
    centre.listener.stopListening()
    assert [handle.closed for handle in handles] == [True, True]
    assert centre.reactor.readers == []


def test_a_flow_is_made_once_a_peer_and_kept_for_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(udp, "_FLOW_BOUND", 2)
    listener, _ = opened()
    first = listener.flow_to(PHONE)
    assert listener.flow_to(tuple(PHONE)) is first
    listener.flow_to(("192.0.2.51", 1))
    assert listener.flow_to(PHONE) is first
    listener.flow_to(("192.0.2.52", 1))
    assert listener.flow_to(PHONE) is not first
    assert listener.flow_to(PHONE) == first


def test_what_is_sent_goes_to_the_peer() -> None:
    listener, handle = opened()
    assert listener.send(b"x", PHONE)
    assert handle.sent == [(b"x", PHONE)]


@pytest.mark.parametrize(
    ("error", "sent"),
    [(BlockingIOError(), True), (OSError(101, "Network is unreachable"), False), (OSError(90, "too long"), False)],
)
def test_a_full_buffer_is_a_lost_datagram_and_a_refusal_is_a_failure(error: OSError, sent: bool) -> None:
    listener, _handle = opened(UdpSocket(error=error))
    assert listener.send(b"x", PHONE) is sent
