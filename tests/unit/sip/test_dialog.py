"""What a dialog remembers, seen in the requests that go out on it (RFC 3261 12)."""

from __future__ import annotations

import pytest

from engine.sip.dialog import contact_of
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.errors import RemoteSipError
from engine.sip.events import InviteAccepted, InviteReceived, SessionEnded, SessionId
from engine.sip.identity import ALLOW
from engine.sip.message import Headers, Request
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def taken(**options: object) -> tuple[EndpointStation, RawPeer, Wire, SessionId, str]:
    """A call from the peer that was accepted and acknowledged: with its session and our tag."""
    station, raw, wire = pair(answering)
    raw.ask("INVITE", **options)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", to_tag=tag)
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    return station, raw, wire, received.session, tag


def placed(*, record_routes: list[str], contact: str = "<sip:raw@192.0.2.1:5060>") -> tuple[Request, Request]:
    """A call of ours that the peer took with these Record-Route fields: our ACK and our BYE."""
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    fields = [("Record-Route", each) for each in record_routes] + [("Contact", contact)]
    raw.respond(raw.requests("INVITE")[0], 200, fields=fields, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    return raw.requests("ACK")[0], raw.requests("BYE")[0]


def test_a_bye_of_ours_turns_from_and_to_round() -> None:
    station, raw, wire, session, tag = taken()
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    bye = raw.requests("BYE")[0]
    assert bye.request_uri == "sip:raw@192.0.2.1:5060"
    assert (bye.from_tag, bye.to_tag, bye.call_id) == (tag, "rawtag", "raw-call")
    assert bye.cseq.number == 1
    assert bye.max_forwards == 70
    bye.check()


def test_requests_of_ours_count_up() -> None:
    station, raw, wire, session, _ = taken()
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    numbers = [(each.method, each.cseq.number) for each in raw.requests()]
    assert numbers == [("INVITE", 1), ("ACK", 1), ("BYE", 2)]


def test_the_callers_record_route_is_followed_in_its_order() -> None:
    routes = [("Record-Route", "<sip:p2.example;lr>, <sip:p1.example;lr>")]
    station, raw, wire, session, _ = taken(fields=routes)
    assert raw.responses()[-1].headers.values("Record-Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    bye = raw.requests("BYE")[0]
    assert bye.request_uri == "sip:raw@192.0.2.1:5060"
    assert bye.headers.values("Route") == ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]


def test_the_callees_record_route_is_followed_backwards() -> None:
    ack, bye = placed(record_routes=["<sip:p2.example;lr>", "<sip:p1.example;lr=on>"])
    for request in (ack, bye):
        assert request.request_uri == "sip:raw@192.0.2.1:5060"
        assert request.headers.values("Route") == ["<sip:p1.example;lr=on>", "<sip:p2.example;lr>"]
    assert (ack.cseq.number, bye.cseq.number) == (1, 2)


def test_a_strict_router_becomes_the_request_uri() -> None:
    ack, bye = placed(record_routes=["<sip:p2.example;lr>", "<sip:p1.example>"])
    for request in (ack, bye):
        assert request.request_uri == "sip:p1.example"
        assert request.headers.values("Route") == ["<sip:p2.example;lr>", "<sip:raw@192.0.2.1:5060>"]


def test_contact_of_the_answer_is_where_requests_are_addressed() -> None:
    ack, bye = placed(record_routes=[], contact='"R" <sip:desk%2035@10.0.0.7:5999;transport=udp?Subject=x>')
    assert {ack.request_uri, bye.request_uri} == {"sip:desk%2035@10.0.0.7:5999;transport=udp"}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"contact": None}, 400),
        ({"contact": "<sip:a@h>, <sip:b@h>"}, 400),
        ({"contact": "<mailto:x@y>"}, 400),
        ({"fields": [("Record-Route", "nonsense")]}, 400),
        ({"fields": [("Record-Route", "<tel:1>")]}, 400),
        ({"fields": [("Record-Route", ", ".join(["<sip:p;lr>"] * 40))]}, 400),
    ],
)
def test_an_invite_that_makes_no_dialog_is_refused_and_forgotten(options: dict[str, object], status: int) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", **options)
    wire.run(0.1)
    assert raw.statuses() == [status]
    assert station.told() == []
    assert station.endpoint.live() == NOTHING


def test_requests_that_match_no_dialog_are_refused() -> None:
    station, raw, wire, _, tag = taken()
    for change in ({"call_id": "other"}, {"from_tag": "other"}, {"to_tag": "other"}):
        raw.ask("BYE", **{"to_tag": tag, "number": 2, **change})
    raw.ask("BYE", number=2)
    wire.run(0.1)
    assert raw.statuses()[-4:] == [481, 481, 481, 481]
    assert station.told(SessionEnded) == []


def test_cseq_must_rise_and_a_refused_request_is_refused_again_alike() -> None:
    station, raw, wire, _, tag = taken(number=5)
    raw.ask("BYE", to_tag=tag, number=5)
    late = raw.ask("OPTIONS", to_tag=tag, number=4)
    wire.run(0.1)
    raw.send(late)
    wire.run(0.1)
    assert raw.statuses()[-3:] == [500, 500, 500]
    assert station.told(SessionEnded) == []
    raw.ask("OPTIONS", to_tag=tag, number=6)
    raw.ask("OPTIONS", to_tag=tag, number=900)
    wire.run(0.1)
    assert raw.statuses()[-2:] == [200, 200]


@pytest.mark.parametrize("method", ["PUBLISH", "REGISTRATE", "FOO"])
def test_methods_that_we_do_not_have_are_refused_within_a_dialog(method: str) -> None:
    station, raw, wire, session, tag = taken()
    raw.ask(method, to_tag=tag, number=2)
    wire.run(0.1)
    response = raw.responses()[-1]
    assert response.status == (405 if method == "PUBLISH" else 501)
    assert response.headers.get("Allow") == ALLOW
    station.endpoint.bye(session, now=wire.now)


def test_requests_follow_the_phone_to_its_new_source_port() -> None:
    station, raw, wire, session, tag = taken()
    moved = RawPeer("192.0.2.50", station)
    wire.join(moved)
    moved.ask("OPTIONS", to_tag=tag, number=2, via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKm;rport")
    wire.run(0.1)
    assert moved.statuses() == [200]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert len(moved.requests("BYE")) == 1
    assert raw.requests("BYE") == []


def test_requests_go_by_the_flow_and_not_to_the_contact() -> None:
    """A phone behind a home router: its Contact names an address that only its own network knows."""
    station, raw, wire, session, _ = taken(contact="<sip:raw@10.0.0.7:5060>")
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].request_uri == "sip:raw@10.0.0.7:5060"


def test_a_call_to_a_uri_with_odd_characters_is_written_safely() -> None:
    station, raw = make_station("e", "192.0.2.9"), None
    raw = RawPeer("192.0.2.1", station)
    wire = Wire(station, raw)
    uri = SipUri(user='a"<>\r\nVia: x', host="192.0.2.1")
    station.endpoint.invite(
        Target(uri=uri, flow=station.flow_to(raw)),
        from_user='o"<k',
        from_display='quote " and \\ and \x07',
        sdp=SDP,
        now=wire.now,
    )
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    invite.check()
    assert invite.to.uri.user == uri.user == invite.uri.user
    assert invite.from_.uri.user == 'o"<k'
    assert len(invite.vias) == 1


def test_ipv6_is_written_in_brackets() -> None:
    station = make_station("e", "2001:db8::9")
    raw = RawPeer("2001:db8::1", station)
    wire = Wire(station, raw)
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    assert invite.request_uri == "sip:100@[2001:db8::1]:5060"
    assert (invite.via.host, invite.contacts[0].uri.host) == ("2001:db8::9", "2001:db8::9")
    raw.respond(invite, 200, fields=[("Contact", "<sip:raw@[2001:db8::1]>")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told(InviteAccepted)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].request_uri == "sip:raw@[2001:db8::1]"


def contact(*values: str) -> str | None:
    return contact_of(Request("INVITE", "sip:h", Headers([("Contact", value) for value in values])))


def test_the_contact_of_a_dialog_is_one_sip_uri_or_none() -> None:
    assert contact("Ann <sip:a@h:5062;transport=tcp?x=y>;q=1") == "sip:a@h:5062;transport=tcp"
    assert contact() is None
    assert contact("*") is None


@pytest.mark.parametrize(
    "values",
    [("<sip:a@h>", "<sip:b@h>"), ("<sip:a@h>, <sip:b@h>",), ("<sip:a@h>", "*"), ("*", "<sip:a@h>"), ("<tel:1>",)],
)
def test_any_other_contact_is_refused(values: tuple[str, ...]) -> None:
    with pytest.raises(RemoteSipError) as caught:
        contact(*values)
    assert caught.value.status_hint == 400
