"""Messages that cross, come late, come twice or by another way."""

from __future__ import annotations

import pytest

from engine.sip.events import (
    InviteAccepted,
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    OfferReceived,
    SessionEnded,
    SipEvent,
)
from engine.sip.flow import Flow, Transport
from tests.support.sip_phone import SDP, SDP_ANSWER, target
from tests.support.sip_raw import RawPeer, answering, calling, pair, session_of, taken
from tests.support.wire import EndpointStation

# --- CANCEL of theirs (RFC 3261 9.2) ---


def test_cancel_before_anything_was_answered_and_again_ends_the_call_once() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", branch="z9hG4bKone")
    for _ in range(3):
        raw.ask("CANCEL", branch="z9hG4bKone")
    wire.run(0.1)
    assert raw.statuses().count(487) == 1
    assert raw.statuses().count(200) == 3
    assert len(station.told(InviteCancelled)) == 1
    raw.ask("ACK", branch="z9hG4bKone", to_tag=raw.responses()[-1].to_tag)
    wire.run()
    assert station.endpoint.live()[:3] == (0, 0, 0)


def test_cancel_that_crosses_our_200_changes_nothing() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", branch="z9hG4bKone")
    wire.run(0.1)
    raw.ask("CANCEL", branch="z9hG4bKone")
    wire.run(0.1)
    accepted, cancelled = raw.responses()[-2:]
    assert (accepted.cseq.method, accepted.status) == ("INVITE", 200)
    assert (cancelled.cseq.method, cancelled.status) == ("CANCEL", 200)
    assert cancelled.to_tag == accepted.to_tag
    raw.ask("ACK", to_tag=accepted.to_tag)
    wire.run(40)
    assert station.endpoint.live().sessions == 1
    assert station.told((InviteCancelled, SessionEnded)) == []


def test_cancel_of_a_re_invite_refuses_that_and_the_call_stands() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("INVITE", number=2, to_tag=tag, branch="z9hG4bKagain")
    wire.run(0.1)
    raw.ask("CANCEL", number=2, to_tag=tag, branch="z9hG4bKagain")
    wire.run(0.1)
    answers = [(each.cseq.method, each.status) for each in raw.responses()[-2:]]
    assert sorted(answers) == [("CANCEL", 200), ("INVITE", 487)]
    raw.ask("ACK", number=2, to_tag=tag, branch="z9hG4bKagain")
    wire.run(40)
    assert station.endpoint.live().sessions == 1
    raw.ask("INVITE", number=3, to_tag=tag)
    wire.run(0.1)
    assert len(station.told(OfferReceived)) == 2
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200


@pytest.mark.parametrize("branch", ["z9hG4bKother", "z9hG4bKone"])
def test_cancel_with_another_branch_or_sender_finds_nothing(branch: str) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", branch="z9hG4bKone")
    wire.run(0.1)
    via = f"SIP/2.0/UDP 192.0.2.77:5060;branch={branch};rport"
    raw.ask("CANCEL", via=via)
    wire.run(0.1)
    assert raw.statuses()[-1] == 481
    assert station.told(InviteCancelled) == []


# --- CANCEL of ours (RFC 3261 9.1) ---


def test_every_2xx_that_comes_after_our_cancel_is_acknowledged_and_ended() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180, tag="a")
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    for tag in ("a", "b", "a"):
        raw.respond(invite, 200, tag=tag, sdp=SDP_ANSWER)
        wire.run(0.1)
    after = [(each.method, each.to_tag) for each in raw.requests() if each.method in ("ACK", "BYE")]
    assert after == [("ACK", "a"), ("BYE", "a"), ("ACK", "b"), ("BYE", "b"), ("ACK", "a")]
    assert len(station.told(InviteFailed)) == 1
    assert station.told(InviteAccepted) == []


def test_a_2xx_that_comes_after_the_487_is_acknowledged_and_ended_or_passed_over() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    raw.respond(invite, 487)
    wire.run(0.1)
    raw.respond(invite, 200, tag="late", sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [each.status for each in station.told(InviteFailed) if isinstance(each, InviteFailed)] == [487]
    assert station.told(InviteAccepted) == []


# --- requests of one call ---


def test_the_same_request_by_another_branch_and_another_transport_is_merged() -> None:
    station, raw, wire = pair()
    second = RawPeer("192.0.2.1", station)
    raw.ask("INVITE", branch="z9hG4bKone")
    raw.ask("INVITE", branch="z9hG4bKtwo")
    wire.run(0.1)
    assert sorted(raw.statuses()) == [100, 482]
    way = Flow(Transport.TCP, station.address, raw.address, 7)
    station.endpoint.connection_opened(way, wire.now)
    copy = second.request("INVITE", branch="z9hG4bKthree", via="SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKthree")
    station.endpoint.receive_stream(copy.to_bytes(), way, wire.now)
    (sent,) = [each for each in station.endpoint.datagrams_to_send() if each.flow == way]
    assert sent.data.startswith(b"SIP/2.0 482 ")
    assert len(station.told(InviteReceived)) == 1


@pytest.mark.parametrize("method", ["BYE", "INFO", "OPTIONS", "REFER", "UPDATE", "NOTIFY", "MESSAGE"])
def test_what_a_peer_requires_within_a_call_is_known_or_refused(method: str) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask(method, number=2, to_tag=tag, fields=[("Require", "x-odd, timer, uui")])
    wire.run(0.1)
    answer = raw.responses()[-1]
    assert (answer.status, answer.headers.get("Unsupported")) == (420, "x-odd")
    assert station.told(SessionEnded) == []
    raw.ask("BYE", number=3, to_tag=tag, fields=[("Require", "uui")])
    wire.run(0.1)
    assert raw.statuses()[-1] == 200


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS", "UPDATE", "INFO"])
def test_a_request_of_a_call_that_is_over_is_481_and_one_out_of_order_500(method: str) -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("OPTIONS", number=9, to_tag=tag)
    wire.run(0.1)
    raw.ask(method, number=5, to_tag=tag)
    wire.run(0.1)
    assert raw.statuses()[-2:] == [200, 500]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[-1], 200)
    wire.run(0.1)
    raw.ask(method, number=20, to_tag=tag)
    wire.run(0.1)
    assert raw.statuses()[-1] == 481


def test_which_requests_move_the_target() -> None:
    def react(station: EndpointStation, event: SipEvent, now: float) -> None:
        answering(station, event, now)
        if isinstance(event, OfferReceived):
            station.endpoint.answer_offer(event.session, SDP_ANSWER, now=now)

    station, raw, wire = pair(react)
    raw.ask("INVITE")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag, contact="<sip:ack@192.0.2.1>")
    number = 1
    dialog = station.endpoint._stack.sessions[session_of(station)].dialog
    assert dialog is not None
    for method in ("OPTIONS", "INFO", "MESSAGE"):
        number += 1
        raw.ask(method, number=number, to_tag=tag, contact=f"<sip:{method}@192.0.2.1>")
        wire.run(0.1)
    assert dialog.remote_target == "sip:raw@192.0.2.1:5060"
    for method in ("UPDATE", "INVITE"):
        number += 1
        raw.ask(method, number=number, to_tag=tag, contact=f"<sip:{method}@192.0.2.1>")
        wire.run(0.1)
        assert dialog.remote_target == f"sip:{method}@192.0.2.1"
        if method == "INVITE":
            raw.ask("ACK", number=number, to_tag=tag)
            wire.run(0.1)


# --- connections ---


def test_a_connection_made_on_demand_fails_what_waits_once_and_is_forgotten_by_both_names() -> None:
    station, raw, wire = pair()
    endpoint = station.endpoint
    wanted = Flow(Transport.TCP, station.address, raw.address)
    aim = target(station, raw)
    endpoint.invite(type(aim)(uri=aim.uri, flow=wanted), from_user="x", sdp=SDP, now=wire.now)
    endpoint.datagrams_to_send()
    made = wanted._replace(connection=5)
    endpoint.connection_opened(made, wire.now)
    assert endpoint._stack.outbox.used == {wanted}
    endpoint.connection_lost(made, wire.now)
    failed = endpoint.next_event()
    assert isinstance(failed, InviteFailed)
    assert failed.status == 503
    assert endpoint._stack.outbox.used == set()
    # The next one, which nobody waits on, is not kept alive as if it were ours.
    endpoint.connection_opened(made._replace(connection=6), wire.now)
    assert len(endpoint._streams.keep_alives) == 0
