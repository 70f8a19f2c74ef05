"""Transactions as the peer sees them: what is repeated when, what matches what, and what is dropped."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import Limits, LiveCounts, Target
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    PingAnswered,
    ProgressReceived,
    SessionEnded,
    SipEvent,
)
from engine.sip.flow import Transport
from engine.sip.message import Request
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import answering, pair
from tests.support.wire import EndpointStation, Sent, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)


def times(wire: Wire, first_word: str) -> list[float]:
    """When messages with this start of the first line left, from the first of them on."""
    sent = [each.at for each in wire.log if each.first_line.startswith(first_word)]
    return [round(at - sent[0], 3) for at in sent]


# --- client ---


def test_invite_is_repeated_by_timer_a_until_timer_b() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    began = wire.now
    wire.run()
    assert times(wire, "INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert station.events == [
        (began + 32, InviteFailed(session=session, status=408, reason="Request Timeout", timed_out=True))
    ]
    assert station.endpoint.live() == NOTHING
    assert station.endpoint.retransmissions == {("out", "INVITE", Transport.UDP): 6}
    assert station.endpoint.counters == {("out", "INVITE", "request", Transport.UDP): 1}


def test_a_provisional_response_ends_the_repeating_and_the_wait() -> None:
    station, raw, wire = pair()
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 180)
    wire.run(100)
    assert len(times(wire, "INVITE")) == 1
    assert station.told() == [ProgressReceived(session=station.told()[0].session, status=180, sdp=None)]  # type: ignore[union-attr]
    assert station.endpoint.live()[:3] == (1, 1, 1)


def test_options_is_repeated_by_timer_e_until_timer_f() -> None:
    station, raw, wire = pair()
    ping = station.endpoint.ping(target(station, raw), now=wire.now)
    wire.run()
    assert times(wire, "OPTIONS") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert station.told() == [PingAnswered(ping=ping, status=None, round_trip_s=32.0)]
    assert station.endpoint.live() == NOTHING


def test_finished_transactions_are_forgotten_together_at_the_next_half_second() -> None:
    station, raw, wire = pair()
    began = wire.now
    for _ in range(3):
        station.endpoint.ping(target(station, raw), now=wire.now)
        wire.run(0.01)
        raw.respond(raw.requests("OPTIONS")[-1], 200)
        wire.run(0.07)
    assert (station.endpoint.live().transactions, len(station.told())) == (3, 3)
    # Timer K, 5 s from each response on.
    assert station.endpoint.next_deadline() == began + 5.5
    station.endpoint.handle_deadline(began + 5.5)
    assert station.endpoint.live() == NOTHING
    # Timer F is gone too.
    assert station.endpoint.next_deadline() is None


def test_options_in_proceeding_is_repeated_every_t2() -> None:
    station, raw, wire = pair()
    station.endpoint.ping(target(station, raw), now=wire.now)
    wire.run(0.6)
    raw.respond(raw.requests("OPTIONS")[0], 100)
    wire.run()
    assert times(wire, "OPTIONS") == [0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]


@pytest.mark.parametrize("status", [200, 404, 486, 503])
def test_any_final_response_answers_a_ping(status: int) -> None:
    station, raw, wire = pair()
    ping = station.endpoint.ping(target(station, raw), now=wire.now)
    wire.run(0.25)
    raw.respond(raw.requests("OPTIONS")[0], status)
    wire.run()
    assert station.told() == [PingAnswered(ping=ping, status=status, round_trip_s=0.25)]
    assert station.endpoint.live() == NOTHING


def test_ack_of_a_refusal_is_of_the_invite_and_goes_again_with_each_copy() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    for _ in range(3):
        raw.respond(invite, 486, fields=[("Retry-After", "30 (lunch)")])
    wire.run()
    acks = raw.requests("ACK")
    assert len(acks) == 3
    assert station.endpoint.retransmissions["out", "ACK", Transport.UDP] == 2
    for ack in acks:
        assert ack.via == invite.via
        assert ack.request_uri == invite.request_uri
        assert (ack.cseq.number, ack.call_id) == (invite.cseq.number, invite.call_id)
        assert ack.from_ == invite.from_
        assert ack.to_tag == "rawtag"
    assert station.told() == [
        InviteFailed(session=session, status=486, reason="Busy Here", retry_after=30),
    ]
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize(
    "spoil",
    [
        ("branch=", "branch=z9hG4bKother"),
        ("192.0.2.9:5060", "192.0.2.8:5060"),
        ("192.0.2.9:5060", "192.0.2.9:5061"),
    ],
    ids=["branch", "host", "port"],
)
def test_a_response_whose_via_is_not_ours_is_dropped(spoil: tuple[str, str]) -> None:
    station, raw, wire = pair()
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    via = invite.headers.get("Via") or ""
    assert spoil[0] in via
    invite.headers.set_first("Via", via.replace(*spoil))
    raw.respond(invite, 200)
    wire.run(0.1)
    assert station.told() == []
    assert station.endpoint.dropped == 1


def test_a_response_with_a_second_via_is_dropped() -> None:
    station, raw, wire = pair()
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    first = invite.headers.get("Via") or ""
    for text in (f"{first}, SIP/2.0/UDP 192.0.2.77", first):
        invite.headers.set_first("Via", text)
        if text == first:
            invite.headers.add("Via", "SIP/2.0/UDP 192.0.2.77")
        raw.respond(invite, 200)
    wire.run(0.1)
    assert station.told() == []
    assert station.endpoint.dropped == 2


def test_a_response_to_another_method_of_the_same_branch_is_dropped() -> None:
    station, raw, wire = pair()
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    invite.headers.set("CSeq", f"{invite.cseq.number} BYE")
    raw.respond(invite, 200)
    wire.run(0.1)
    assert station.told() == []


# --- server ---


def busy(station: EndpointStation, event: SipEvent, now: float) -> None:
    if isinstance(event, InviteReceived):
        station.endpoint.reject(event.session, 486, now=now)


def test_100_is_for_those_who_wait() -> None:
    """RFC 3261 17.2.1: owed only where no other response follows within 200 ms."""
    for user, statuses in ((None, [100]), (busy, [486])):
        _, raw, wire = pair(user)
        raw.ask("INVITE")
        wire.run(0.1)
        assert raw.statuses() == statuses


def test_a_refusal_is_repeated_by_timer_g_until_timer_h() -> None:
    station, raw, wire = pair(busy)
    raw.ask("INVITE")
    wire.run()
    assert times(wire, "SIP/2.0 486") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert station.endpoint.live() == NOTHING
    assert set(raw.statuses()) == {486}


def test_the_ack_ends_the_repeating_and_is_absorbed() -> None:
    station, raw, wire = pair(busy)
    invite = raw.request("INVITE", branch="z9hG4bKsame")
    raw.send(invite)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    for _ in range(2):
        raw.ask("ACK", branch="z9hG4bKsame", to_tag=tag)
    wire.run(1)
    assert raw.statuses() == [486]
    assert station.endpoint.live().transactions == 1
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_a_repeated_invite_gets_the_last_response_and_is_no_second_call() -> None:
    station, raw, wire = pair()
    invite = raw.ask("INVITE")
    wire.run(0.1)
    raw.send(invite)
    wire.run(0.1)
    received = station.told(InviteReceived)[0]
    assert isinstance(received, InviteReceived)
    station.endpoint.progress(received.session, 180, now=wire.now)
    raw.send(invite)
    wire.run(0.1)
    assert raw.statuses() == [100, 100, 180, 180]
    station.endpoint.reject(received.session, 486, now=wire.now)
    raw.send(invite)
    wire.run(0.1)
    assert raw.statuses() == [100, 100, 180, 180, 486, 486]
    assert len(station.told()) == 1
    assert station.endpoint.retransmissions["in", "INVITE", Transport.UDP] == 3


def test_a_repeated_bye_gets_the_same_answer_after_the_call_is_gone() -> None:
    def answer(station: EndpointStation, event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            station.endpoint.accept(event.session, SDP_ANSWER, now=now)

    _, raw, wire = pair(answer)
    raw.ask("INVITE")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    bye = raw.ask("BYE", to_tag=tag, number=2)
    wire.run(0.1)
    raw.send(bye)
    wire.run(10)
    raw.send(bye)
    wire.run(0.1)
    assert raw.statuses()[-3:] == [200, 200, 200]
    wire.run()
    raw.send(bye)
    wire.run(0.1)
    assert raw.statuses()[-1] == 481


@pytest.mark.parametrize("via", ["SIP/2.0/UDP 192.0.2.1:5060;branch=1", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK"])
def test_rfc_2543_peers_are_matched_without_branch(via: str) -> None:
    station, raw, wire = pair(busy)
    invite = raw.ask("INVITE", via=via)
    wire.run(0.1)
    raw.send(invite)
    wire.run(0.1)
    assert raw.statuses() == [486, 486]
    raw.ask("ACK", via=via, to_tag=raw.responses()[-1].to_tag)
    wire.run(40)
    assert raw.statuses() == [486, 486]
    assert station.endpoint.live() == NOTHING


def test_a_branch_of_another_host_is_another_transaction() -> None:
    station, raw, wire = pair(busy)
    raw.ask("INVITE", via="SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport")
    raw.ask("INVITE", via="SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKx;rport", call_id="other")
    wire.run(0.1)
    assert len(station.told(InviteReceived)) == 2


def test_a_request_that_came_by_two_ways_is_refused_once() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", branch="z9hG4bKone")
    raw.ask("INVITE", branch="z9hG4bKtwo")
    wire.run(0.1)
    assert raw.statuses() == [100, 482]
    assert len(station.told(InviteReceived)) == 1


def test_cancel_finds_its_invite_and_only_that() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", branch="z9hG4bKone")
    raw.ask("CANCEL", branch="z9hG4bKother")
    wire.run(0.1)
    assert raw.statuses() == [100, 481]
    for _ in range(2):
        raw.ask("CANCEL", branch="z9hG4bKone", fields=[("Reason", 'SIP;cause=200;text="elsewhere"')])
    wire.run(0.1)
    assert sorted(raw.statuses()) == [100, 200, 200, 481, 487]
    assert len({each.to_tag for each in raw.responses() if each.status in (200, 487)}) == 1
    cancelled = station.told(InviteCancelled)
    assert [each.reason for each in cancelled if isinstance(each, InviteCancelled)] == [
        'SIP;cause=200;text="elsewhere"'
    ]


def test_cancel_after_the_final_response_changes_nothing() -> None:
    station, raw, wire = pair(busy)
    raw.ask("INVITE", branch="z9hG4bKone")
    wire.run(0.1)
    raw.ask("CANCEL", branch="z9hG4bKone")
    wire.run(0.1)
    assert raw.statuses() == [486, 200]
    assert station.told(InviteCancelled) == []


# --- bounds ---


def test_a_full_table_refuses_without_state() -> None:
    station, raw, wire = pair(limits=Limits(transactions=3))
    for number in range(6):
        raw.ask("INVITE", call_id=f"c{number}")
    wire.run(0.1)
    assert sorted(raw.statuses()) == [100, 100, 100, 503, 503, 503]
    refused = [each for each in raw.responses() if each.status == 503]
    assert all(each.retry_after == 5 for each in refused)
    assert station.endpoint.live()[:3] == (3, 3, 3)


def test_a_call_ends_also_where_the_table_is_full() -> None:
    station, raw, wire = pair(answering, limits=Limits(transactions=2))
    raw.ask("INVITE")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    raw.ask("INVITE", call_id="second")
    wire.run(0.1)
    raw.ask("INVITE", call_id="third")
    raw.ask("BYE", number=2, to_tag=tag)
    wire.run(0.1)
    assert raw.statuses()[-2:] == [503, 200]
    assert station.told(SessionEnded)


def test_too_many_requests_of_ours_are_refused_to_the_layer_above() -> None:
    station, raw, wire = pair(limits=Limits(transactions=2))
    for _ in range(2):
        station.endpoint.ping(target(station, raw), now=wire.now)
    with pytest.raises(LocalSipError, match="too many"):
        station.endpoint.ping(target(station, raw), now=wire.now)
    wire.run()
    station.endpoint.ping(target(station, raw), now=wire.now)


def test_a_request_that_cannot_be_written_leaves_nothing() -> None:
    station, raw, wire = pair()
    aim = Target(uri=SipUri(user="100", host="192.0.2.1"), flow=station.flow_to(raw))
    with pytest.raises(LocalSipError, match="line break"):
        station.endpoint.invite(aim, from_user="x", sdp=SDP, headers=[("X-A", "a\r\nVia: evil")], now=wire.now)
    assert station.endpoint.live() == NOTHING
    assert station.endpoint.datagrams_to_send() == []


# --- the state of every call under loss of one datagram ---


@pytest.mark.parametrize("lost", [None, *range(14)])
def test_a_call_ends_well_whichever_datagram_is_lost(lost: int | None) -> None:
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")

    def answer(event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            b.endpoint.progress(event.session, 180, now=now)
            b.endpoint.accept(event.session, SDP_ANSWER, now=now)

    b.on_event = answer
    wire = Wire(a, b)
    if lost is not None:
        wire.lose_nth(lost)
    session = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(5)
    a.endpoint.bye(session, now=wire.now)
    wire.run()
    names = [type(event).__name__ for event in a.told()]
    assert names[-2:] == ["InviteAccepted", "SessionEnded"]
    assert [type(event).__name__ for event in b.told()] == ["InviteReceived", "AckReceived", "SessionEnded"]
    assert a.endpoint.live() == b.endpoint.live() == NOTHING


@pytest.mark.parametrize("lost", [(), (0,), (1,), (0, 1)])
def test_a_refused_call_ends_well_whichever_datagrams_are_lost(lost: tuple[int, ...]) -> None:
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    b.on_event = lambda event, now: busy(b, event, now)
    wire = Wire(a, b)

    def of_b(sent: Sent) -> bool:
        return sent.source == b.address

    wire.lose_nth(*lost, matching=of_b)
    session = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run()
    assert a.told() == [InviteFailed(session=session, status=486, reason="Busy Here")]
    assert a.endpoint.live() == b.endpoint.live() == NOTHING


def test_requests_are_requests() -> None:
    """The helper of this file speaks sound SIP: everything that it sends passes our own checks."""
    station, raw, _ = pair()
    for method in ("INVITE", "BYE", "OPTIONS", "REGISTER"):
        request = raw.request(method)
        assert isinstance(request, Request)
        request.check()
    assert station.endpoint.live() == NOTHING
