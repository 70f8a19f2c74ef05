"""The endpoint on TCP: framing, keep-alives, connections that are served or lost."""

from __future__ import annotations

from engine.sip.endpoint import LiveCounts
from engine.sip.events import InviteCancelled, InviteReceived
from engine.sip.flow import Flow, Transport
from engine.sip.message import Request
from engine.sip.parser import parse_datagram
from tests.support.sip_phone import SDP, SipPhone, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair
from tests.support.wire import Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def streaming(**options: dict[str, str]) -> tuple[object, RawPeer, Wire, Flow]:
    station, raw, wire = pair(answering, **options)  # type: ignore[arg-type]
    _, flow = wire.connect(raw, station)
    return station, raw, wire, flow


def test_a_call_over_tcp_repeats_nothing_but_the_2xx() -> None:
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    b.on_event = lambda event, now: answering(b, event, now)
    wire = Wire(a, b)
    flow, _ = wire.connect(a, b)
    aim = target(a, b)
    session = a.endpoint.invite(type(aim)(uri=aim.uri, flow=flow), from_user="x", sdp=SDP, now=wire.now)
    wire.run(40)
    a.endpoint.bye(session, now=wire.now)
    wire.run()
    lines = [sent.first_line.replace("SIP/2.0 ", "").split(" ")[0] for sent in wire.log]
    assert lines == ["INVITE", "200", "ACK", "BYE", "200"]
    assert b"SIP/2.0/TCP" in wire.log[0].data
    assert a.endpoint.live() == b.endpoint.live() == NOTHING


def test_keep_alives_are_answered_on_streams_only() -> None:
    station, raw, wire = pair()
    raw.send(b"\r\n\r\n")
    wire.run()
    assert len(wire.log) == 1
    _, flow = wire.connect(raw, station)
    station.endpoint.receive_stream(b"\r\n\r\n", flow, wire.now)
    station.endpoint.receive_stream(b"\r\n", flow, wire.now)
    assert station.endpoint.datagrams_to_send() == [(flow, b"\r\n")]


def test_messages_are_cut_from_a_stream_byte_by_byte() -> None:
    station, raw, wire = pair()
    _, flow = wire.connect(raw, station)
    data = raw.request("OPTIONS").to_bytes() + b"\r\n\r\n" + raw.request("OPTIONS").to_bytes()
    for at in range(len(data)):
        station.endpoint.receive_stream(data[at : at + 1], flow, wire.now)
    kinds = [each.data[:11] for each in station.endpoint.datagrams_to_send()]
    assert kinds == [b"SIP/2.0 200", b"\r\n", b"SIP/2.0 200"]


def test_a_stream_that_cannot_be_framed_is_answered_and_closed() -> None:
    station, raw, wire = pair(answering)
    _, flow = wire.connect(raw, station)
    station.endpoint.receive_stream(raw.request("INVITE").to_bytes(), flow, wire.now)
    station.endpoint.datagrams_to_send()
    broken = raw.request("OPTIONS").to_bytes().replace(b"Content-Length: 0\r\n", b"")
    station.endpoint.receive_stream(broken, flow, wire.now)
    sent = [(each.data[:11], each.flow.connection) for each in station.endpoint.datagrams_to_send()]
    assert sent == [(b"SIP/2.0 400", flow.connection), (b"SIP/2.0 100", 0)], "the line's call goes on by another one"
    assert station.endpoint.connections_to_close() == [flow]
    assert station.endpoint.connections_to_close() == []
    station.endpoint.receive_stream(raw.request("OPTIONS").to_bytes(), flow, wire.now)
    station.endpoint.connection_lost(flow, wire.now)
    assert station.endpoint.datagrams_to_send() == []


def test_a_phone_that_calls_and_whose_connection_is_lost_has_left() -> None:
    engine = make_station("e", "192.0.2.9", trunks={}, passwords={"ada": "secret"})
    phone = SipPhone("ada", "secret", "192.0.2.1", engine)
    wire = Wire(engine, phone)
    phone.flow, _ = wire.connect(phone, engine)
    phone.register(wire.now)
    wire.run(1)
    phone.call("100", wire.now)
    wire.run(1)
    wire.cut(phone.flow)
    wire.run(100)
    assert [type(each) for each in engine.told((InviteReceived, InviteCancelled))] == [InviteReceived, InviteCancelled]
    assert engine.endpoint.live() == NOTHING


def test_a_trunk_that_is_called_on_demand_may_lose_its_connection() -> None:
    """A flow with connection 0 is made by the driver whenever it is needed, so a call on it goes on without."""
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    on_demand = Flow(Transport.TCP, a.address, b.address)
    aim = target(a, b)
    session = a.endpoint.invite(type(aim)(uri=aim.uri, flow=on_demand), from_user="x", sdp=SDP, now=0.0)
    ((flow, data),) = a.endpoint.datagrams_to_send()
    assert flow == on_demand
    made = on_demand._replace(connection=7)
    a.endpoint.connection_opened(made, 0.0)
    invite = parse_datagram(data)
    assert isinstance(invite, Request)
    raw = RawPeer("192.0.2.2", a)
    raw.respond(invite, 200, sdp=SDP)
    (answer,) = raw.drain(0.0)
    a.endpoint.receive_stream(answer.data, made, 0.1)
    a.endpoint.connection_lost(made, 1.0)
    a.endpoint.handle_deadline(60.0)
    a.endpoint.bye(session, now=60.0)
    assert [each.flow for each in a.endpoint.datagrams_to_send()] == [on_demand, on_demand]


def test_a_failed_send_fails_what_waits_on_the_flow_and_nothing_else() -> None:
    station, raw, wire = pair()
    other = RawPeer("192.0.2.7", station)
    wire.join(other)
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    ringing = station.endpoint.invite(target(station, other), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    other.respond(other.requests("INVITE")[0], 180)
    wire.run(0.1)
    station.events.clear()
    for flow in (station.flow_to(raw), station.flow_to(other)):
        station.endpoint.send_failed(flow, wire.now)
    wire.run(0.1)
    assert [(type(each).__name__, getattr(each, "status", 0)) for each in station.told()] == [("InviteFailed", 503)]
    station.endpoint.cancel(ringing, now=wire.now)


def test_a_connection_is_served_once_its_peer_has_proved_who_he_is() -> None:
    engine = make_station("e", "192.0.2.9", trunks={}, passwords={"ada": "secret"})
    phone = SipPhone("ada", "secret", "192.0.2.1", engine)
    wire = Wire(engine, phone)
    phone.flow, flow = wire.connect(phone, engine)
    assert not engine.endpoint.serves(flow)
    phone.register(wire.now)
    wire.run(0.3)
    assert [answer.status for answer in phone.answers] == [200]
    assert engine.endpoint.serves(flow)
    engine.endpoint.connection_lost(flow, wire.now)
    assert not engine.endpoint.serves(flow)


def test_a_connection_that_only_brought_what_was_refused_is_not_served() -> None:
    engine = make_station("e", "192.0.2.9", trunks={}, passwords={"ada": "secret"})
    phone = SipPhone("ada", "guess", "192.0.2.1", engine)
    wire = Wire(engine, phone)
    phone.flow, flow = wire.connect(phone, engine)
    phone.register(wire.now)
    wire.run(5)
    assert [answer.status for answer in phone.answers] == [403]
    assert not engine.endpoint.serves(flow)
