"""Provisional responses of ours that a PRACK confirms (RFC 3262 3, 5)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    EndedBy,
    InviteCancelled,
    OfferAnswered,
    OfferReceived,
    SessionEnded,
    SessionId,
    SipEvent,
)
from engine.sip.identity import Reliable
from engine.sip.message import Request, Response
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import Fields, RawPeer, pair, session_of
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
REQUIRE = [("Require", "100rel")]
TYPED = [("Content-Type", "application/sdp")]
OFFER = SDP.replace(b"4000", b"4400")


def offered(
    fields: Fields = REQUIRE, *, body: bytes | None = None, reliable: Reliable = Reliable.WHEN_REQUIRED
) -> tuple[EndpointStation, RawPeer, Wire, SessionId]:
    """A call that came in, not answered."""
    station, raw, wire = pair(reliable=reliable)
    raw.ask("INVITE", fields=fields, body=body)
    wire.run(0.1)
    session = session_of(station)
    station.events.clear()
    return station, raw, wire, session


def reliables(raw: RawPeer) -> list[Response]:
    return [each for each in raw.responses() if "RSeq" in each.headers]


def prack(raw: RawPeer, response: Response, number: int = 2, *, rack: str | None = None, sdp: bytes = b"") -> Request:
    """Confirm a response of the station."""
    rack = rack or f"{response.headers.get('RSeq')} 1 INVITE"
    fields = [("RAck", rack), *(TYPED if sdp else [])]
    return raw.ask("PRACK", number=number, to_tag=response.to_tag, fields=fields, body=sdp)


def test_a_response_is_repeated_until_its_prack() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(3.6)
    sent = reliables(raw)
    assert [each.status for each in sent] == [180, 180, 180, 180]
    assert sent[0] == sent[3]
    assert sent[0].require == ("100rel",)
    assert 1 <= int(sent[0].headers.get("RSeq") or 0) < 2**31
    prack(raw, sent[0])
    wire.run(20)
    assert raw.responses()[-1].status == 200
    assert raw.responses()[-1].cseq.method == "PRACK"
    assert len(reliables(raw)) == 4
    station.endpoint.accept(session, SDP_ANSWER, now=wire.now)


def test_one_waits_for_the_prack_of_the_one_before() -> None:
    station, raw, wire, session = offered()
    for status in (180, 181, 182):
        station.endpoint.progress(session, status, now=wire.now)
    wire.run(0.1)
    assert [each.status for each in reliables(raw)] == [180]
    for number in (2, 3, 4):
        prack(raw, reliables(raw)[-1], number)
        wire.run(0.1)
    sent = reliables(raw)
    assert [each.status for each in sent] == [180, 181, 182]
    first = int(sent[0].headers.get("RSeq") or 0)
    assert [each.headers.get("RSeq") for each in sent] == [str(first), str(first + 1), str(first + 2)]
    station.endpoint.reject(session, 486, now=wire.now)


@pytest.mark.parametrize("rack", ["{next} 1 INVITE", "{rseq} 2 INVITE", "{rseq} 1 UPDATE"])
def test_a_prack_of_another_response_is_refused(rack: str) -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    sent = reliables(raw)[0]
    rseq = int(sent.headers.get("RSeq") or 0)
    prack(raw, sent, rack=rack.format(rseq=rseq, next=rseq + 1))
    wire.run(0.6)
    assert raw.statuses() == [100, 180, 481, 180]
    station.endpoint.reject(session, 486, now=wire.now)


@pytest.mark.parametrize("rack", ["", "1 2", "x 1 INVITE", "1 x INVITE", "0 1 INVITE"])
def test_a_prack_that_cannot_be_read_is_refused(rack: str) -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    raw.ask("PRACK", number=2, to_tag=reliables(raw)[0].to_tag, fields=[("RAck", rack)] if rack else [])
    wire.run(0.1)
    assert raw.statuses()[-1] == 400
    station.endpoint.reject(session, 486, now=wire.now)


def test_the_same_prack_again_in_another_request_finds_nothing() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    for number in (2, 3):
        prack(raw, reliables(raw)[0], number)
    wire.run(0.1)
    assert raw.statuses() == [100, 180, 200, 481]
    station.endpoint.reject(session, 486, now=wire.now)


def test_without_prack_the_call_is_refused() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(31.9)
    assert len(reliables(raw)) == 7
    wire.run(1)
    assert raw.statuses()[-1] == 504
    assert station.told() == [InviteCancelled(session=session, reason='SIP;cause=504;text="no PRACK"')]
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_the_2xx_waits_for_the_prack_of_a_description() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 183, sdp=SDP_ANSWER, now=wire.now)
    station.endpoint.accept(session, SDP_ANSWER, now=wire.now)
    with pytest.raises(LocalSipError):
        station.endpoint.accept(session, SDP_ANSWER, now=wire.now)
    wire.run(1.7)
    assert raw.statuses() == [100, 183, 183, 183]
    prack(raw, reliables(raw)[0])
    wire.run(0.1)
    assert [each.status for each in raw.responses() if each.cseq.method == "INVITE"] == [100, 183, 183, 183, 200]
    ok = raw.responses()[-1]
    assert (ok.status, ok.body) == (200, b"")
    raw.ask("ACK", to_tag=ok.to_tag)
    station.endpoint.bye(session, now=wire.now)


def test_the_2xx_does_not_wait_for_the_prack_of_a_mere_ringing() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    station.endpoint.accept(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    ringing, ok = raw.responses()[1:]
    assert (ok.status, ok.body) == (200, SDP_ANSWER)
    raw.ask("ACK", to_tag=ok.to_tag)
    prack(raw, ringing)
    wire.run(10)
    assert raw.statuses() == [100, 180, 200, 200]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("how", ["bye", "no prack", "cancel", "terminate"])
def test_an_answer_that_waits_and_the_end(how: str) -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 183, sdp=SDP_ANSWER, now=wire.now)
    station.endpoint.accept(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    if how == "bye":
        station.endpoint.bye(session, now=wire.now, reason_header="Q.850;cause=16")
    elif how == "cancel":
        invite = raw.request("CANCEL", branch="z9hG4bKraw1")
        raw.send(invite)
    elif how == "terminate":
        station.endpoint.terminate(session, now=wire.now)
    wire.run()
    refused = [each.status for each in raw.responses() if each.cseq.method == "INVITE"][-1]
    expected: dict[str, tuple[int, list[SipEvent]]] = {
        "bye": (480, [SessionEnded(session=session, by=EndedBy.LOCAL)]),
        "no prack": (504, [SessionEnded(session=session, by=EndedBy.ACK_TIMEOUT)]),
        "cancel": (487, [InviteCancelled(session=session)]),
        "terminate": (503, []),
    }
    assert (refused, station.told()) == expected[how]
    assert station.endpoint.live() == NOTHING


def test_whoever_asks_for_an_offer_gets_it_reliably_and_answers_in_the_prack() -> None:
    station, raw, wire, session = offered(body=b"")
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    assert raw.statuses() == [100]  # the first must bring the offer, and ringing has none
    station.endpoint.progress(session, 183, sdp=SDP, now=wire.now)
    wire.run(0.1)
    prack(raw, reliables(raw)[0], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    station.endpoint.accept(session, SDP, now=wire.now)
    wire.run(0.1)
    ok = raw.responses()[-1]
    assert (ok.status, ok.body) == (200, b"")
    raw.ask("ACK", to_tag=ok.to_tag)
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1


def test_a_prack_may_bring_the_next_offer() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 183, sdp=SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    asked = prack(raw, reliables(raw)[0], sdp=OFFER)
    wire.run(0.6)
    assert station.told() == [OfferReceived(session=session, flow=station.flow_to(raw), sdp=OFFER)]
    assert raw.statuses() == [100, 183]
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    answer = raw.responses()[-1]
    assert (answer.status, answer.cseq, answer.body) == (200, asked.cseq, SDP_ANSWER)
    station.endpoint.reject(session, 486, now=wire.now)


def test_an_offer_in_the_prack_of_a_ringing_confirms_and_no_more() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    prack(raw, reliables(raw)[0], sdp=OFFER)
    wire.run(0.6)
    assert (raw.statuses(), raw.responses()[-1].body, station.told()) == ([100, 180, 200], b"", [])
    station.endpoint.reject(session, 486, now=wire.now)


@pytest.mark.parametrize(
    ("fields", "reliable", "sent", "status"),
    [
        ([], Reliable.WHEN_REQUIRED, False, 180),
        ([("Supported", "100rel")], Reliable.WHEN_REQUIRED, False, 180),
        ([("Supported", "timer, 100rel")], Reliable.WHEN_SUPPORTED, True, 180),
        ([("Supported", "timer")], Reliable.WHEN_SUPPORTED, False, 180),
        ([("Supported", "100rel")], Reliable.ALWAYS, True, 180),
        (REQUIRE, Reliable.ALWAYS, True, 180),
        ([], Reliable.ALWAYS, False, 421),
        (REQUIRE, Reliable.NEVER, False, 420),
        ([("Supported", "100rel")], Reliable.NEVER, False, 180),
    ],
)
def test_who_gets_them(fields: Fields, reliable: Reliable, sent: bool, status: int) -> None:
    station, raw, wire = pair(reliable=reliable)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    for session in list(station.endpoint._stack.sessions):
        station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == status
    assert bool(reliables(raw)) is sent
    if status == 421:
        assert raw.responses()[-1].require == ("100rel",)
    if status == 420:
        assert raw.responses()[-1].headers.get("Unsupported") == "100rel"


def test_a_body_of_a_prack_that_cannot_be_read_is_refused() -> None:
    station, raw, wire, session = offered()
    station.endpoint.progress(session, 180, now=wire.now)
    wire.run(0.1)
    sent = reliables(raw)[0]
    fields = [("RAck", f"{sent.headers.get('RSeq')} 1 INVITE"), ("Content-Type", "text/plain")]
    raw.ask("PRACK", number=2, to_tag=sent.to_tag, fields=fields, body=b"x")
    wire.run(0.1)
    assert raw.statuses()[-1] == 415
    station.endpoint.reject(session, 486, now=wire.now)


def test_of_many_that_wait_the_last_are_sent() -> None:
    station, raw, wire, session = offered()
    for _ in range(30):
        station.endpoint.progress(session, 182, now=wire.now)
    number = 2
    wire.run(0.1)
    while number < 40 and len(reliables(raw)) == number - 1:
        prack(raw, reliables(raw)[-1], number)
        wire.run(0.1)
        number += 1
    assert len(reliables(raw)) == 17
    station.endpoint.reject(session, 486, now=wire.now)
