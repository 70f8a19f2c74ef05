from __future__ import annotations

import pytest

from engine.net import addresses
from engine.net.addresses import LocalAddresses
from engine.sip.flow import Address, Flow, Transport


def flow(local: str, remote: str = "127.0.0.1", *, port: int = 5080) -> Flow:
    return Flow(Transport.UDP, Address(local, port), Address(remote, 5060))


def test_what_the_operator_says_goes_before_all_else() -> None:
    told = LocalAddresses(port=5080, advertise="203.0.113.5")
    assert told.host_for(flow("0.0.0.0")) == "203.0.113.5"
    assert told.host_for(flow("192.0.2.1")) == "203.0.113.5"


def test_a_socket_that_is_bound_to_one_address_has_that() -> None:
    assert LocalAddresses(port=5080).host_for(flow("192.0.2.1")) == "192.0.2.1"


def test_a_socket_on_all_addresses_has_the_one_that_the_kernel_would_take() -> None:
    local = LocalAddresses(port=5080)
    assert local.host_for(flow("0.0.0.0", "127.0.0.1")) == "127.0.0.1"
    assert local.host_for(flow("::", "::1")) == "::1"


def test_without_a_route_it_is_the_loopback_address() -> None:
    local = LocalAddresses(port=5080)
    assert local.host_for(flow("0.0.0.0", "255.255.255.255")) == "127.0.0.1"
    assert local.host_for(flow("::", "2001:db8::1%none")) == "::1"


def test_the_kernel_is_asked_once_a_peer_and_remembered_for_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def route(host: str) -> str:
        asked.append(host)
        return f"to-{host}"

    monkeypatch.setattr(addresses, "_route_to", route)
    monkeypatch.setattr(addresses, "_CACHE_BOUND", 2)
    local = LocalAddresses(port=5080)
    for host in ("a", "b", "a", "b"):
        assert local.host_for(flow("0.0.0.0", host)) == f"to-{host}"
    assert asked == ["a", "b"]
    for host in ("c", "c", "a"):
        assert local.host_for(flow("0.0.0.0", host)) == f"to-{host}"
    assert asked == ["a", "b", "c", "a"]


def test_messages_name_the_port_where_we_listen_not_the_one_that_a_connection_left_from() -> None:
    local = LocalAddresses(port=5080)
    assert local.sip_address(flow("192.0.2.1", port=49152)) == Address("192.0.2.1", 5080)
