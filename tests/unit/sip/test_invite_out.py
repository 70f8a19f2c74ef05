"""Calls that go out: progress, answers, forks, refusals, CANCEL (RFC 3261 9.1, 13.2)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts, Target
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    InviteAccepted,
    InviteFailed,
    ProgressReceived,
    SessionEnded,
)
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, target
from tests.support.sip_raw import calling, pair

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def test_what_an_invite_of_ours_says() -> None:
    station, raw, wire = pair()
    aim = Target(uri=SipUri(user="line1", host="10.0.0.7", port=5070), flow=station.flow_to(raw))
    station.endpoint.invite(
        aim, from_user="+4912", from_display="Jörg", to_user="+4955", sdp=SDP, headers=[("X-Call", "7")], now=wire.now
    )
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    assert invite.request_uri == "sip:line1@10.0.0.7:5070"
    assert (invite.to.uri.user, invite.from_.uri.user, invite.from_.display) == ("+4955", "+4912", "Jörg")
    assert (invite.body, invite.content_type, invite.headers.get("X-Call")) == (SDP, "application/sdp", "7")
    assert "rport" in invite.via.params
    assert invite.max_forwards == 70
    assert invite.via.has_magic_cookie
    assert str(invite.contacts[0].uri) == "sip:192.0.2.9:5060"
    invite.check()


def test_progress_and_answer_are_told_and_acknowledged_again_with_each_copy() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 100)
    raw.respond(invite, 180)
    raw.respond(invite, 183, sdp=SDP_ANSWER)
    for _ in range(3):
        raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [
        ProgressReceived(session=session, status=180, sdp=None),
        ProgressReceived(session=session, status=183, sdp=SDP_ANSWER),
        InviteAccepted(session=session, flow=station.flow_to(raw), sdp=SDP_ANSWER),
    ]
    acks = raw.requests("ACK")
    assert len(acks) == 3
    assert acks[0] == acks[1] == acks[2]
    assert acks[0].via.branch != invite.via.branch
    assert acks[0].to_tag == "rawtag"


def test_a_body_that_is_no_sdp_is_passed_over() -> None:
    station, raw, wire, _, invite = calling()
    raw.respond(invite, 183, fields=[("Content-Type", "text/plain")], sdp=b"hello")
    wire.run(0.1)
    progress = station.told(ProgressReceived)[0]
    assert isinstance(progress, ProgressReceived)
    assert progress.sdp is None


def test_a_type_that_cannot_be_read_costs_the_body_and_not_the_call() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, fields=[("Content-Type", "not a type")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [InviteAccepted(session=session, flow=station.flow_to(raw), sdp=None)]
    assert len(raw.requests("ACK")) == 1


def test_an_answer_whose_to_cannot_be_read_is_as_if_it_never_came() -> None:
    station, raw, wire, session, invite = calling()
    invite.headers.set("To", "<<<>>;tag")
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run()
    assert station.told() == [
        InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True),
    ]
    assert station.endpoint.live() == NOTHING


def test_a_late_offer_of_the_peer_is_answered_in_our_ack() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=None, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    assert invite.body == b""
    raw.respond(invite, 200, sdp=SDP)
    wire.run(0.1)
    assert raw.requests("ACK") == []
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    raw.respond(invite, 200, sdp=SDP)
    wire.run(0.1)
    assert [each.body for each in raw.requests("ACK")] == [SDP_ANSWER, SDP_ANSWER]
    with pytest.raises(LocalSipError):
        station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)


def test_a_late_offer_that_is_hung_up_on_is_acknowledged_first() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=None, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert [each.method for each in raw.requests()] == ["INVITE", "ACK", "BYE"]


def test_the_second_fork_to_answer_is_acknowledged_and_ended() -> None:
    station, raw, wire, session, invite = calling()
    for tag in ("one", "two", "three"):
        raw.respond(invite, 180, tag=tag)
    wire.run(0.1)
    assert station.endpoint.live().dialogs == 3
    raw.respond(invite, 200, tag="two", sdp=SDP_ANSWER)
    raw.respond(invite, 200, tag="one", sdp=SDP_ANSWER)
    raw.respond(invite, 200, tag="one", sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [(each.method, each.to_tag) for each in raw.requests()[1:]] == [
        ("ACK", "two"),
        ("ACK", "one"),
        ("BYE", "one"),
        ("ACK", "one"),
    ]
    assert station.endpoint.live()[1:3] == (1, 1)
    assert len(station.told(InviteAccepted)) == 1
    assert station.told(SessionEnded) == []
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[1].to_tag == "two"


def test_forks_are_bounded() -> None:
    station, raw, wire, _, invite = calling()
    for number in range(100):
        raw.respond(invite, 180, tag=f"ring{number}")
    wire.run(0.1)
    assert station.endpoint.live().dialogs == 16
    for number in range(100):
        raw.respond(invite, 200, tag=f"ok{number}")
    wire.run(0.1)
    assert len(raw.requests("ACK")) == 16


@pytest.mark.parametrize("status", [300, 302, 404, 480, 487, 503, 600, 603])
def test_each_refusal_is_told_with_its_status(status: int) -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, status, fields=[("Retry-After", "nonsense")])
    wire.run()
    failed = station.told()[-1]
    assert isinstance(failed, InviteFailed)
    assert (failed.session, failed.status, failed.retry_after, failed.timed_out) == (session, status, None, False)
    assert station.endpoint.live() == NOTHING


# --- CANCEL ---


def test_cancel_waits_for_the_first_provisional() -> None:
    station, raw, wire, session, invite = calling()
    station.endpoint.cancel(session, now=wire.now, reason_header='SIP;cause=200;text="elsewhere"')
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("CANCEL") == []
    raw.respond(invite, 100)
    raw.respond(invite, 180)
    wire.run(0.1)
    cancel = raw.requests("CANCEL")[0]
    assert len(raw.requests("CANCEL")) == 1
    assert (cancel.via, cancel.request_uri, cancel.cseq.number) == (invite.via, invite.request_uri, 1)
    assert cancel.headers.get("Reason") == 'SIP;cause=200;text="elsewhere"'
    assert cancel.headers.get("To") == invite.headers.get("To")
    raw.respond(cancel, 200)
    raw.respond(invite, 487)
    wire.run()
    assert station.told() == [InviteFailed(session=session, status=487, reason="Request Terminated")]
    assert [each.method for each in raw.requests()] == ["INVITE", "CANCEL", "ACK"]
    assert station.endpoint.live() == NOTHING


def test_cancel_of_an_invite_that_nobody_answers_ends_by_timer_b() -> None:
    station, raw, wire, session, _ = calling()
    station.endpoint.cancel(session, now=wire.now)
    wire.run()
    assert raw.requests("CANCEL") == []
    assert station.told() == [
        InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True),
    ]
    assert station.endpoint.live() == NOTHING


def test_a_2xx_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    for _ in range(2):
        raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [each.method for each in raw.requests()] == ["INVITE", "CANCEL", "ACK", "BYE", "ACK"]
    assert station.told()[1:] == [InviteFailed(session=session, status=487, reason="Request Terminated")]
    raw.respond(raw.requests("BYE")[0], 200)
    wire.run()
    assert station.endpoint.live() == NOTHING
    assert len(station.told()) == 2


def test_a_refusal_that_crosses_the_cancel_is_told_as_it_came() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    raw.respond(invite, 486)
    wire.run()
    assert station.told()[1:] == [InviteFailed(session=session, status=486, reason="Busy Here")]
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("answered", [True, False])
def test_a_cancel_that_brings_no_final_response_ends_after_64_t1(answered: bool) -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    began = wire.now
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    if answered:
        raw.respond(raw.requests("CANCEL")[0], 200)
    wire.run()
    assert station.events[-1] == (
        began + 32,
        InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True),
    )
    assert station.endpoint.live() == NOTHING


def test_cancel_after_the_answer_is_an_error() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    with pytest.raises(LocalSipError, match="up"):
        station.endpoint.cancel(session, now=wire.now)
