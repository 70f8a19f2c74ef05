"""What the kernel does with the sockets that `engine.net.udp` divides a port among."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from engine.errors import ConfigError
from engine.net.listen import Listen
from engine.net.sockets import open_socket
from engine.net.udp import UdpListener
from engine.sip.flow import Flow, Transport
from tests.support.fake_udp import Reactor
from tests.support.ports import PortPool
from tests.support.procs import wait_until

pytestmark = pytest.mark.integration
HOSTS = {"127.0.0.1": ("127.0.0.2", "127.0.0.3"), "::1": ("::1", "::1")}


@pytest.fixture(params=HOSTS)
def listen(request: pytest.FixtureRequest, session_ports: PortPool) -> Listen:
    return Listen(transport=Transport.UDP, address=request.param, port=session_ports.one())


@pytest.fixture
def phones(listen: Listen) -> Iterator[list[socket.socket]]:
    """A trunk and a stranger."""
    with ExitStack() as held:
        family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
        made = [held.enter_context(closing(socket.socket(family, socket.SOCK_DGRAM))) for _ in range(2)]
        for each, host in zip(made, HOSTS[listen.address], strict=True):
            each.bind((host, 0))
        yield made


def test_what_a_trunk_sends_comes_by_its_own_socket(listen: Listen, phones: list[socket.socket]) -> None:
    trunk, stranger = phones
    listener, reactor = UdpListener(listen.local), Reactor()
    heard: list[tuple[bytes, Flow]] = []

    def receive(data: bytes, flow: Flow) -> bool:
        heard.append((data, flow))
        return flow.remote.port == trunk.getsockname()[1]

    def read(*readers: Any, until: int) -> None:
        def all_came() -> bool:
            for reader in readers:
                reader.doRead()
            return len(heard) >= until

        wait_until(all_came, timeout=5, what=f"{until} datagrams; came {heard}")

    listener.receive = receive
    listener.open(reactor, open_socket(listen))  # type: ignore[arg-type]
    try:
        trunk.sendto(b"first", tuple(listen.local))
        read(reactor.readers[0], until=1)
        main, own = reactor.readers
        for number in range(20):
            stranger.sendto(b"flood", tuple(listen.local))
            trunk.sendto(b"%d" % number, tuple(listen.local))
        read(own, until=21)
        assert [data for data, _ in heard[1:]] == [b"%d" % number for number in range(20)]
        read(main, until=41)
        assert [data for data, _ in heard[21:]] == [b"flood"] * 20
        assert len({flow for _, flow in heard}) == 2
        assert listener.send(b"answer", heard[0][1].remote)
        assert trunk.recv(100) == b"answer"
        with pytest.raises(ConfigError, match="Another program has it"):
            open_socket(listen)
    finally:
        listener.stopListening()
    open_socket(listen).close()
