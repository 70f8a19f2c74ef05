"""INVITE usages in and out: early, confirmed, cancelled, forked, lost (RFC 3261 9, 13, 15)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts, Target
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    AckReceived,
    EndedBy,
    InviteAccepted,
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    ProgressReceived,
    SessionEnded,
    SessionId,
    TrunkPeer,
)
from engine.sip.flow import Flow
from engine.sip.message import Request
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import RawPeer, answering, pair
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def session_of(station: EndpointStation) -> SessionId:
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    return received.session


def calling() -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """A call of ours that the peer has heard of: with the INVITE."""
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    return station, raw, wire, session, raw.requests("INVITE")[0]


# --- calls that come in ---


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
        assert raw.statuses() == [100, 200]
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
    assert raw.statuses() == [100, 200, 200]


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


# --- calls that go out ---


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


# --- ends of a call that stands ---


def established() -> tuple[EndpointStation, RawPeer, Wire, SessionId]:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.events.clear()
    return station, raw, wire, session


def test_a_bye_of_theirs_ends_it() -> None:
    station, raw, wire, session = established()
    ours = raw.requests("ACK")[0]
    raw.ask("BYE", call_id=ours.call_id, to_tag=ours.from_tag, fields=[("Reason", "Q.850;cause=16")])
    wire.run()
    assert raw.statuses() == [200]
    assert station.told() == [SessionEnded(session=session, by=EndedBy.REMOTE, reason="Q.850;cause=16")]
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("status", [200, 481, 500, None])
def test_a_bye_of_ours_ends_it_whatever_is_answered(status: int | None) -> None:
    station, raw, wire, session = established()
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    if status is not None:
        raw.respond(raw.requests("BYE")[0], status)
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_byes_that_cross_end_it_once() -> None:
    station, raw, wire, session = established()
    ours = raw.requests("ACK")[0]
    station.endpoint.bye(session, now=wire.now)
    raw.ask("BYE", call_id=ours.call_id, to_tag=ours.from_tag)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[0], 481)
    wire.run()
    assert raw.statuses() == [200]
    assert station.told() == [SessionEnded(session=session, by=EndedBy.LOCAL)]
    assert station.endpoint.live() == NOTHING


def test_terminate_does_what_the_state_wants() -> None:
    station, raw, wire, session, invite = calling()
    station.endpoint.terminate(session, now=wire.now)
    raw.respond(invite, 180)
    wire.run(0.1)
    assert raw.requests("CANCEL")
    station.endpoint.terminate(session, now=wire.now)

    station, raw, wire, session = established()
    station.endpoint.terminate(session, now=wire.now)
    station.endpoint.terminate(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1

    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    station.endpoint.terminate(session_of(station), now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [100, 503]
    with pytest.raises(LocalSipError, match="over"):
        station.endpoint.terminate(session_of(station), now=wire.now)


# --- races over a bad wire ---


@pytest.mark.parametrize("lost", [(), (0,), (1,), (0, 1), (2,), (3,)])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.02, 0.03, 0.5])
@pytest.mark.parametrize("race", ["cancel-answer", "cancel-reject", "bye-bye", "answer-cancel"])
def test_two_actions_at_once_leave_nothing_behind(race: str, after: float, lost: tuple[int, ...]) -> None:
    """Two actions, `after` seconds apart, with these of the datagrams that follow lost."""
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    wire = Wire(a, b)
    mine = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    theirs = session_of(b)
    b.endpoint.progress(theirs, 180, now=wire.now)
    wire.run(0.1)
    if race == "bye-bye":
        b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now)
        wire.run(1)
    first, second = {
        "cancel-answer": (
            lambda: a.endpoint.cancel(mine, now=wire.now),
            lambda: b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now),
        ),
        "cancel-reject": (
            lambda: a.endpoint.cancel(mine, now=wire.now),
            lambda: b.endpoint.reject(theirs, 486, now=wire.now),
        ),
        "answer-cancel": (
            lambda: b.endpoint.accept(theirs, SDP_ANSWER, now=wire.now),
            lambda: a.endpoint.terminate(mine, now=wire.now),
        ),
        "bye-bye": (
            lambda: a.endpoint.bye(mine, now=wire.now),
            lambda: b.endpoint.bye(theirs, now=wire.now),
        ),
    }[race]

    def try_second() -> None:
        try:
            second()
        except LocalSipError:
            assert after > 0, "at the same instant neither side knows of the other"

    wire.lose_nth(*lost)
    first()
    wire.at(after, try_second)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
    ends = (InviteFailed, InviteCancelled, SessionEnded)
    assert len([each for each in a.told() if isinstance(each, ends)]) == 1
    rejected = race == "cancel-reject" and not b.told(InviteCancelled)
    assert len([each for each in b.told() if isinstance(each, ends)]) == (0 if rejected else 1)
