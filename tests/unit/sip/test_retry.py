"""Refusals that another INVITE answers: 421, 422 (RFC 4028 7.3), 3xx (RFC 3261 8.1.3.4)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.events import InviteAccepted, InviteFailed, LocateWanted
from engine.sip.identity import SUPPORTED, Reliable
from engine.sip.message import Request
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
        (1, "<sip:a@192.0.2.55;transport=tcp>"),
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
