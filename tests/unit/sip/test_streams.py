"""Connections against slow and endless senders, and those that peers offer for our requests."""

from __future__ import annotations

import pytest

from engine.sip import streams
from engine.sip.endpoint import Endpoint, Target
from engine.sip.events import PingAnswered
from engine.sip.flow import Address, Flow, Transport
from engine.sip.uri import SipUri
from tests.support.sip_raw import RawPeer, pair

HERE = Address("192.0.2.9", 5080)


def opened(number: int = 1, *, transport: Transport = Transport.TCP, host: str = "192.0.2.1") -> Flow:
    return Flow(transport, HERE, Address(host, 40000 + number), number)


def fresh(*flows: Flow) -> tuple[Endpoint, RawPeer]:
    station, raw, _ = pair()
    for flow in flows:
        station.endpoint.connection_opened(flow, 0.0)
    return station.endpoint, raw


def test_a_message_that_has_begun_must_be_complete_within_64_t1() -> None:
    flow = opened()
    endpoint, raw = fresh(flow)
    endpoint.receive_stream(b"OPTIONS", flow, 0.0)
    assert endpoint.next_deadline() == 32.0
    endpoint.receive_stream(b" sip:x", flow, 30.0)
    endpoint.handle_deadline(32.0)
    assert endpoint.connections_to_close() == [flow]
    endpoint.receive_stream(raw.request("OPTIONS").to_bytes(), flow, 33.0)
    assert endpoint.datagrams_to_send() == []


def test_a_body_that_does_not_come_ends_the_connection_too() -> None:
    flow = opened()
    endpoint, raw = fresh(flow)
    data = raw.request("OPTIONS", body=b"x").to_bytes()
    endpoint.receive_stream(data[:-1], flow, 0.0)
    endpoint.handle_deadline(32.0)
    assert endpoint.connections_to_close() == [flow]


def test_each_message_has_its_own_time() -> None:
    flow = opened()
    endpoint, raw = fresh(flow)
    data = raw.request("OPTIONS").to_bytes()
    endpoint.receive_stream(data[:10], flow, 0.0)
    endpoint.receive_stream(data[10:] + data[:10], flow, 20.0)
    endpoint.handle_deadline(51.9)
    assert endpoint.connections_to_close() == []
    endpoint.receive_stream(data[10:], flow, 51.9)
    assert endpoint.next_deadline() is None
    assert len(endpoint.datagrams_to_send()) == 2


def test_a_connection_that_is_lost_leaves_no_timer() -> None:
    flow = opened()
    endpoint, _ = fresh(flow)
    endpoint.receive_stream(b"OPTIONS", flow, 0.0)
    endpoint.connection_lost(flow, 1.0)
    assert endpoint.live().timers == 0


def test_unfinished_messages_of_all_connections_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MAX_UNFINISHED_BYTES", 100)
    one, two, three = opened(1), opened(2), opened(3)
    endpoint, raw = fresh(one, two, three)
    endpoint.receive_stream(b"x" * 60, one, 0.0)
    endpoint.receive_stream(b"x" * 41, two, 0.0)
    assert endpoint.connections_to_close() == [two], "who went past the bound"
    endpoint.receive_stream(b"x" * 40, three, 0.0)
    endpoint.connection_lost(one, 0.0)
    endpoint.receive_stream(b"x" * 60, three, 0.0)
    assert endpoint.connections_to_close() == [], "what a lost connection held is free again"
    whole = opened(4)
    endpoint.connection_opened(whole, 0.0)
    endpoint.receive_stream(raw.request("OPTIONS").to_bytes(), whole, 0.0)
    assert endpoint.connections_to_close() == []


def offered(endpoint: Endpoint, raw: RawPeer, flow: Flow, sent_by: str, param: str = ";alias") -> None:
    via = f"SIP/2.0/{flow.transport} {sent_by};branch=z9hG4bK{flow.connection}{param}"
    endpoint.receive_stream(raw.request("OPTIONS", via=via).to_bytes(), flow, 0.0)


def way(port: int, transport: Transport = Transport.TLS, host: str = "192.0.2.1") -> Flow:
    return Flow(transport, HERE, Address(host, port), 0, "example.org")


def test_a_peer_offers_its_connection_for_the_port_that_its_via_names() -> None:
    tls, tcp = opened(1, transport=Transport.TLS), opened(2)
    endpoint, raw = fresh(tls, tcp)
    offered(endpoint, raw, tls, "pbx.example.org:5071")
    offered(endpoint, raw, tcp, "10.0.0.1")
    assert endpoint.alias_of(way(5071)) == tls
    assert endpoint.alias_of(way(5060, Transport.TCP)) == tcp
    assert endpoint.alias_of(way(5071, Transport.TCP)) is None
    assert endpoint.alias_of(way(5071, host="10.0.0.1")) is None, "an offer is for the address it came from"


def test_the_port_of_tls_is_5061_where_none_is_named() -> None:
    flow = opened(transport=Transport.TLS)
    endpoint, raw = fresh(flow)
    offered(endpoint, raw, flow, "pbx")
    assert endpoint.alias_of(way(5061)) == flow


def test_without_the_parameter_nothing_is_offered() -> None:
    flow = opened(transport=Transport.TLS)
    endpoint, raw = fresh(flow)
    offered(endpoint, raw, flow, "alias.example.org:5071", "")
    assert endpoint.alias_of(way(5071)) is None


def test_the_last_offer_counts_and_goes_with_its_connection() -> None:
    first, second = opened(1, transport=Transport.TLS), opened(2, transport=Transport.TLS)
    endpoint, raw = fresh(first, second)
    offered(endpoint, raw, first, "pbx:5071")
    offered(endpoint, raw, second, "pbx:5071")
    endpoint.connection_lost(first, 1.0)
    assert endpoint.alias_of(way(5071)) == second
    offered(endpoint, raw, second, "pbx:5072")
    assert endpoint.alias_of(way(5071)) is None
    endpoint.connection_lost(second, 1.0)
    assert endpoint.alias_of(way(5072)) is None


def test_a_connection_that_we_gave_up_is_lost_once() -> None:
    flow = opened()
    on_demand = flow._replace(connection=0)
    endpoint, _ = fresh(flow)
    endpoint.receive_stream(b"OPTIONS", flow, 0.0)
    endpoint.handle_deadline(32.0)
    assert endpoint.connections_to_close() == [flow]
    ping = endpoint.ping(Target(uri=SipUri(host="192.0.2.1"), flow=on_demand), now=33.0)
    endpoint.connection_lost(flow, 34.0)
    assert endpoint.next_event() is None, "the network tells of the end that we made; another connection is on its way"
    endpoint.handle_deadline(65.0)
    assert endpoint.next_event() == PingAnswered(ping=ping, status=None, round_trip_s=32.0)
