"""Tables past their bounds: who gives way, who is refused, and that calls which stand go on."""

from __future__ import annotations

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.endpoint import Limits
from engine.sip.errors import LocalSipError
from engine.sip.events import EndedBy, InviteCancelled, InviteReceived, OfferReceived, SessionEnded, SipEvent
from engine.sip.identity import Reliable
from tests.support.sip_phone import SDP, SDP_ANSWER, target
from tests.support.sip_raw import RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire


def up(station: EndpointStation, raw: RawPeer, wire: Wire, call_id: str) -> str:
    """A call from the peer that stands; our tag of it."""
    raw.ask("INVITE", call_id=call_id)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag, call_id=call_id)
    wire.run(0.1)
    return tag or ""


def of_call(raw: RawPeer, call_id: str) -> list[int]:
    return [each.status for each in raw.responses() if each.call_id == call_id]


# --- sessions ---


def test_the_oldest_caller_who_has_confirmed_nothing_gives_way() -> None:
    station, raw, wire = pair(limits=Limits(sessions=2))
    for number in range(4):
        raw.ask("INVITE", call_id=f"c{number}")
        wire.run(0.1)
    assert [of_call(raw, f"c{number}") for number in range(4)] == [[100, 503], [100, 503], [100], [100]]
    assert all(each.retry_after == 5 for each in raw.responses() if each.status == 503)
    first, second = station.told(InviteCancelled)
    assert isinstance(first, InviteCancelled)
    assert "cause=503" in first.reason
    received = [each.session for each in station.told(InviteReceived) if isinstance(each, InviteReceived)]
    assert [first.session, getattr(second, "session", None)] == received[:2]
    assert station.endpoint.live().sessions == 2


def test_a_call_that_was_answered_and_never_acknowledged_gives_way_by_bye() -> None:
    station, raw, wire = pair(answering, limits=Limits(sessions=1))
    raw.ask("INVITE", call_id="silent")
    wire.run(0.1)
    raw.ask("INVITE", call_id="next")
    wire.run(0.1)
    assert of_call(raw, "next")[-1] == 200
    assert [each.call_id for each in raw.requests("BYE")] == ["silent"]
    ended = station.told(SessionEnded)
    assert [each.by for each in ended if isinstance(each, SessionEnded)] == [EndedBy.ACK_TIMEOUT]


def test_calls_that_stand_never_give_way_and_new_ones_are_refused_politely() -> None:
    station, raw, wire = pair(answering, limits=Limits(sessions=2))
    for number in range(2):
        up(station, raw, wire, f"c{number}")
    raw.ask("INVITE", call_id="third")
    wire.run(0.1)
    assert of_call(raw, "third") == [503]
    assert raw.responses()[-1].retry_after == 5
    with pytest.raises(LocalSipError, match="too many"):
        station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    assert station.told(SessionEnded) == []


def test_a_call_of_ours_has_a_half_open_one_give_way() -> None:
    station, raw, wire = pair(limits=Limits(sessions=1))
    raw.ask("INVITE", call_id="half")
    wire.run(0.1)
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    assert of_call(raw, "half") == [100, 503]
    with pytest.raises(LocalSipError, match="too many"):
        station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    station.endpoint.terminate(session, now=wire.now)


def test_a_caller_who_confirmed_ringing_by_prack_stays() -> None:
    def ring(station: EndpointStation, event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            station.endpoint.progress(event.session, 180, sdp=SDP_ANSWER, now=now)

    station, raw, wire = pair(ring, limits=Limits(sessions=1), reliable=Reliable.WHEN_SUPPORTED)
    raw.ask("INVITE", fields=[("Supported", "100rel")])
    wire.run(0.1)
    ringing = raw.responses()[-1]
    raw.ask("PRACK", number=2, to_tag=ringing.to_tag, fields=[("RAck", f"{ringing.headers.get('RSeq')} 1 INVITE")])
    wire.run(0.1)
    raw.ask("INVITE", call_id="next")
    wire.run(0.1)
    assert of_call(raw, "next") == [503]
    assert station.told(InviteCancelled) == []


def test_a_caller_on_a_connection_stays() -> None:
    station, raw, wire = pair(limits=Limits(sessions=1))
    wire.connect(raw, station)
    wire.run(0.1)
    for number in range(2):
        raw.ask("INVITE", call_id=f"c{number}")
        wire.run(0.1)
    assert (of_call(raw, "c0"), of_call(raw, "c1")) == ([100], [503])


# --- server transactions ---


def test_what_was_answered_gives_way_and_what_waits_for_an_answer_does_not() -> None:
    station, raw, wire = pair(limits=Limits(transactions=2))
    raw.ask("INVITE", call_id="waits")
    wire.run(0.1)
    for number in range(5):
        raw.ask("INVITE", call_id=f"c{number}")
        wire.run(0.1)
        received = station.told(InviteReceived)[-1]
        assert isinstance(received, InviteReceived)
        station.endpoint.reject(received.session, 486, now=wire.now)
        wire.run(0.1)
    assert [of_call(raw, f"c{number}")[:2] for number in range(5)] == [[100, 486]] * 5
    assert of_call(raw, "waits") == [100]
    assert station.endpoint.live().transactions == 2
    wire.run(40)
    # Who gave way is repeated no more: two at most are left to be repeated.
    assert len([each for each in raw.statuses() if each == 486]) <= 5 + 11


def test_an_invite_that_was_accepted_does_not_give_way() -> None:
    station, raw, wire = pair(answering, limits=Limits(transactions=1))
    invite = raw.ask("INVITE", branch="z9hG4bKup")
    wire.run(0.1)
    raw.ask("ACK", to_tag=raw.responses()[-1].to_tag)
    raw.ask("INVITE", call_id="next")
    wire.run(0.1)
    assert of_call(raw, "next") == [503]
    raw.send(invite)
    wire.run(0.1)
    assert len(station.told(InviteReceived)) == 1


@pytest.mark.parametrize("method", ["BYE", "INVITE", "OPTIONS"])
def test_requests_within_a_call_are_served_where_the_table_is_full(method: str) -> None:
    def react(station: EndpointStation, event: SipEvent, now: float) -> None:
        answering(station, event, now)
        if isinstance(event, OfferReceived):
            station.endpoint.answer_offer(event.session, SDP_ANSWER, now=now)

    station, raw, wire = pair(react, limits=Limits(transactions=1))
    tag = up(station, raw, wire, "raw-call")
    for number in range(2, 12):
        # Each of them is answered and then gives way to the next.
        raw.ask("OPTIONS", number=number, to_tag=tag)
        wire.run(0.1)
    raw.ask(method, number=20, to_tag=tag)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200
    if method == "INVITE":
        raw.ask("ACK", number=20, to_tag=tag)
    wire.run(0.1)
    assert station.endpoint.live().transactions <= 2
    assert bool(station.told(SessionEnded)) is (method == "BYE")


def test_cancel_is_served_where_both_tables_are_full() -> None:
    station, raw, wire = pair(limits=Limits(transactions=1, sessions=1))
    raw.ask("INVITE", branch="z9hG4bKone")
    wire.run(0.1)
    raw.ask("CANCEL", branch="z9hG4bKone")
    wire.run(0.1)
    assert sorted(raw.statuses()) == [100, 200, 487]
    raw.ask("ACK", branch="z9hG4bKone", to_tag=raw.responses()[-1].to_tag)
    wire.run()
    assert station.endpoint.live().transactions == 0


# --- client transactions ---


def test_what_was_answered_to_us_gives_way_to_new_requests_of_ours() -> None:
    station, raw, wire = pair(limits=Limits(transactions=2))
    endpoint = station.endpoint
    for _ in range(6):
        endpoint.ping(target(station, raw), now=wire.now)
        wire.run(0.1)
        raw.respond(raw.requests("OPTIONS")[-1], 200)
        wire.run(0.1)
        assert endpoint.live().transactions <= 2
    for _ in range(2):
        endpoint.ping(target(station, raw), now=wire.now)
    with pytest.raises(LocalSipError, match="too many"):
        endpoint.ping(target(station, raw), now=wire.now)


def test_an_ack_after_the_session_gave_way_harms_nobody() -> None:
    station, raw, wire = pair(answering, limits=Limits(sessions=1))
    raw.ask("INVITE", call_id="late")
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    late = session_of(station)
    raw.ask("INVITE", call_id="next")
    wire.run(0.1)
    raw.ask("ACK", call_id="late", to_tag=tag)
    raw.ask("BYE", call_id="late", number=2, to_tag=tag)
    wire.run(0.1)
    assert of_call(raw, "late")[-1] == 481
    ended = [each.session for each in station.told(SessionEnded) if isinstance(each, SessionEnded)]
    assert ended == [late]


def test_an_agent_who_proved_himself_stays() -> None:
    _, raw, wire = pair(trunks={}, passwords={"ada": "secret"}, limits=Limits(sessions=1))
    raw.ask("INVITE", call_id="c0")
    wire.run(0.1)
    challenge = raw.responses()[-1].headers.get_all("WWW-Authenticate")
    for number in (1, 2):
        login = answer_challenge(
            challenge,
            nc=number,
            user="ada",
            password="secret",
            method="INVITE",
            uri="sip:100@192.0.2.9",
            cnonce="c",
        )
        raw.ask("INVITE", number=2, call_id=f"c{number}", fields=[login])
        wire.run(0.3)
    assert (of_call(raw, "c1"), of_call(raw, "c2")) == ([100], [503])


def test_who_gave_way_leaves_no_timer() -> None:
    station, raw, wire = pair(limits=Limits(transactions=1))
    raw.ask("OPTIONS", call_id="c0")
    for number in range(1, 4):
        raw.ask("INVITE", call_id=f"c{number}")
        wire.run(0.1)
        received = station.told(InviteReceived)[-1]
        assert isinstance(received, InviteReceived)
        station.endpoint.reject(received.session, 486, now=wire.now)
        wire.run(0.1)
    # Of the one that is left: its repetition and its end.
    assert station.endpoint.live().timers == 2
