"""UPDATE both ways, in early and in confirmed dialogs (RFC 3311)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    EndedBy,
    InviteAccepted,
    OfferAnswered,
    OfferReceived,
    OfferRefused,
    SessionEnded,
    SessionId,
)
from engine.sip.message import Request
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import Fields, RawPeer, answering, calling, pair, session_of
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
OFFER = SDP.replace(b"4000", b"4400")
TYPED = [("Content-Type", "application/sdp")]
TAKES = [("Allow", "INVITE, ACK, BYE, UPDATE")]


def up(fields: Fields = TAKES) -> tuple[EndpointStation, RawPeer, Wire, SessionId, str]:
    """A call from the peer that stands, and our tag. The peer's next CSeq number is 2."""
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", to_tag=tag)
    wire.run(0.1)
    session = session_of(station)
    station.events.clear()
    raw.heard.clear()
    return station, raw, wire, session, tag


def early() -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """A call of ours whose first offer was answered by a reliable provisional response."""
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 183, fields=[("Require", "100rel"), ("RSeq", "1"), *TAKES], sdp=SDP_ANSWER)
    wire.run(0.1)
    raw.respond(raw.requests("PRACK")[0], 200)
    wire.run(0.1)
    station.events.clear()
    raw.heard.clear()
    return station, raw, wire, session, invite


def update(raw: RawPeer, tag: str, *, number: int = 2, sdp: bytes = b"", **options: object) -> Request:
    fields = list(options.pop("fields", ())) + (TYPED if sdp else [])  # type: ignore[call-overload]
    return raw.ask("UPDATE", number=number, to_tag=tag, body=sdp, fields=fields, **options)


# --- theirs ---


def test_without_offer_it_moves_the_target_and_is_not_told() -> None:
    station, raw, wire, session, tag = up()
    update(raw, tag, contact="<sip:new@192.0.2.1>")
    wire.run(0.1)
    ok = raw.responses()[-1]
    assert (ok.status, ok.body, str(ok.contacts[0].uri)) == (200, b"", "sip:192.0.2.9:5060")
    assert station.told() == []
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].request_uri == "sip:new@192.0.2.1"


def test_with_offer_it_is_told_and_answered_and_needs_no_ack() -> None:
    station, raw, wire, session, tag = up()
    update(raw, tag, sdp=OFFER)
    wire.run(0.1)
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=OFFER)]
    assert raw.statuses() == []
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(40)
    assert [(each.status, each.body) for each in raw.responses()] == [(200, SDP_ANSWER)]
    update(raw, tag, number=3, sdp=OFFER)
    wire.run(0.1)
    station.endpoint.refuse_offer(session, 504, now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [200, 504]
    station.endpoint.bye(session, now=wire.now)


def test_a_second_offer_waits() -> None:
    station, raw, wire, session, tag = up()
    update(raw, tag, sdp=OFFER)
    update(raw, tag, number=3, sdp=OFFER)
    raw.ask("INVITE", number=4, to_tag=tag)
    wire.run(0.1)
    refused = raw.responses()
    assert [each.status for each in refused] == [500, 500]
    assert all(0 <= (each.retry_after if each.retry_after is not None else 99) <= 10 for each in refused)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    station.endpoint.bye(session, now=wire.now)


def test_an_offer_that_meets_ours_is_refused_and_a_refresh_is_not() -> None:
    station, raw, wire, session, tag = up()
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    update(raw, tag, sdp=OFFER)
    update(raw, tag, number=3)
    wire.run(0.1)
    assert raw.statuses() == [491, 200]
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told(OfferAnswered) == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize(
    ("fields", "body", "status"),
    [
        ([("Require", "gruu")], b"", 420),
        ([("Content-Type", "text/plain")], b"x", 415),
        ([("Session-Expires", "30"), ("Supported", "timer")], b"", 422),
    ],
)
def test_what_an_update_may_not_ask_for(fields: Fields, body: bytes, status: int) -> None:
    station, raw, wire, session, tag = up()
    raw.ask("UPDATE", number=2, to_tag=tag, fields=fields, body=body)
    wire.run(0.1)
    assert raw.statuses() == [status]
    station.endpoint.bye(session, now=wire.now)


def test_before_the_first_answer_an_offer_comes_too_early() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    update(raw, tag, sdp=OFFER)
    update(raw, tag, number=3)
    wire.run(0.1)
    assert raw.statuses() == [100, 180, 500, 200]
    assert raw.responses()[2].retry_after is not None
    assert "Session-Expires" not in raw.responses()[3].headers
    station.endpoint.reject(session, 486, now=wire.now)
    wire.run(0.1)
    update(raw, tag, number=4)
    wire.run(0.1)
    assert raw.statuses()[-1] == 481


def test_after_a_reliable_answer_the_caller_may_offer_before_the_call_is_answered() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", fields=[("Require", "100rel")])
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.progress(session, 183, sdp=SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    sent = raw.responses()[-1]
    raw.ask("PRACK", number=2, to_tag=sent.to_tag, fields=[("RAck", f"{sent.headers.get('RSeq')} 1 INVITE")])
    update(raw, sent.to_tag or "", number=3, sdp=OFFER)
    wire.run(0.1)
    told = station.told(OfferReceived)
    assert told == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=OFFER)]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert (raw.responses()[-1].status, raw.responses()[-1].body) == (200, SDP_ANSWER)
    station.endpoint.reject(session, 486, now=wire.now)
    wire.run(0.1)
    raw.ask("ACK", branch="z9hG4bKraw1", to_tag=sent.to_tag)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_an_update_in_the_early_dialog_of_our_call() -> None:
    station, raw, wire, session, invite = early()
    raw.ask("UPDATE", call_id=invite.call_id, to_tag=invite.from_tag, body=OFFER, fields=TYPED)
    wire.run(0.1)
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=OFFER)]
    station.endpoint.answer_offer(session, SDP, now=wire.now)
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert raw.statuses() == [200]
    assert len(station.told(InviteAccepted)) == 1
    station.endpoint.bye(session, now=wire.now)


def test_without_a_reliable_answer_the_called_side_may_not_offer() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 183, sdp=SDP_ANSWER)
    wire.run(0.1)
    raw.ask("UPDATE", call_id=invite.call_id, to_tag=invite.from_tag, body=OFFER, fields=TYPED)
    wire.run(0.1)
    assert raw.statuses() == [491]
    station.endpoint.cancel(session, now=wire.now)


# --- ours ---


def test_our_offer_by_update() -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    sent = raw.requests("UPDATE")[0]
    assert (sent.body, sent.content_type, len(sent.contacts)) == (OFFER, "application/sdp", 1)
    raw.respond(sent, 200, fields=[("Contact", "<sip:new@192.0.2.1>")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    assert raw.requests("ACK") == []
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].request_uri == "sip:new@192.0.2.1"


def test_our_offer_before_the_call_is_answered() -> None:
    station, raw, wire, session, invite = early()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    sent = raw.requests("UPDATE")[0]
    assert (sent.cseq.number, sent.to_tag) == (3, "rawtag")
    raw.respond(invite, 200)
    wire.run(0.1)
    raw.respond(sent, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [
        InviteAccepted(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER),
        OfferAnswered(session=session, sdp=SDP_ANSWER),
    ]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("status", [481, 488, None])
def test_a_refused_offer_leaves_an_early_call_as_it_was(status: int | None) -> None:
    station, raw, wire, session, _ = early()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("UPDATE")[0], status)
    wire.run(40)
    told = station.told(OfferRefused)[0]
    assert isinstance(told, OfferRefused)
    assert told.status == (status or 408)
    assert station.told(SessionEnded) == []
    station.endpoint.cancel(session, now=wire.now)


def test_who_does_not_take_it_gets_none() -> None:
    station, _, wire, session, _ = up([("Allow", "INVITE, ACK, BYE")])
    with pytest.raises(LocalSipError):
        station.endpoint.update(session, OFFER, now=wire.now)
    station.endpoint.bye(session, now=wire.now)


def test_before_the_first_answer_ours_is_too_early_too() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 183, fields=TAKES, sdp=SDP_ANSWER)
    wire.run(0.1)
    with pytest.raises(LocalSipError):
        station.endpoint.update(session, OFFER, now=wire.now)
    station.endpoint.cancel(session, now=wire.now)


@pytest.mark.parametrize(
    ("status", "fields", "least", "most"),
    [(491, [], 0.0, 2.0), (500, [("Retry-After", "3")], 2.9, 3.1), (503, [("Retry-After", "1")], 0.9, 1.1)],
)
def test_an_offer_that_comes_at_a_bad_time_is_made_again(
    status: int, fields: Fields, least: float, most: float
) -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("UPDATE")[0], status, fields=fields)
    wire.run(0.05)
    began = wire.now
    wire.run(until=lambda: len(raw.requests("UPDATE")) == 2)
    assert least <= wire.now - began <= most
    raw.respond(raw.requests("UPDATE")[1], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize(
    ("status", "fields"), [(500, []), (500, [("Retry-After", "600")]), (488, [("Retry-After", "1")])]
)
def test_an_offer_refused_for_long_is_refused(status: int, fields: Fields) -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("UPDATE")[0], status, fields=fields)
    wire.run(0.1)
    told = station.told(OfferRefused)[0]
    assert isinstance(told, OfferRefused)
    assert told.status == status
    station.endpoint.bye(session, now=wire.now)


def test_a_peer_that_does_not_know_update_after_all_gets_a_reinvite() -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("UPDATE")[0], 405)
    wire.run(0.1)
    assert raw.requests("INVITE")[0].body == OFFER
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("status", [481, 408, None])
def test_whoever_knows_nothing_of_the_call_ends_it(status: int | None) -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.update(session, OFFER, now=wire.now)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("UPDATE")[0], status)
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.DIALOG_GONE)]
    assert len({each.via.branch for each in raw.requests("BYE")}) == 1
    assert station.endpoint.live() == NOTHING


def test_reliable_responses_to_a_reinvite_are_confirmed() -> None:
    station, raw, wire, session, _ = up()
    station.endpoint.offer(session, OFFER, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    for rseq in (5, 5, 6):
        raw.respond(invite, 183, fields=[("Require", "100rel"), ("RSeq", str(rseq))])
        wire.run(0.1)
    assert [each.headers.get("RAck") for each in raw.requests("PRACK")] == [
        f"{rseq} {invite.cseq.number} INVITE" for rseq in (5, 6)
    ]
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    station.endpoint.bye(session, now=wire.now)
