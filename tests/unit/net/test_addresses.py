from __future__ import annotations

import pytest

from engine.net import addresses
from engine.net.addresses import LocalAddresses
from engine.net.listen import Listen
from engine.sip.flow import Address, Flow, Transport


def flow(local: str, remote: str = "127.0.0.1", *, port: int = 5080) -> Flow:
    return Flow(Transport.UDP, Address(local, port), Address(remote, 5060))


def listen(
    address: str = "0.0.0.0", *, advertise: Address | None = None, transport: Transport = Transport.UDP
) -> Listen:
    return Listen(transport=transport, address=address, port=5080, advertise=advertise)


def test_what_the_operator_says_goes_before_all_else() -> None:
    told = LocalAddresses(
        [listen(advertise=Address("203.0.113.5", 0)), listen("192.0.2.1", advertise=Address("203.0.113.5", 0))]
    )
    assert told.host_for(flow("0.0.0.0")) == "203.0.113.5"
    assert told.host_for(flow("192.0.2.1")) == "203.0.113.5"


def test_a_socket_that_is_bound_to_one_address_has_that() -> None:
    assert LocalAddresses([listen(), listen("::")]).host_for(flow("192.0.2.1")) == "192.0.2.1"


def test_a_socket_on_all_addresses_has_the_one_that_the_kernel_would_take() -> None:
    local = LocalAddresses([listen(), listen("::")])
    assert local.host_for(flow("0.0.0.0", "127.0.0.1")) == "127.0.0.1"
    assert local.host_for(flow("::", "::1")) == "::1"


def test_without_a_route_it_is_the_loopback_address() -> None:
    local = LocalAddresses([listen(), listen("::")])
    assert local.host_for(flow("0.0.0.0", "255.255.255.255")) == "127.0.0.1"
    assert local.host_for(flow("::", "2001:db8::1%none")) == "::1"


def test_the_kernel_is_asked_once_a_peer_and_remembered_for_a_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def route(host: str) -> str:
        asked.append(host)
        return f"to-{host}"

    monkeypatch.setattr(addresses, "_route_to", route)
    monkeypatch.setattr(addresses, "_CACHE_BOUND", 2)
    local = LocalAddresses([listen(), listen("::")])
    for host in ("a", "b", "a", "b"):
        assert local.host_for(flow("0.0.0.0", host)) == f"to-{host}"
    assert asked == ["a", "b"]
    for host in ("c", "c", "a"):
        assert local.host_for(flow("0.0.0.0", host)) == f"to-{host}"
    assert asked == ["a", "b", "c", "a"]


def test_messages_name_the_listeners_port() -> None:
    local = LocalAddresses([listen(), listen("::")])
    assert local.sip_address(flow("192.0.2.1")) == Address("192.0.2.1", 5080)
    assert local.sip_address(flow("2001:db8::1", "2001:db8::2")) == Address("2001:db8::1", 5080)


def test_each_listener_has_an_address_of_its_own_to_advertise() -> None:
    inner = Listen(transport=Transport.UDP, address="10.0.0.1", port=5080)
    outer = Listen(transport=Transport.UDP, address="0.0.0.0", port=5090, advertise=Address("203.0.113.5", 5060))
    local = LocalAddresses([inner, outer])
    assert local.sip_address(flow("10.0.0.1")) == Address("10.0.0.1", 5080)
    assert local.sip_address(flow("0.0.0.0", port=5090)) == Address("203.0.113.5", 5060)
    assert local.sip_address(flow("192.0.2.1", port=5090)) == Address("203.0.113.5", 5060)


def test_a_flow_is_its_own_listeners_and_no_others() -> None:
    udp, tcp = listen(), listen(transport=Transport.TCP)
    local = LocalAddresses([udp, tcp])
    assert local.listener(flow("192.0.2.1")) is udp
    assert local.listener(flow("192.0.2.1")._replace(transport=Transport.TCP)) is tcp
    assert local.listener(flow("2001:db8::1")) is None
    assert local.listener(flow("192.0.2.1", port=5081)) is None
