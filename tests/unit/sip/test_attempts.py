"""Requests that are tried more than once: where they go is found first (RFC 3263)."""

from __future__ import annotations

import pytest

from engine.sip.accounts import Login
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.errors import LocalSipError
from engine.sip.events import InviteAccepted, InviteFailed, LocateWanted, PingAnswered, SessionId
from engine.sip.flow import Address
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import RawPeer, pair
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
PROVIDER = SipUri(user="100", host="sip.provider.example")


def looking(
    aim: Target | None = None, logins: dict[str, Login] | None = None
) -> tuple[EndpointStation, RawPeer, Wire, SessionId, LocateWanted]:
    """A call to a name that is being looked up."""
    station, raw, wire = pair(logins=logins)
    session = station.endpoint.invite(aim or Target(uri=PROVIDER, flow=None), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    (wanted,) = station.told()
    assert isinstance(wanted, LocateWanted)
    station.events.clear()
    return station, raw, wire, session, wanted


def test_a_request_to_a_name_waits_until_it_is_located_and_says_then_where_it_comes_from() -> None:
    station, raw, wire, session, wanted = looking()
    assert wanted.uri == PROVIDER
    assert raw.heard == []
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    (invite,) = raw.requests("INVITE")
    invite.check()
    assert invite.request_uri == "sip:100@sip.provider.example"
    assert (invite.via.sent_by, invite.via.has_magic_cookie) == ("192.0.2.9:5060", True)
    assert str(invite.contacts[0].uri) == "sip:192.0.2.9:5060"
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [InviteAccepted(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER)]


def test_a_name_without_flows_is_no_way_to_send() -> None:
    station, _, wire, session, wanted = looking()
    station.endpoint.located(wanted.key, [], wire.now)
    wire.run()
    assert station.told() == [InviteFailed(session=session, status=503, reason="Service Unavailable")]
    assert station.endpoint.live() == NOTHING


def test_who_waits_for_flows_does_so_no_longer_than_for_an_answer() -> None:
    station, raw, wire, session, wanted = looking()
    wire.run()
    assert station.told() == [InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True)]
    assert station.endpoint.live() == NOTHING
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(1)
    assert raw.heard == []


def test_a_call_that_is_taken_back_before_it_is_located_ends_at_once() -> None:
    station, raw, wire, session, wanted = looking()
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    assert station.told() == [InviteFailed(session=session, status=487, reason="Request Terminated")]
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run()
    assert raw.heard == []
    assert station.endpoint.live() == NOTHING


def test_a_ping_to_a_name() -> None:
    station, raw, wire = pair()
    ping = station.endpoint.ping(Target(uri=PROVIDER, flow=None), now=wire.now)
    wire.run(0.1)
    (wanted,) = station.told(LocateWanted)
    assert isinstance(wanted, LocateWanted)
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("OPTIONS")[0], 200)
    wire.run(0.1)
    answered = station.told(PingAnswered)[0]
    assert isinstance(answered, PingAnswered)
    assert (answered.ping, answered.status) == (ping, 200)


def test_what_waits_for_flows_counts_as_under_way() -> None:
    station, _, _, _, _ = looking()
    assert station.endpoint.live().transactions == 1


def test_the_nearest_route_is_what_is_located_and_stays_in_the_request() -> None:
    routes = ("<sip:edge.example;lr>", "<sip:core.example;lr>")
    station, raw, wire, _, wanted = looking(Target(uri=PROVIDER, flow=None, routes=routes))
    assert wanted.uri.host == "edge.example"
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    (invite,) = raw.requests("INVITE")
    assert tuple(invite.headers.get_all("Route")) == routes
    assert invite.request_uri == "sip:100@sip.provider.example"


def test_a_strict_router_is_the_request_uri() -> None:
    station, raw, wire = pair()
    aim = Target(uri=PROVIDER, flow=station.flow_to(raw), routes=("<sip:old.example>", "<sip:core.example;lr>"))
    station.endpoint.ping(aim, now=wire.now)
    wire.run(0.1)
    (asked,) = raw.requests("OPTIONS")
    assert asked.request_uri == "sip:old.example"
    assert asked.headers.get_all("Route") == ["<sip:core.example;lr>", "<sip:100@sip.provider.example>"]


def test_a_route_that_is_no_address_is_the_callers_mistake() -> None:
    station, _, wire = pair()
    with pytest.raises(LocalSipError, match="route"):
        station.endpoint.ping(Target(uri=PROVIDER, flow=None, routes=("<<",)), now=wire.now)


def test_who_has_an_account_is_of_its_domain() -> None:
    aim = Target(uri=PROVIDER, flow=None, account="provider")
    station, raw, wire, _, wanted = looking(aim, {"provider": Login(user="4711", password="secret")})
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    (invite,) = raw.requests("INVITE")
    assert invite.from_.uri.host == "sip.provider.example"


def test_what_cannot_be_written_once_it_is_located_has_failed() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(
        Target(uri=PROVIDER, flow=None), from_user="x", sdp=SDP, headers=[("X-Note", "\ud800")], now=wire.now
    )
    wire.run(0.1)
    (wanted,) = station.told()
    assert isinstance(wanted, LocateWanted)
    way = station.flow_to(raw)
    station.endpoint.located(wanted.key, [way, way._replace(remote=Address("192.0.2.2", 5060))], wire.now)
    wire.run(0.1)
    assert raw.heard == []
    assert station.told()[1:] == [InviteFailed(session=session, status=503, reason="Service Unavailable")]
    assert station.endpoint.live() == NOTHING
