"""Calls of lines over connections that come and go: a dialog does not end with a connection (RFC 3261 18)."""

from __future__ import annotations

import pytest

from engine.sip.dialog import answers_way
from engine.sip.endpoint import LiveCounts
from engine.sip.events import EndedBy, InviteCancelled, SessionEnded
from engine.sip.flow import Address, Flow, Transport
from tests.support.sip_phone import SDP
from tests.support.sip_raw import Fields, RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def over_tcp(
    fields: Fields = (), contact: str = "<sip:raw@192.0.2.1:5060>", tls_name: str = ""
) -> tuple[EndpointStation, RawPeer, Wire]:
    """A call of a line that came by a connection, which is closed ten minutes later."""
    station, raw, wire = pair(answering, tls_names={"everybody": tls_name})
    near, _ = wire.connect(raw, station)
    raw.ask("INVITE", fields=fields, contact=contact)
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(600)
    wire.cut(near)
    wire.run(100)
    return station, raw, wire


def test_the_call_of_a_line_stands_without_its_connection_and_ours_is_made_anew() -> None:
    station, raw, wire = over_tcp()
    wire.on_demand = True
    assert station.told(SessionEnded) == []
    station.endpoint.bye(session_of(station), now=wire.now)
    wire.run(0.1)
    (bye,) = raw.requests("BYE")
    assert bye.via.transport == "TCP"
    raw.respond(bye, 200)
    wire.run(40)
    assert len(station.told(SessionEnded)) == 1
    assert station.endpoint.live() == NOTHING


def test_the_line_goes_on_by_a_new_connection_of_its_own() -> None:
    station, raw, wire = over_tcp()
    wire.connect(raw, station)
    raw.ask("BYE", number=2, to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200
    (ended,) = station.told(SessionEnded)
    assert isinstance(ended, SessionEnded)
    assert ended.by is EndedBy.REMOTE


@pytest.mark.parametrize(
    ("contact", "fields", "transport", "port", "name"),
    [
        ("<sip:raw@10.0.0.5:5070>", [], Transport.TCP, 5070, ""),
        ("<sip:raw@pbx.example>", [], Transport.TCP, 5060, ""),
        ("<sip:raw@pbx.example;transport=udp>", [], Transport.UDP, 5060, ""),
        ("<sip:raw@pbx.example;transport=tls>", [], Transport.TLS, 5061, "pbx.example"),
        ("<sips:raw@pbx.example:5071>", [], Transport.TLS, 5071, "pbx.example"),
        ("<sips:raw@192.0.2.77>", [], Transport.TLS, 5061, ""),
        ("<sips:raw@[2001:db8::1]>", [], Transport.TLS, 5061, ""),
        ("<sip:raw@10.0.0.5:5070>", [("Record-Route", "<sip:edge:5080;lr;transport=tcp>")], Transport.TCP, 5080, ""),
    ],
)
def test_requests_go_to_the_lines_own_address_at_the_port_that_it_names(
    contact: str, fields: Fields, transport: Transport, port: int, name: str
) -> None:
    station, _, wire = over_tcp(fields, contact)
    station.endpoint.offer(session_of(station), SDP, now=wire.now)
    flow = station.endpoint.datagrams_to_send()[-1].flow
    assert flow == Flow(transport, station.address, Address("192.0.2.1", port), name=name)


@pytest.mark.parametrize(
    ("contact", "name"), [("<sips:raw@pbx.example>", "trunk.example"), ("<sip:raw@pbx.example>", "")]
)
def test_the_certificate_must_be_for_the_name_set_for_the_line(contact: str, name: str) -> None:
    station, _, wire = over_tcp(contact=contact, tls_name="trunk.example")
    station.endpoint.offer(session_of(station), SDP, now=wire.now)
    assert station.endpoint.datagrams_to_send()[-1].flow.name == name


def test_rfc3261_12_2_1_1_a_user_part_does_not_make_a_router_loose() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Record-Route", "<sip:a;lr;b@edge>")])
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    station.endpoint.offer(session_of(station), SDP, now=wire.now)
    wire.run(0.1)
    assert raw.requests("INVITE")[0].request_uri == "sip:a;lr;b@edge"


def test_rfc3261_19_1_1_the_method_of_a_contact_is_no_part_of_the_request_uri() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", contact="<sip:raw@192.0.2.1;x=y;method=INVITE?Subject=z>")
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    station.endpoint.offer(session_of(station), SDP, now=wire.now)
    wire.run(0.1)
    assert raw.requests("INVITE")[0].request_uri == "sip:raw@192.0.2.1;x=y"


def ringing_over_tcp(
    via: str = "SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKinv",
) -> tuple[EndpointStation, RawPeer, Wire]:
    """A call of a line that rings when its connection is lost."""
    station, raw, wire = pair()
    near, _ = wire.connect(raw, station)
    raw.ask("INVITE", via=via)
    wire.run(0.1)
    station.endpoint.progress(session_of(station), 180, now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [100, 180]
    wire.on_demand = True
    wire.cut(near)
    return station, raw, wire


def test_rfc3261_18_2_2_answers_to_a_line_go_by_a_new_connection_where_the_callers_is_lost() -> None:
    station, raw, wire = ringing_over_tcp()
    wire.run(0.1)
    assert raw.statuses() == [100, 180, 180], "at once, to see whether the caller is there"
    station.endpoint.accept(session_of(station), SDP, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    raw.ask("BYE", number=2, to_tag=raw.responses()[-1].to_tag)
    wire.run(40)
    assert raw.statuses()[-1] == 200
    assert station.endpoint.live() == NOTHING


def test_the_new_connection_may_be_lost_as_well() -> None:
    station, raw, wire = ringing_over_tcp()
    wire.run(0.1)
    wire.cut(wire.made(station, raw))
    assert station.told(InviteCancelled) == []
    station.endpoint.reject(session_of(station), 486, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == 486


@pytest.mark.parametrize(("via", "port"), [("192.0.2.1:5070", 5070), ("10.0.0.5", 5060)])
def test_the_port_is_that_of_the_via_and_where_nobody_listens_the_caller_is_gone(via: str, port: int) -> None:
    station, _, wire = ringing_over_tcp(f"SIP/2.0/TCP {via};branch=z9hG4bKinv")
    flow = station.endpoint.datagrams_to_send()[-1].flow
    assert flow == Flow(Transport.TCP, station.address, Address("192.0.2.1", port))
    assert station.endpoint.serves(flow), "so that it is kept alive"
    station.endpoint.send_failed(flow, wire.now)
    wire.run(0.1)
    assert len(station.told(InviteCancelled)) == 1
    assert station.endpoint.live().sessions == 0


@pytest.mark.parametrize(
    ("transport", "port", "name"), [(Transport.TLS, 5061, "trunk.example"), (Transport.TCP, 5060, "")]
)
def test_answers_over_tls_go_to_whom_the_name_of_the_line_says(transport: Transport, port: int, name: str) -> None:
    _, raw, _ = pair()
    invite = raw.request("INVITE", via=f"SIP/2.0/{transport} 192.0.2.1;branch=z9hG4bKx")
    came_by = Flow(transport, Address("192.0.2.9", 5061), Address("192.0.2.1", 40000), 7)
    assert answers_way(invite, came_by, "trunk.example") == Flow(
        transport, came_by.local, Address("192.0.2.1", port), name=name
    )
