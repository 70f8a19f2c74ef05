"""Sockets of the kernel on ports of its choice: what Twisted does not set."""

from __future__ import annotations

import socket

import pytest

from engine.errors import ConfigError
from engine.net.listen import Listen
from engine.net.sockets import mark, open_socket
from engine.sip.flow import Transport


@pytest.mark.parametrize(
    ("family", "level", "option"),
    [
        (socket.AF_INET, socket.IPPROTO_IP, socket.IP_TOS),
        (socket.AF_INET6, socket.IPPROTO_IPV6, socket.IPV6_TCLASS),
    ],
    ids=["IPv4", "IPv6"],
)
def test_a_dscp_stands_in_the_upper_six_bits(family: int, level: int, option: int) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as made:
        mark(made, 46)
        assert made.getsockopt(level, option) == 46 << 2


@pytest.mark.parametrize("transport", list(Transport))
def test_a_listener_is_open_and_does_not_block(transport: Transport) -> None:
    with open_socket(Listen(transport=transport, address="127.0.0.1", port=0)) as made:
        assert made.getblocking() is False
        assert bool(made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) is (transport is not Transport.UDP)


def test_ipv6_is_taken_alone() -> None:
    with open_socket(Listen(transport=Transport.UDP, address="::1", port=0)) as made:
        assert made.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"sip: UDP 127.0.0.1:{port} cannot be opened: .*Another program has it"):
            open_socket(Listen(transport=Transport.UDP, address="127.0.0.1", port=port))
