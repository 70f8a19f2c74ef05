"""Reliable provisional responses of the peer, and our PRACKs (RFC 3262 4)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.events import InviteAccepted, InviteFailed, OfferReceived, ProgressReceived, SessionEnded
from engine.sip.identity import SUPPORTED, Reliable
from engine.sip.message import Request
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import RawPeer, calling

NOTHING = LiveCounts(0, 0, 0, 0, 0)
OTHER = SDP.replace(b"4000", b"4600")
OTHERS = tuple(sorted(SUPPORTED - {"100rel"}))
NEXT = SDP.replace(b"4000", b"4700")


def ring(raw: RawPeer, invite: Request, rseq: int, *, status: int = 183, sdp: bytes = b"", tag: str = "a") -> None:
    fields = [("Require", "100rel"), ("RSeq", str(rseq)), ("Allow", "INVITE, UPDATE, PRACK")]
    raw.respond(invite, status, tag=tag, fields=[*fields, ("Contact", f"<sip:{tag}@192.0.2.1:5060>")], sdp=sdp)


def test_each_is_confirmed_once_and_told_once() -> None:
    station, raw, wire, session, invite = calling()
    ring(raw, invite, 7, status=180)
    wire.run(0.1)
    prack = raw.requests("PRACK")[0]
    assert (prack.headers.get("RAck"), prack.cseq.number, prack.to_tag) == ("7 1 INVITE", 2, "a")
    assert prack.request_uri == "sip:a@192.0.2.1:5060"
    raw.respond(prack, 200)
    ring(raw, invite, 7, status=180)
    ring(raw, invite, 9, status=182)
    wire.run(0.1)
    assert len(raw.requests("PRACK")) == 1
    ring(raw, invite, 8, status=181)
    wire.run(0.1)
    raw.respond(raw.requests("PRACK")[1], 200)
    assert raw.requests("PRACK")[1].headers.get("RAck") == "8 1 INVITE"
    assert [each.cseq.number for each in raw.requests("PRACK")] == [2, 3]
    assert station.told() == [
        ProgressReceived(session=session, status=180, sdp=None, reliable=True),
        ProgressReceived(session=session, status=181, sdp=None, reliable=True),
    ]
    raw.respond(invite, 486)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_a_prack_goes_the_way_of_the_response() -> None:
    _, raw, wire, _, invite = calling()
    fields = [("Require", "100rel"), ("RSeq", "1"), ("Record-Route", "<sip:p1;lr>"), ("Record-Route", "<sip:p2;lr>")]
    raw.respond(invite, 183, fields=fields)
    wire.run(0.1)
    assert [str(each) for each in raw.requests("PRACK")[0].routes] == ["<sip:p2;lr>", "<sip:p1;lr>"]


def test_the_answer_that_was_confirmed_counts_and_not_what_the_2xx_repeats() -> None:
    station, raw, wire, session, invite = calling()
    ring(raw, invite, 1, sdp=SDP_ANSWER)
    wire.run(0.1)
    raw.respond(raw.requests("PRACK")[0], 200)
    raw.respond(invite, 200, tag="a", sdp=OTHER)
    wire.run(0.1)
    assert station.told(InviteAccepted) == [
        InviteAccepted(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER, dialog="a")
    ]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].cseq.number == 3


def test_each_place_has_its_own_numbers_and_its_own_answer() -> None:
    station, raw, wire, _, invite = calling()
    for tag, rseq, sdp in (("a", 4, SDP_ANSWER), ("b", 900, OTHER)):
        ring(raw, invite, rseq, tag=tag, sdp=sdp)
    raw.respond(invite, 183, tag="c", sdp=NEXT)
    wire.run(0.1)
    assert [(each.to_tag, each.headers.get("RAck")) for each in raw.requests("PRACK")] == [
        ("a", "4 1 INVITE"),
        ("b", "900 1 INVITE"),
    ]
    for each in raw.requests("PRACK"):
        raw.respond(each, 200)
    told = [each for each in station.told() if isinstance(each, ProgressReceived)]
    assert [(each.dialog, each.sdp, each.reliable) for each in told] == [
        ("a", SDP_ANSWER, True),
        ("b", OTHER, True),
        ("c", NEXT, False),
    ]
    raw.respond(invite, 200, tag="b")
    wire.run(0.1)
    accepted = station.told(InviteAccepted)[0]
    assert isinstance(accepted, InviteAccepted)
    assert (accepted.sdp, accepted.dialog) == (OTHER, "b")
    assert station.endpoint.live().dialogs == 1


def test_a_2xx_without_description_takes_what_its_own_place_said_before() -> None:
    station, raw, wire, _, invite = calling()
    raw.respond(invite, 183, tag="a", sdp=OTHER)
    raw.respond(invite, 183, tag="b", sdp=SDP_ANSWER)
    raw.respond(invite, 200, tag="a")
    wire.run(0.1)
    accepted = station.told(InviteAccepted)[0]
    assert isinstance(accepted, InviteAccepted)
    assert accepted.sdp == OTHER


def test_an_offer_in_it_is_answered_in_the_prack() -> None:
    station, raw, wire, session, invite = calling(None)
    ring(raw, invite, 1, sdp=SDP)
    wire.run(0.1)
    assert station.told() == [ProgressReceived(session=session, status=183, sdp=SDP, reliable=True, dialog="a")]
    assert raw.requests("PRACK") == []
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    prack = raw.requests("PRACK")[0]
    assert (prack.body, prack.content_type) == (SDP_ANSWER, "application/sdp")
    raw.respond(prack, 200)
    raw.respond(invite, 200, tag="a")
    wire.run(0.1)
    assert [each.body for each in raw.requests("ACK")] == [b""]
    assert station.told(InviteAccepted) == [InviteAccepted(session=session, flow=station.flow_to(raw), sdp=None)]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1


def test_a_place_whose_offer_was_not_answered_is_answered_in_the_ack() -> None:
    station, raw, wire, session, invite = calling(None)
    ring(raw, invite, 1, sdp=SDP, tag="a")
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    raw.respond(invite, 200, tag="b", sdp=OTHER)
    wire.run(0.1)
    accepted = station.told(InviteAccepted)[0]
    assert isinstance(accepted, InviteAccepted)
    assert accepted.sdp == OTHER
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert [(each.to_tag, each.body) for each in raw.requests("ACK")] == [("b", SDP_ANSWER)]


def test_an_offer_overtaken_by_the_2xx_is_answered_in_the_ack() -> None:
    station, raw, wire, session, invite = calling(None)
    ring(raw, invite, 1, sdp=SDP)
    raw.respond(invite, 200, tag="a", sdp=SDP)
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert [each.body for each in raw.requests("ACK")] == [SDP_ANSWER]
    assert raw.requests("PRACK") == []


def test_without_require_or_with_a_number_that_is_none_it_is_a_plain_one() -> None:
    station, raw, wire, _, invite = calling()
    raw.respond(invite, 180, fields=[("RSeq", "1")])
    raw.respond(invite, 180, fields=[("RSeq", "x"), ("Require", "100rel")])
    raw.respond(invite, 180, fields=[("RSeq", "0"), ("Require", "100rel")])
    wire.run(0.1)
    assert raw.requests("PRACK") == []
    assert [each.reliable for each in station.told() if isinstance(each, ProgressReceived)] == [False] * 3


def test_nothing_is_confirmed_after_cancel() -> None:
    station, raw, wire, session, invite = calling()
    station.endpoint.cancel(session, now=wire.now)
    ring(raw, invite, 1)
    wire.run(0.1)
    assert raw.requests("PRACK") == []
    raw.respond(raw.requests("CANCEL")[0], 200)
    raw.respond(invite, 487)
    wire.run()
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("status", [481, 500, None])
def test_what_becomes_of_a_prack_changes_nothing(status: int | None) -> None:
    station, raw, wire, session, invite = calling()
    ring(raw, invite, 1)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("PRACK")[0], status)
    wire.run(40)
    assert station.told((SessionEnded, InviteFailed)) == []
    station.endpoint.cancel(session, now=wire.now)


def test_199_ends_the_dialog_of_one_place() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180, tag="a")
    raw.respond(invite, 180, tag="b")
    wire.run(0.1)
    assert station.endpoint.live().dialogs == 2
    raw.respond(invite, 199, tag="a")
    wire.run(0.1)
    assert station.endpoint.live().dialogs == 1
    station.endpoint.cancel(session, now=wire.now)


def test_a_peer_that_rings_without_end_is_confirmed_so_often_and_no_more() -> None:
    _, raw, wire, _, invite = calling()
    for rseq in range(1, 100):
        ring(raw, invite, rseq)
        wire.run(0.01)
        if len(raw.requests("PRACK")) == rseq:
            raw.respond(raw.requests("PRACK")[-1], 200)
    assert len({each.headers.get("RAck") for each in raw.requests("PRACK")}) == 64


def test_places_past_the_bound_get_no_prack() -> None:
    station, raw, wire, _, invite = calling()
    for place in range(20):
        ring(raw, invite, 1, tag=f"t{place}")
    wire.run(0.1)
    assert len({each.to_tag for each in raw.requests("PRACK")}) == 16
    assert station.endpoint.live().dialogs == 16


@pytest.mark.parametrize(
    ("reliable", "supported", "require"),
    [
        (Reliable.NEVER, OTHERS, ()),
        (Reliable.WHEN_REQUIRED, OTHERS, ()),
        (Reliable.WHEN_SUPPORTED, ("100rel", *OTHERS), ()),
        (Reliable.ALWAYS, ("100rel", *OTHERS), ("100rel",)),
    ],
)
def test_what_our_invite_offers(reliable: Reliable, supported: tuple[str, ...], require: tuple[str, ...]) -> None:
    _, _, _, _, invite = calling(reliable=reliable)
    assert (invite.supported, invite.require) == (supported, require)


def test_an_update_in_a_dialog_of_several_is_told_with_its_place() -> None:
    station, raw, wire, session, invite = calling()
    for tag in ("a", "b"):
        ring(raw, invite, 1, tag=tag, sdp=SDP_ANSWER)
    wire.run(0.1)
    for each in raw.requests("PRACK"):
        raw.respond(each, 200)
    ours = invite.from_tag
    for tag in ("a", "b"):
        raw.ask(
            "UPDATE",
            call_id=invite.call_id,
            from_tag=tag,
            to_tag=ours,
            body=OTHER,
            fields=[("Content-Type", "application/sdp")],
        )
    wire.run(0.1)
    told = station.told(OfferReceived)
    assert [each.dialog for each in told if isinstance(each, OfferReceived)] == ["a"]
    assert raw.statuses() == [500]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [500, 200]
    assert raw.responses()[-1].from_tag == "a"
    raw.respond(invite, 200, tag="a")
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
