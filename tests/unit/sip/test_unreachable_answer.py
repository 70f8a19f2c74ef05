"""Answers to INVITEs of ours whose Contact or Record-Route leads nowhere (RFC 3261 12.1.2, 13.2.2.4)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import InviteAccepted, InviteFailed
from engine.sip.identity import Reliable
from engine.sip.limits import MAX_ROUTES
from engine.sip.message import Response
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import calling, pair

NOTHING = LiveCounts(0, 0, 0, 0, 0)
OURS = "sip:100@192.0.2.1:5060"
"""What our INVITE asked for."""
THEIRS = "sip:raw@192.0.2.1:5070"
Fields = list[tuple[str, str]]
UNUSABLE: list[tuple[Fields, str]] = [
    ([("Contact", "")], OURS),
    ([("Contact", "<sip:>")], OURS),
    ([("Contact", "*")], OURS),
    ([("Contact", '"no end <sip:raw@192.0.2.1>')], OURS),
    ([("Contact", "<tel:+4912>")], OURS),
    ([("Contact", "<sip:a@192.0.2.1>, <sip:b@192.0.2.1>")], OURS),
    ([("Contact", "<sip:a@192.0.2.1>"), ("Contact", "<sip:b@192.0.2.1>")], OURS),
    ([("Contact", f"<{THEIRS}>"), ("Record-Route", "<<>>")], THEIRS),
    ([("Contact", f"<{THEIRS}>"), ("Record-Route", "<tel:1>")], THEIRS),
    ([("Contact", f"<{THEIRS}>"), ("Record-Route", ", ".join(["<sip:p;lr>"] * (MAX_ROUTES + 1)))], THEIRS),
]


@pytest.mark.parametrize(("fields", "uri"), UNUSABLE)
@pytest.mark.parametrize("rang", [False, True])
def test_who_cannot_be_reached_is_acknowledged_and_hung_up_on(fields: Fields, uri: str, rang: bool) -> None:
    station, raw, wire, session, invite = calling()
    if rang:
        raw.respond(invite, 180)
    for _ in range(2):
        raw.respond(invite, 200, fields=fields, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [(each.method, each.request_uri, each.to_tag) for each in raw.requests()[1:]] == [
        ("ACK", uri, "rawtag"),
        ("BYE", uri, "rawtag"),
        ("ACK", uri, "rawtag"),
    ]
    assert station.told((InviteAccepted, InviteFailed)) == [
        InviteFailed(session=session, status=502, reason="Bad Gateway")
    ]
    raw.respond(raw.requests("BYE")[0], 200)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_an_answer_without_contact_is_ended_by_the_routes_that_it_names() -> None:
    station, raw, wire, _, invite = calling()
    routes = [("Record-Route", "<sip:b@10.0.0.2;lr>"), ("Record-Route", "<sip:a@10.0.0.1;lr>")]
    raw.send(Response.build(invite, 200, None, "rawtag", routes, SDP_ANSWER))
    wire.run(0.1)
    for each in raw.requests("ACK") + raw.requests("BYE"):
        assert each.request_uri == OURS
        assert each.headers.values("Route") == ["<sip:a@10.0.0.1;lr>", "<sip:b@10.0.0.2;lr>"]
    assert len(station.told(InviteFailed)) == 1


def test_an_unreadable_route_set_leaves_that_of_the_invite() -> None:
    station, raw, wire = pair()
    aim = Target(
        uri=SipUri(user="line1", host="10.0.0.7"), flow=station.flow_to(raw), routes=("<sip:edge@192.0.2.1;lr>",)
    )
    station.endpoint.invite(aim, from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, fields=[("Record-Route", "<<>>")], sdp=SDP_ANSWER)
    wire.run(0.1)
    for method in ("ACK", "BYE"):
        assert raw.requests(method)[0].headers.values("Route") == ["<sip:edge@192.0.2.1;lr>"]


def test_where_no_proxy_stays_in_the_call_the_routes_of_the_invite_are_not_kept() -> None:
    station, raw, wire = pair()
    aim = Target(
        uri=SipUri(user="line1", host="10.0.0.7"), flow=station.flow_to(raw), routes=("<sip:edge@192.0.2.1;lr>",)
    )
    session = station.endpoint.invite(aim, from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    for method in ("ACK", "BYE"):
        assert raw.requests(method)[0].headers.values("Route") == []


def test_a_second_fork_without_a_way_to_it_is_ended_and_the_first_stays() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, tag="one", sdp=SDP_ANSWER)
    raw.respond(invite, 200, tag="two", fields=[("Contact", "<sip:>")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [(each.method, each.to_tag) for each in raw.requests()[1:]] == [
        ("ACK", "one"),
        ("ACK", "two"),
        ("BYE", "two"),
    ]
    assert len(station.told()) == 1
    station.endpoint.bye(session, now=wire.now)


def test_an_answer_that_brings_an_offer_is_ended_without_waiting_for_ours() -> None:
    station, raw, wire, _, invite = calling(sdp=None)
    raw.respond(invite, 200, fields=[("Contact", "<sip:>")], sdp=SDP)
    wire.run(0.1)
    assert [(each.method, each.body) for each in raw.requests()[1:]] == [("ACK", b""), ("BYE", b"")]
    assert [type(each) for each in station.told()] == [InviteFailed]


def test_a_reliable_ringing_without_a_way_back_is_confirmed_by_the_invites() -> None:
    station, raw, wire, _, invite = calling(reliable=Reliable.WHEN_SUPPORTED)
    reliable = [("Require", "100rel"), ("RSeq", "1"), ("Contact", "<sip:>")]
    raw.respond(invite, 180, fields=reliable)
    wire.run(0.1)
    assert [each.request_uri for each in raw.requests("PRACK")] == [OURS]
    assert station.told(InviteFailed) == []
