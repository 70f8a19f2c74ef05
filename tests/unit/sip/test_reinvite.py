"""Re-INVITE both ways, one at a time, and glare (RFC 3261 14)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    AckReceived,
    EndedBy,
    InviteAccepted,
    InviteReceived,
    OfferAnswered,
    OfferReceived,
    OfferRefused,
    SessionEnded,
    SessionId,
    SipEvent,
)
from engine.sip.identity import ACCEPT
from engine.sip.message import Request
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
HOLD = SDP + b"a=sendonly\r\n"


def up() -> tuple[EndpointStation, RawPeer, Wire, SessionId, str]:
    """A call from the peer that stands: its session and our tag. The peer's next CSeq number is 2."""
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", to_tag=tag)
    wire.run(0.1)
    station.events.clear()
    raw.heard.clear()
    return station, raw, wire, received.session, tag


def placed() -> tuple[EndpointStation, RawPeer, Wire, SessionId]:
    """A call of ours that stands."""
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.events.clear()
    raw.heard.clear()
    return station, raw, wire, session


# --- theirs ---


def test_their_offer_is_told_and_answered_and_moves_the_target() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, body=HOLD, contact="<sip:new@192.0.2.1>")
    wire.run(0.1)
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=HOLD)]
    assert raw.statuses() == [100]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.7)
    ok = raw.responses()[-1]
    assert raw.statuses() == [100, 200, 200]
    assert (ok.body, str(ok.contacts[0].uri)) == (SDP_ANSWER, "sip:192.0.2.9:5060")
    raw.ask("ACK", number=2, to_tag=tag)
    wire.run(40)
    assert raw.statuses() == [100, 200, 200]
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=HOLD)]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].request_uri == "sip:new@192.0.2.1"


def test_their_request_for_an_offer_is_answered_in_the_ack() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, body=b"")
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP, now=wire.now)
    wire.run(0.1)
    fields = [("Content-Type", "application/sdp")]
    raw.ask("ACK", number=2, to_tag=tag, body=SDP_ANSWER, fields=fields)
    wire.run(0.1)
    assert station.told() == [
        OfferReceived(session=session, flow=station.flow_to(raw), sdp=None),
        AckReceived(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER),
    ]


def test_who_moves_to_another_network_is_told_with_the_offer_and_with_the_ack() -> None:
    station, raw, wire, session, tag = up()
    moved = RawPeer("192.0.2.77", station)
    wire.join(moved)
    moved.ask("INVITE", number=2, to_tag=tag, body=b"")
    wire.run(0.1)
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(moved), sdp=None)]
    station.endpoint.answer_offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.ask("ACK", number=2, to_tag=tag, body=SDP_ANSWER, fields=[("Content-Type", "application/sdp")])
    wire.run(0.1)
    assert station.told(AckReceived) == [AckReceived(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER)]


def test_a_refused_offer_leaves_the_call() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, branch="z9hG4bKre")
    wire.run(0.1)
    station.endpoint.refuse_offer(session, 488, "No video", now=wire.now)
    wire.run(0.1)
    assert (raw.statuses(), raw.responses()[-1].reason) == ([100, 488], "No video")
    raw.ask("ACK", number=2, to_tag=tag, branch="z9hG4bKre")
    with pytest.raises(LocalSipError):
        station.endpoint.refuse_offer(session, 488, now=wire.now)
    station.endpoint.bye(session, now=wire.now)


def test_their_second_offer_waits_for_the_answer_to_the_first() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag)
    second = raw.ask("INVITE", number=3, to_tag=tag)
    wire.run(0.1)
    raw.send(second)
    wire.run(0.1)
    refused = [each for each in raw.responses() if each.status == 500]
    assert len(refused) >= 2
    assert all(0 <= (each.retry_after or 0) <= 10 for each in refused)
    assert len(station.told(OfferReceived)) == 1
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)


def test_their_offer_without_ack_of_the_answer_before_is_taken() -> None:
    station, raw, wire, session, tag = up()
    for number in (2, 3):
        raw.ask("INVITE", number=number, to_tag=tag)
        wire.run(0.1)
        station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    raw.ask("ACK", number=3, to_tag=tag)
    wire.run(40)
    assert raw.statuses() == [100, 200, 100, 200]
    assert station.told(SessionEnded) == []


def test_their_offer_stands_for_the_ack_of_the_first_answer() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    assert [type(each) for each in station.told()] == [InviteReceived, AckReceived, OfferReceived]
    assert raw.statuses() == [200, 100]


def test_their_offer_while_our_late_offer_has_no_answer_is_glare() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", body=b"")
    wire.run(0.1)
    raw.ask("INVITE", number=2, to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    assert raw.statuses() == [200, 491]
    assert station.told(OfferReceived) == []


def test_their_offer_taken_back_needs_no_answer() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, branch="z9hG4bKre")
    wire.run(0.1)
    raw.ask("CANCEL", number=2, branch="z9hG4bKre")
    wire.run(0.1)
    assert raw.statuses() == [100, 200, 487]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    with pytest.raises(LocalSipError):
        station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("INVITE")) == 1


def test_no_ack_of_our_answer_ends_the_call() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run()
    assert station.told()[-1] == SessionEnded(session=session, by=EndedBy.ACK_TIMEOUT)
    assert raw.requests("BYE")
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize(
    ("fields", "status", "header"),
    [
        ([("Require", "100rel, x")], 420, ("Unsupported", "x")),
        ([("Content-Type", "text/plain")], 415, ("Accept", ACCEPT)),
    ],
)
def test_an_offer_that_wants_what_we_have_not(
    fields: list[tuple[str, str]], status: int, header: tuple[str, str]
) -> None:
    station, raw, wire, _, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, fields=fields)
    wire.run(0.1)
    response = raw.responses()[-1]
    assert (response.status, response.headers.get(header[0])) == (status, header[1])
    assert station.told() == []


def test_a_bye_answers_an_open_offer_too() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, branch="z9hG4bKre")
    wire.run(0.1)
    raw.ask("BYE", number=3, to_tag=tag)
    wire.run(0.1)
    assert sorted(raw.statuses()) == [100, 200, 487]
    raw.ask("ACK", number=2, to_tag=tag, branch="z9hG4bKre")
    wire.run()
    assert station.told()[-1] == SessionEnded(session=session, by=EndedBy.REMOTE)
    assert station.endpoint.live() == NOTHING


def test_an_offer_after_our_bye_finds_no_call() -> None:
    station, raw, wire, session, tag = up()
    station.endpoint.bye(session, now=wire.now)
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    assert raw.statuses() == [481]


# --- ours ---


def test_our_offer_is_answered_and_acknowledged_again_with_each_copy() -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    assert (invite.body, invite.cseq.number, invite.to_tag) == (HOLD, 2, "rawtag")
    assert invite.contacts
    raw.respond(invite, 180)
    for _ in range(2):
        raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    assert [each.cseq.number for each in raw.requests("ACK")] == [2, 2]
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    raw.respond(raw.requests("INVITE")[1], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [each.cseq.number for each in raw.requests("ACK")][-1] == 3
    assert len(station.told(OfferAnswered)) == 2


def test_one_offer_of_ours_at_a_time() -> None:
    station, _, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    with pytest.raises(LocalSipError, match="under way"):
        station.endpoint.offer(session, SDP, now=wire.now)


def test_our_offer_waits_for_the_ack_of_our_answer() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    station.endpoint.offer(received.session, HOLD, now=wire.now)
    wire.run(0.1)
    assert raw.requests() == []
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    assert [each.body for each in raw.requests("INVITE")] == [HOLD]


def test_our_offer_waits_for_theirs_to_be_answered() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    station.endpoint.offer(session, HOLD, now=wire.now)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert raw.requests() == []
    raw.ask("ACK", number=2, to_tag=tag)
    wire.run(0.1)
    assert [each.body for each in raw.requests("INVITE")] == [HOLD]


@pytest.mark.parametrize("status", [400, 488, 500, 603])
def test_a_refusal_of_our_offer_leaves_the_call(status: int) -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], status)
    wire.run(0.1)
    refused = station.told()
    assert [(type(each), getattr(each, "status", 0)) for each in refused] == [(OfferRefused, status)]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("status", [481, 408, None])
def test_a_peer_that_knows_the_call_no_more_ends_it(status: int | None) -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("INVITE")[0], status)
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.DIALOG_GONE)]
    assert raw.requests("BYE")
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize(("we_called", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_glare_is_tried_again_after_the_time_of_our_role(we_called: bool, low: float, high: float) -> None:
    station, raw, wire, session = placed() if we_called else up()[:4]
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    waits = []
    for _ in range(4):
        invite = raw.requests("INVITE")[-1]
        raw.respond(invite, 491)
        began = wire.now
        wire.run(5, until=lambda invite=invite: raw.requests("INVITE")[-1] is not invite)
        waits.append(wire.now - began)
    assert all(low - 1e-6 <= wait <= high + 1e-6 for wait in waits)
    assert len({round(wait, 2) for wait in waits}) > 1
    raw.respond(raw.requests("INVITE")[-1], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]


def test_glare_without_end_is_told_as_a_refusal() -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    for _ in range(6):
        wire.run(5)
        raw.respond(raw.requests("INVITE")[-1], 491)
    wire.run(5)
    assert station.told() == [OfferRefused(session=session, status=491, reason="Request Pending")]
    assert len({each.cseq.number for each in raw.requests("INVITE")}) == 6


def test_their_offer_while_ours_is_under_way_is_glare() -> None:
    station, raw, wire, session, tag = up()
    station.endpoint.offer(session, HOLD, now=wire.now)
    theirs = raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    raw.send(theirs)
    wire.run(0.1)
    assert set(raw.statuses()) == {491}
    assert station.told(OfferReceived) == []


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("loss", [0.0, 0.25])
def test_both_offer_at_once_and_both_get_through(seed: int, loss: float) -> None:
    a, b = make_station("a", "192.0.2.1"), make_station(f"b{seed}", "192.0.2.2")

    def react(station: EndpointStation, event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            station.endpoint.accept(event.session, SDP_ANSWER, now=now)
        elif isinstance(event, OfferReceived):
            station.endpoint.answer_offer(event.session, SDP_ANSWER, now=now)

    for station in (a, b):
        station.on_event = lambda event, now, station=station: react(station, event, now)
    wire = Wire(a, b, seed=seed)
    mine = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(1)
    received = b.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    wire.loss = loss
    a.endpoint.offer(mine, HOLD, now=wire.now)
    b.endpoint.offer(received.session, HOLD, now=wire.now)
    wire.run(60)
    assert [len(each.told(OfferAnswered)) for each in (a, b)] == [1, 1]
    a.endpoint.bye(mine, now=wire.now)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING


@pytest.mark.parametrize("answered", [True, False])
def test_a_call_that_ends_leaves_no_offer_behind(answered: bool) -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[0], 200)
    if answered:
        raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert len(raw.requests("ACK")) == answered
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_the_late_answer_of_a_first_invite_is_not_an_offer() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=None, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    raw.respond(invite, 200, sdp=SDP)
    wire.run(0.1)
    assert isinstance(station.told()[0], InviteAccepted)
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    assert [each.method for each in raw.requests()] == ["INVITE"]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    kinds = [(each.method, each.body) for each in raw.requests() if isinstance(each, Request)]
    assert kinds == [("INVITE", b""), ("ACK", SDP_ANSWER), ("INVITE", HOLD)]


@pytest.mark.parametrize("fields", [[("Contact", "<tel:1>")], [("Content-Type", "not a type")]])
def test_an_odd_answer_to_our_offer_is_acknowledged_all_the_same(fields: list[tuple[str, str]]) -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, fields=fields, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [type(each) for each in station.told()] == [OfferAnswered]
    assert len(raw.requests("ACK")) == 1


def test_our_offer_waits_for_theirs_to_be_refused() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    station.endpoint.offer(session, HOLD, now=wire.now)
    station.endpoint.refuse_offer(session, 488, now=wire.now)
    wire.run(0.1)
    assert [each.body for each in raw.requests("INVITE")] == [HOLD]


def test_an_offer_that_cannot_be_sent_leaves_the_call_and_the_next_goes_out() -> None:
    station, raw, wire, session = placed()
    station.endpoint.offer(session, HOLD, now=wire.now)
    wire.run(0.1)
    station.endpoint.send_failed(station.flow_to(raw), wire.now)
    wire.run(0.1)
    assert station.told() == [OfferRefused(session=session, status=503, reason="Service Unavailable")]
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    assert [each.body for each in raw.requests("INVITE")] == [HOLD, SDP]


def test_rfc_2543_peers_acknowledge_our_answer_with_the_branch_of_their_offer() -> None:
    station, raw, wire, session, tag = up()
    raw.ask("INVITE", number=2, to_tag=tag, branch="z9hG4bKsame", body=b"")
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.ask(
        "ACK", number=2, to_tag=tag, branch="z9hG4bKsame", body=SDP_ANSWER, fields=[("Content-Type", "application/sdp")]
    )
    wire.run(40.0)
    assert [each.sdp for each in station.told(AckReceived) if isinstance(each, AckReceived)] == [SDP_ANSWER]
    assert raw.statuses() == [100, 200]
