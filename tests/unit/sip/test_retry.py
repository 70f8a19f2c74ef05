"""Refusals that another INVITE answers: 421, 422 (RFC 4028 7.3), 3xx (RFC 3261 8.1.3.4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sip.accounts import Login
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import InviteAccepted, InviteFailed, LocateWanted
from engine.sip.flow import Address, Flow, Transport
from engine.sip.identity import SUPPORTED, Reliable
from engine.sip.message import Request, Response
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, target
from tests.support.sip_raw import Fields, RawPeer, calling, pair

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def last(raw: RawPeer) -> Request:
    return raw.requests("INVITE")[-1]


def failures(station: object) -> list[tuple[int, str]]:
    told = station.told(InviteFailed)  # type: ignore[attr-defined]
    return [(each.status, each.reason) for each in told]


def test_a_longer_interval_is_taken_over() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180, tag="early")
    raw.respond(invite, 422, fields=[("Min-SE", "3600")])
    wire.run(0.1)
    again = last(raw)
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("3600", "3600")
    assert (again.call_id, again.from_tag, again.cseq.number, again.to_tag) == (
        invite.call_id,
        invite.from_tag,
        2,
        None,
    )
    assert again.via.branch != invite.via.branch
    assert again.body == SDP
    assert station.endpoint.live().dialogs == 0
    raw.respond(again, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert len(station.told(InviteAccepted)) == 1
    assert raw.requests("ACK")[-1].cseq.number == 2
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].cseq.number == 3


@pytest.mark.parametrize("fields", [[], [("Min-SE", "90")], [("Min-SE", "x")]])
def test_a_wish_that_is_none_is_a_refusal(fields: Fields) -> None:
    station, raw, wire, _, invite = calling()
    raw.respond(invite, 422, fields=fields)
    wire.run()
    assert failures(station) == [(422, "Session Interval Too Small")]
    assert station.endpoint.live() == NOTHING


def test_a_peer_that_raises_its_wish_each_time_is_given_up() -> None:
    station, raw, wire, _, _ = calling()
    for turn in range(5):
        if len(raw.requests("INVITE")) == turn + 1:
            raw.respond(last(raw), 422, fields=[("Min-SE", str(2000 + 1000 * turn))])
        wire.run(0.1)
    assert len(raw.requests("INVITE")) == 4
    assert failures(station) == [(422, "Session Interval Too Small")]


def test_an_extension_that_we_have_is_offered_where_it_must_be() -> None:
    _, raw, wire, _, invite = calling()
    raw.respond(invite, 421, fields=[("Require", "100rel")])
    wire.run(0.1)
    again = last(raw)
    assert set(again.supported) == SUPPORTED
    raw.respond(again, 183, fields=[("Require", "100rel"), ("RSeq", "1")])
    wire.run(0.1)
    assert raw.requests("PRACK")[0].headers.get("RAck") == "1 2 INVITE"


@pytest.mark.parametrize(
    ("require", "reliable"),
    [("gruu", Reliable.WHEN_REQUIRED), ("100rel", Reliable.NEVER), ("100rel", Reliable.WHEN_SUPPORTED)],
)
def test_an_extension_that_we_have_not_or_offered_is_a_refusal(require: str, reliable: Reliable) -> None:
    station, raw, wire, _, invite = calling(reliable=reliable)
    raw.respond(invite, 421, fields=[("Require", require)])
    wire.run(0.1)
    assert failures(station) == [(421, "Extension Required")]


def moved(*contacts: str) -> Fields:
    return [("Contact", ", ".join(contacts))]


def test_other_addresses_are_followed_in_their_order_where_that_is_allowed() -> None:
    station, raw, wire, _, invite = calling(redirects=1)
    other = RawPeer("192.0.2.55", station)
    wire.join(other)
    raw.respond(invite, 302, fields=moved("<sip:b@192.0.2.55>;q=0.1", "<sip:a@192.0.2.55:5060;x=y?Subject=z>;q=0.9"))
    wire.run(0.1)
    first = other.requests("INVITE")[0]
    assert (first.request_uri, first.to.uri.user, first.cseq.number) == ("sip:a@192.0.2.55:5060;x=y", "100", 2)
    other.respond(first, 404)
    wire.run(0.1)
    second = other.requests("INVITE")[1]
    assert second.request_uri == "sip:b@192.0.2.55"
    other.respond(second, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert len(station.told(InviteAccepted)) == 1
    assert len(other.requests("ACK")) == 2


@pytest.mark.parametrize(
    ("redirects", "contact"),
    [
        (0, "<sip:a@192.0.2.55>"),
        (1, "<tel:+49301>"),
        (1, "<sips:a@192.0.2.55>"),
        (1, "<sip:a@192.0.2.55;transport=sctp>"),
        (1, "<sip:a@192.0.2.55;transport=tls>"),
        (1, "<sip:a@192.0.2.55;method=MESSAGE>"),
        (1, "<sip:100@192.0.2.1:5060>"),
        (1, "<sip:a@224.0.0.1>"),
        (1, "<<broken"),
    ],
)
def test_what_is_not_followed_is_a_refusal(redirects: int, contact: str) -> None:
    station, raw, wire, _, invite = calling(redirects=redirects)
    raw.respond(invite, 302, fields=moved(contact))
    wire.run()
    assert failures(station) == [(302, "Moved Temporarily")]
    assert len(raw.requests("INVITE")) == 1
    assert station.endpoint.live() == NOTHING


def test_servers_that_send_us_to_and_fro_are_left() -> None:
    station, raw, wire, _, _ = calling(redirects=50)
    for turn in range(20):
        if len(raw.requests("INVITE")) == turn + 1:
            raw.respond(last(raw), 302, fields=moved(f"<sip:a{turn % 2}@192.0.2.1>"))
        wire.run(0.1)
    assert [each.request_uri for each in raw.requests("INVITE")] == [
        "sip:100@192.0.2.1:5060",
        "sip:a0@192.0.2.1",
        "sip:a1@192.0.2.1",
    ]
    assert failures(station) == [(302, "Moved Temporarily")]


def test_a_refusal_by_everybody_ends_the_search() -> None:
    station, raw, wire, _, invite = calling(redirects=1)
    raw.respond(invite, 300, fields=moved("<sip:a@192.0.2.1>", "<sip:b@192.0.2.1>"))
    wire.run(0.1)
    raw.respond(last(raw), 603)
    wire.run(0.1)
    assert failures(station) == [(603, "Decline")]


def test_so_many_addresses_and_no_more() -> None:
    station, raw, wire, _, invite = calling(redirects=5)
    raw.respond(invite, 302, fields=moved(*[f"<sip:a{each}@192.0.2.1>" for each in range(30)]))
    for turn in range(1, 40):
        wire.run(0.1)
        if len(raw.requests("INVITE")) == turn + 1:
            raw.respond(last(raw), 480)
    assert len(raw.requests("INVITE")) == 9
    assert failures(station) == [(480, "Temporarily Unavailable")]


def test_an_address_is_passed_over_where_the_layer_above_does_not_let_it() -> None:
    station, raw, wire = pair()
    asked: list[tuple[str, float]] = []

    def may_follow(uri: SipUri, now: float) -> bool:
        asked.append((str(uri), now))
        return uri.user == "b"

    aim = target(station, raw)
    station.endpoint.invite(aim, from_user="x", sdp=SDP, redirects=1, may_follow=may_follow, now=wire.now)
    wire.run(0.1)
    contacts = [f"<sip:{user}@192.0.2.1>" for user in "abc"]
    raw.respond(last(raw), 302, fields=moved(*contacts))
    wire.run(0.1)
    assert last(raw).request_uri == "sip:b@192.0.2.1"
    assert [uri for uri, _ in asked] == ["sip:a@192.0.2.1", "sip:b@192.0.2.1"]
    assert asked[0][1] > 1000.0
    raw.respond(last(raw), 404)
    wire.run(0.1)
    assert failures(station) == [(404, "Not Found")]


@pytest.mark.parametrize(
    ("host", "other", "at_home"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.55", False),
        ("sip.provider.example", "sip2.Provider.example", True),
        ("sip.provider.example", "sip.other.example", False),
        ("provider.example", "other.example", False),
        ("sip.provider.example", "192.0.2.55", False),
    ],
)
def test_nobody_elsewhere_is_shown_the_account_or_what_is_told_in_trust(host: str, other: str, at_home: bool) -> None:
    station, raw, wire = pair(logins={"provider": Login(user="4711", password="secret")})
    aim = replace(target(station, raw), uri=SipUri(user="100", host=host), account="provider")
    headers = [("P-Asserted-Identity", "<sip:1@h>"), ("Subject", "s")]
    station.endpoint.invite(aim, from_user="x", sdp=SDP, headers=headers, redirects=1, now=wire.now)
    wire.run(0.1)
    there = raw
    if other == "192.0.2.55":
        there = RawPeer(other, station)
        wire.join(there)
    raw.respond(last(raw), 302, fields=moved(f"<sip:a@{other}>"))
    wire.run(0.1)
    for wanted in station.told(LocateWanted):
        assert isinstance(wanted, LocateWanted)
        station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    assert last(there).request_uri.startswith("sip:a@")
    assert ("P-Asserted-Identity" in last(there).headers) is at_home
    assert "Subject" in last(there).headers
    challenge = 'Digest realm="r", nonce="n", algorithm=MD5, qop="auth"'
    there.respond(last(there), 401, fields=[("WWW-Authenticate", challenge)])
    wire.run(0.1)
    assert ("Authorization" in last(there).headers) is at_home
    assert failures(station) == ([] if at_home else [(401, "Unauthorized")])


def test_who_gave_up_is_sent_nowhere() -> None:
    station, raw, wire, session, invite = calling(redirects=1)
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    raw.respond(invite, 302, fields=moved("<sip:a@192.0.2.1>"))
    wire.run(0.1)
    assert len(raw.requests("INVITE")) == 1
    assert failures(station) == [(302, "Moved Temporarily")]


def test_hops_are_told_and_carried_on() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", fields=[("Max-Forwards", "12")])
    raw.ask("INVITE", number=1, call_id="none", fields=[("Max-Forwards", "70")])
    wire.run(0.1)
    assert [each.hops for each in station.told()] == [12, 70]  # type: ignore[union-attr]
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, max_forwards=11, now=wire.now)
    wire.run(0.1)
    assert last(raw).max_forwards == 11


def test_a_name_is_located_first() -> None:
    station, raw, wire, _, invite = calling(redirects=1)
    raw.respond(invite, 302, fields=moved("<sip:a@example.net>"))
    wire.run(0.1)
    wanted = station.told(LocateWanted)[0]
    assert isinstance(wanted, LocateWanted)
    assert wanted.uri.host == "example.net"
    station.endpoint.located(wanted.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    again = last(raw)
    assert (again.request_uri, again.cseq.number, str(again.contacts[0].uri)) == (
        "sip:a@example.net",
        2,
        "sip:192.0.2.9:5060",
    )
    raw.respond(again, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert len(station.told(InviteAccepted)) == 1


def test_rfc3261_19_1_5_the_method_of_an_address_is_no_part_of_the_request_uri() -> None:
    _, raw, wire, _, invite = calling(redirects=1)
    raw.respond(invite, 302, fields=moved("<sip:a@192.0.2.1;method=INVITE;x=y?Subject=z>"))
    wire.run(0.1)
    assert last(raw).request_uri == "sip:a@192.0.2.1;x=y"


def test_rfc3261_21_3_4_the_same_is_asked_by_way_of_the_proxy_that_a_305_names() -> None:
    station, raw, wire, _, invite = calling(redirects=3)
    proxy = RawPeer("192.0.2.55", station)
    wire.join(proxy)
    raw.respond(invite, 305, fields=moved("<sip:192.0.2.55;lr>"))
    wire.run(0.1)
    again = last(proxy)
    assert (again.request_uri, again.headers.get_all("Route")) == (invite.request_uri, ["<sip:192.0.2.55;lr>"])
    proxy.respond(again, 305, fields=moved("<sip:192.0.2.55;lr>"))
    wire.run(0.1)
    assert failures(station) == [(305, "Use Proxy")]


def test_rfc3261_8_1_3_4_an_address_may_name_another_transport() -> None:
    station, raw, wire, _, invite = calling(redirects=1)
    other = RawPeer("192.0.2.55", station)
    wire.join(other)
    wire.on_demand = True
    raw.respond(invite, 302, fields=moved("<sip:a@192.0.2.55;transport=tcp>"))
    wire.run(0.1)
    again = last(other)
    assert (again.via.transport, str(again.contacts[0].uri)) == ("TCP", "sip:192.0.2.9:5060;transport=tcp")


@pytest.mark.parametrize(
    ("contact", "port"),
    [
        ("<sip:a@192.0.2.55;transport=tls>", 5061),
        ("<sips:a@192.0.2.55>", 5061),
        ("<sips:a@192.0.2.55:5071>", 5071),
        ("<sip:a@192.0.2.55>", None),
        ("<sip:a@192.0.2.55;transport=tcp>", None),
    ],
)
def test_a_call_over_tls_is_followed_to_where_tls_is_spoken(contact: str, port: int | None) -> None:
    station, _, wire = pair()
    flow = Flow(Transport.TLS, station.address, Address("192.0.2.1", 5061), 7)
    station.endpoint.connection_opened(flow, wire.now)
    aim = Target(uri=SipUri(user="100", host="192.0.2.1"), flow=flow)
    station.endpoint.invite(aim, from_user="x", sdp=SDP, redirects=1, now=wire.now)
    (sent,) = station.endpoint.datagrams_to_send()
    invite = parse_datagram(sent.data)
    assert isinstance(invite, Request)
    refusal = Response.build(invite, 302, None, "t", moved(contact))
    station.endpoint.receive_stream(refusal.to_bytes(), flow, wire.now)
    sent = station.endpoint.datagrams_to_send()[-1]
    if port is None:
        assert sent.data.startswith(b"ACK")
    else:
        assert sent.data.startswith(b"INVITE")
        assert (sent.flow.transport, sent.flow.remote) == (Transport.TLS, Address("192.0.2.55", port))


def test_the_proxy_of_a_305_is_judged_with_the_number_that_was_called() -> None:
    station, raw, wire = pair()
    asked: list[str] = []

    def may_follow(uri: SipUri, now: float) -> bool:
        asked.append(str(uri))
        return False

    aim = target(station, raw)
    station.endpoint.invite(aim, from_user="x", sdp=SDP, redirects=1, may_follow=may_follow, now=wire.now)
    wire.run(0.1)
    raw.respond(last(raw), 305, fields=moved("<sip:192.0.2.55;lr>"))
    wire.run(0.1)
    assert asked == ["sip:100@192.0.2.55;lr"]
    assert failures(station) == [(305, "Use Proxy")]


def test_rfc3261_21_3_4_the_proxy_of_a_305_takes_the_place_of_the_route_before() -> None:
    station, raw, wire = pair()
    aim = replace(target(station, raw), routes=("<sip:192.0.2.1;lr>",))
    station.endpoint.invite(aim, from_user="x", sdp=SDP, redirects=1, now=wire.now)
    wire.run(0.1)
    assert last(raw).headers.get_all("Route") == ["<sip:192.0.2.1;lr>"]
    raw.respond(last(raw), 305, fields=moved("<sip:192.0.2.1:5060;lr;x=y>"))
    wire.run(0.1)
    assert last(raw).headers.get_all("Route") == ["<sip:192.0.2.1:5060;lr;x=y>"]
