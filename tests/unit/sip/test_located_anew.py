"""Requests within a call whose connection is gone: the proxy before a phone is located anew (RFC 3261 8.1.2)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import EndedBy, LocateWanted, OfferAnswered, SessionEnded, SessionId
from engine.sip.flow import Flow, Transport
from engine.sip.message import Request
from engine.sip.uri import SipUri, parse_uri
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
EDGE = "<sip:192.0.2.1:5060;transport=tcp;lr>"
NAMED = "<sip:edge.example;lr>"


class Lost:
    """A call to a phone behind a proxy, that is up, whose connection the proxy has closed."""

    def __init__(self, *record_routes: str) -> None:
        self.station: EndpointStation
        self.raw: RawPeer
        self.wire: Wire
        self.station, self.raw, self.wire = pair()
        self.wire.on_demand = True
        self.raw.flow, flow = self.wire.connect(self.raw, self.station)
        uri = SipUri(user="raw", host="10.0.0.7")
        aim = Target(uri=uri, flow=flow, routes=record_routes[:1], pinned=True)
        self.session: SessionId = self.station.endpoint.invite(aim, from_user="x", sdp=SDP, now=self.wire.now)
        self.wire.run(0.1)
        routes = [("Record-Route", each) for each in reversed(record_routes)]
        self.raw.respond(self.last("INVITE"), 200, sdp=SDP_ANSWER, fields=routes)
        self.wire.run(0.1)
        self.wire.cut(self.raw.flow)
        self.station.events.clear()

    def last(self, method: str) -> Request:
        return self.raw.requests(method)[-1]

    def wanted(self) -> LocateWanted:
        event = self.station.told(LocateWanted)[-1]
        assert isinstance(event, LocateWanted)
        return event

    def locate(self, *flows: Flow) -> None:
        self.station.endpoint.located(self.wanted().key, flows, self.wire.now)
        self.wire.run(0.1)

    def flow_to(self, peer: RawPeer) -> Flow:
        """One that is made on demand."""
        return Flow(Transport.TCP, self.station.address, peer.address)


@pytest.mark.parametrize(
    ("routes", "where"),
    [
        ([EDGE], "sip:192.0.2.1:5060;transport=tcp;lr"),
        ([NAMED], "sip:edge.example;lr"),
        ([NAMED, EDGE], "sip:edge.example;lr"),
        (["<sip:strict.example>", EDGE], "sip:strict.example"),
    ],
)
def test_a_bye_opens_a_new_connection_to_the_nearest_route(routes: list[str], where: str) -> None:
    it = Lost(*routes)
    it.station.endpoint.bye(it.session, now=it.wire.now)
    it.wire.run(0.1)
    assert it.wanted().uri == parse_uri(where)
    assert it.raw.requests("BYE") == []
    it.locate(it.flow_to(it.raw))
    bye = it.last("BYE")
    assert (bye.via.transport, bye.to_tag, bye.cseq.number) == ("TCP", "rawtag", 2)
    assert it.station.told(SessionEnded) == []
    it.raw.respond(bye, 200)
    it.wire.run()
    assert it.station.told(SessionEnded) == [SessionEnded(session=it.session, by=EndedBy.LOCAL)]
    assert it.station.endpoint.live() == NOTHING


def test_a_change_and_what_follows_it_go_by_the_new_connection() -> None:
    it = Lost(EDGE)
    it.station.endpoint.offer(it.session, SDP, now=it.wire.now)
    it.wire.run(0.1)
    it.locate(it.flow_to(it.raw))
    invite = it.last("INVITE")
    assert "transport=tcp" in str(invite.contacts[0].uri)
    for _ in range(2):
        it.raw.respond(invite, 200, sdp=SDP_ANSWER)
        it.wire.run(0.1)
    assert it.station.told(OfferAnswered) == [OfferAnswered(session=it.session, sdp=SDP_ANSWER)]
    assert [each.cseq.number for each in it.raw.requests("ACK")] == [1, 2, 2]
    it.station.endpoint.bye(it.session, now=it.wire.now)
    it.wire.run(0.1)
    assert len(it.station.told(LocateWanted)) == 1, "the way is known now"
    assert len(it.raw.requests("BYE")) == 1


def test_the_next_of_several_proxies_is_tried_and_kept() -> None:
    it = Lost(NAMED)
    other = RawPeer("192.0.2.2", it.station)
    it.wire.join(other)
    it.station.endpoint.offer(it.session, SDP, now=it.wire.now)
    it.wire.run(0.1)
    it.locate(it.flow_to(it.raw), it.flow_to(other))
    it.station.endpoint.send_failed(it.flow_to(it.raw), it.wire.now)
    it.wire.run(0.1)
    other.respond(other.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    it.wire.run(0.1)
    assert len(other.requests("ACK")) == 1
    it.station.endpoint.bye(it.session, now=it.wire.now)
    it.wire.run(0.1)
    assert len(other.requests("BYE")) == 1
    assert it.raw.requests("BYE") == []


def test_a_proxy_that_cannot_be_located_ends_the_call() -> None:
    it = Lost(NAMED)
    it.station.endpoint.bye(it.session, now=it.wire.now)
    it.wire.run(0.1)
    it.locate()
    assert it.station.told(SessionEnded) == [SessionEnded(session=it.session, by=EndedBy.CONNECTION_LOST)]
    it.wire.run()
    assert it.station.endpoint.live() == NOTHING


def test_a_proxy_may_close_its_connection_and_the_call_goes_on() -> None:
    it = Lost(EDGE)
    it.wire.run(600)
    assert it.station.told(SessionEnded) == []


def test_to_a_phone_nothing_but_its_flow_leads() -> None:
    it = Lost()
    it.station.endpoint.bye(it.session, now=it.wire.now)
    it.wire.run(0.1)
    assert it.station.told(LocateWanted) == []
    assert it.station.told(SessionEnded) == [SessionEnded(session=it.session, by=EndedBy.CONNECTION_LOST)]


def test_a_phone_that_does_not_come_back_is_gone() -> None:
    it = Lost()
    it.wire.run(60)
    assert it.station.told(SessionEnded) == [SessionEnded(session=it.session, by=EndedBy.CONNECTION_LOST)]


def test_where_the_way_stands_nobody_is_asked() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", contact="<sip:raw@gw.example>", fields=[("Record-Route", NAMED)])
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    station.endpoint.bye(session_of(station), now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1
    assert station.told(LocateWanted) == []
