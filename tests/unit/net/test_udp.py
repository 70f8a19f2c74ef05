from __future__ import annotations

import socket

import pytest

from engine.net import udp
from engine.sip.flow import Address, Flow, Transport
from tests.support.fake_udp import UdpSocket, opened

PHONE = Address("192.0.2.50", 5062)


def test_a_datagram_is_handed_on_with_the_flow_between_both_ends() -> None:
    listener, _ = opened()
    heard: list[tuple[bytes, Flow]] = []
    listener.receive = lambda data, flow: heard.append((data, flow))
    listener.datagramReceived(b"hello", ("192.0.2.50", 5062))
    assert heard == [(b"hello", Flow(Transport.UDP, Address("192.0.2.9", 5080), PHONE))]


def test_the_kernel_is_asked_for_room_for_a_burst() -> None:
    _, handle = opened()
    assert handle.options == {(socket.SOL_SOCKET, socket.SO_RCVBUF): 4 << 20}


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


def test_a_link_local_peer_is_passed_over() -> None:
    listener, _ = opened()
    heard: list[bytes] = []
    listener.receive = lambda data, flow: heard.append(data)
    listener.datagramReceived(b"hello", ("fe80::1%eth0", 5060))
    assert heard == []


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
