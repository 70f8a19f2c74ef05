"""Calls that come in: told, answered, acknowledged or not, refused (RFC 3261 13.3)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    AckReceived,
    EndedBy,
    InviteCancelled,
    InviteReceived,
    SessionEnded,
    SessionId,
    TrunkPeer,
)
from engine.sip.flow import Flow
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import answering, pair, session_of

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def test_what_is_told_of_a_call() -> None:
    station, raw, wire = pair()
    raw.ask(
        "INVITE", uri="sip:%2B49%20123@192.0.2.9;user=phone", fields=[("From", '"J. \\"D\\"" <sip:joe%40x@h>;tag=t')]
    )
    wire.run(0.1)
    assert station.told() == [
        InviteReceived(
            session=session_of(station),
            peer=TrunkPeer(name="everybody"),
            flow=Flow(raw.flow.transport, station.address, raw.address),
            call_id="raw-call",
            to_user="+49 123",
            from_user="joe@x",
            from_display='J. "D"',
            sdp=SDP,
        )
    ]
    assert raw.statuses() == [100]
    assert raw.responses()[0].to_tag is None


def test_responses_carry_tag_contact_and_body() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.progress(session, 183, "Wait", SDP_ANSWER, now=wire.now)
    station.endpoint.accept(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    _, ringing, ok = raw.responses()
    assert (ringing.status, ringing.reason, ringing.body, ringing.content_type) == (
        183,
        "Wait",
        SDP_ANSWER,
        "application/sdp",
    )
    assert ringing.to_tag == ok.to_tag is not None
    assert {str(each.contacts[0].uri) for each in (ringing, ok)} == {"sip:192.0.2.9:5060"}
    assert "INVITE" in ok.allow
    ok.check()


def test_a_2xx_is_repeated_until_its_ack_and_then_the_call_is_given_up() -> None:
    station, raw, wire = pair(answering)
    began = wire.now
    raw.ask("INVITE")
    wire.run()
    sent = [round(each.at - began, 3) for each in wire.log if each.first_line.startswith("SIP/2.0 200")]
    assert sent == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert station.events[-1] == (began + 32, SessionEnded(session=session_of(station), by=EndedBy.ACK_TIMEOUT))
    assert raw.requests("BYE")
    assert station.endpoint.live() == NOTHING


def test_the_ack_ends_the_repeating_whatever_branch_it_has() -> None:
    for branch in ("z9hG4bKown", "z9hG4bKinvite"):
        station, raw, wire = pair(answering)
        raw.ask("INVITE", branch="z9hG4bKinvite")
        wire.run(0.1)
        raw.ask("ACK", branch=branch, to_tag=raw.responses()[-1].to_tag)
        wire.run(40)
        assert raw.statuses() == [200]
        assert station.told(AckReceived) == [
            AckReceived(session=session_of(station), flow=station.flow_to(raw), sdp=None)
        ]
        assert station.endpoint.live() == (0, 1, 1, 0, 0)


def test_an_ack_with_another_number_is_not_the_one() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    raw.ask("ACK", number=7, to_tag=raw.responses()[-1].to_tag)
    wire.run(0.6)
    assert station.told(AckReceived) == []
    assert raw.statuses() == [200, 200]


def test_a_late_offer_is_answered_in_the_ack() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", body=b"")
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    assert received.sdp is None
    fields = [("Content-Type", "application/sdp")]
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag, body=SDP, fields=fields)
    wire.run(0.1)
    assert station.told(AckReceived) == [AckReceived(session=received.session, flow=station.flow_to(raw), sdp=SDP)]


def test_a_bye_of_ours_waits_for_the_ack() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    station.endpoint.bye(session_of(station), now=wire.now, reason_header="SIP;cause=200")
    wire.run(3)
    assert raw.requests("BYE") == []
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    bye = raw.requests("BYE")[0]
    assert bye.headers.get("Reason") == "SIP;cause=200"
    raw.respond(bye, 200)
    wire.run()
    assert station.told()[1:] == [SessionEnded(session=session_of(station), by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_a_bye_of_ours_goes_out_when_the_ack_never_comes() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    station.endpoint.bye(session_of(station), now=wire.now)
    wire.run()
    assert raw.requests("BYE")
    assert station.told(SessionEnded) == [SessionEnded(session=session_of(station), by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_a_caller_may_hang_up_before_the_answer_by_bye() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    raw.ask("BYE", number=2, to_tag=raw.responses()[-1].to_tag)
    wire.run(0.1)
    assert raw.statuses() == [100, 180, 200, 487]
    assert station.told(InviteCancelled) == [InviteCancelled(session=session)]
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag, branch=raw.responses()[-1].via.branch)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_ringing_is_told_again_every_minute() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(125)
    assert raw.statuses() == [100, 180, 180, 180]
    station.endpoint.reject(session, 480, now=wire.now)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_reject_has_its_reason_and_headers_and_no_event() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    session = session_of(station)
    station.endpoint.reject(session, 503, "Full", [("Retry-After", "7")], now=wire.now)
    wire.run()
    assert (raw.responses()[1].reason, raw.responses()[1].retry_after) == ("Full", 7)
    assert len(station.told()) == 1
    assert station.endpoint.live() == NOTHING


def test_actions_that_the_session_does_not_allow() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    endpoint, now, session = station.endpoint, wire.now, session_of(station)
    for wrong in (
        lambda: endpoint.bye(session, now=now),
        lambda: endpoint.offer(session, SDP, now=now),
        lambda: endpoint.answer_offer(session, SDP, now=now),
        lambda: endpoint.cancel(session, now=now),
        lambda: endpoint.progress(session, 100, now=now),
        lambda: endpoint.progress(session, 200, now=now),
        lambda: endpoint.reject(session, 200, now=now),
        lambda: endpoint.reject(session, 486, "two\r\nlines", now=now),
        lambda: endpoint.accept(SessionId(999), SDP, now=now),
    ):
        with pytest.raises(LocalSipError):
            wrong()
    endpoint.accept(session, SDP, now=now)
    for wrong in (
        lambda: endpoint.accept(session, SDP, now=now),
        lambda: endpoint.progress(session, 180, now=now),
        lambda: endpoint.reject(session, 486, now=now),
        lambda: endpoint.refuse_offer(session, 488, now=now),
        lambda: endpoint.bye(session, now=now, reason_header="two\nlines"),
    ):
        with pytest.raises(LocalSipError):
            wrong()
    endpoint.bye(session, now=now)
    with pytest.raises(LocalSipError):
        endpoint.bye(session, now=now)
