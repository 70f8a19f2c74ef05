"""Session timers, both refreshers (RFC 4028)."""

from __future__ import annotations

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import (
    EndedBy,
    InviteReceived,
    OfferAnswered,
    OfferReceived,
    SessionEnded,
    SessionId,
    SipEvent,
)
from engine.sip.message import Request
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.sip_raw import Fields, RawPeer, answering, pair, session_of
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
TAKES = ("Allow", "INVITE, ACK, BYE, UPDATE")
KNOWS = ("Supported", "timer")


def taken(
    fields: Fields, *, ours: int = 1800, least: int = 90
) -> tuple[EndpointStation, RawPeer, Wire, SessionId, str]:
    """A call from the peer that stands."""
    station, raw, wire = pair(answering, session_expires_s=ours, min_session_expires_s=least)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", to_tag=tag)
    wire.run(0.1)
    session = session_of(station)
    station.events.clear()
    return station, raw, wire, session, tag


def placed(fields: Fields, *, ours: int = 1800) -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """A call of ours that stands."""
    station, raw, wire = pair(session_expires_s=ours)
    session = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    raw.respond(invite, 200, fields=fields, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.events.clear()
    raw.heard.clear()
    return station, raw, wire, session, invite


@pytest.mark.parametrize(
    ("fields", "ours", "agreed", "require"),
    [
        ([], 1800, None, ()),
        ([KNOWS], 1800, "1800;refresher=uac", ("timer",)),
        ([KNOWS], 0, None, ()),
        ([KNOWS, ("Session-Expires", "600")], 1800, "600;refresher=uac", ("timer",)),
        ([KNOWS, ("Session-Expires", "600;refresher=uas")], 1800, "600;refresher=uas", ()),
        ([KNOWS, ("Session-Expires", "600;refresher=uac")], 0, "600;refresher=uac", ("timer",)),
        ([KNOWS, ("Session-Expires", "7200")], 1800, "1800;refresher=uac", ("timer",)),
        ([KNOWS, ("Session-Expires", "7200"), ("Min-SE", "3600")], 1800, "3600;refresher=uac", ("timer",)),
        ([("Session-Expires", "600")], 1800, "600;refresher=uas", ()),
        ([("Session-Expires", "60")], 1800, "60;refresher=uas", ()),
    ],
)
def test_what_our_2xx_agrees_to(fields: Fields, ours: int, agreed: str | None, require: tuple[str, ...]) -> None:
    station, raw, wire, session, _ = taken(fields, ours=ours)
    ok = raw.responses()[0]
    assert (ok.headers.get("Session-Expires"), ok.require) == (agreed, require)
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([KNOWS, ("Session-Expires", "119")], 422),
        ([KNOWS, ("Session-Expires", "120")], 100),
        ([("Session-Expires", "119")], 100),
        ([KNOWS, ("Session-Expires", "soon")], 400),
        ([KNOWS, ("Session-Expires", "0")], 400),
    ],
)
def test_an_interval_that_is_too_short_or_none(fields: Fields, status: int) -> None:
    _, raw, wire = pair(min_session_expires_s=120)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    assert raw.statuses() == [status]
    assert raw.responses()[0].headers.get("Min-SE") == ("120" if status == 422 else None)


def test_what_our_invite_asks_for() -> None:
    for ours, least, expected in (
        (1800, 90, ("1800", None)),
        (0, 90, (None, None)),
        (600, 300, ("600", "300")),
    ):
        station, raw, wire = pair(session_expires_s=ours, min_session_expires_s=least)
        station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
        wire.run(0.1)
        invite = raw.requests("INVITE")[0]
        assert (invite.headers.get("Session-Expires"), invite.headers.get("Min-SE")) == expected
        assert "timer" in invite.supported


@pytest.mark.parametrize("fields", [[KNOWS, ("Session-Expires", "100;refresher=uac")], [KNOWS]])
def test_a_peer_that_does_not_refresh_is_gone(fields: Fields) -> None:
    station, raw, wire, session, _ = taken(fields, ours=100)
    began = wire.now
    wire.run(until=lambda: bool(station.told(SessionEnded)))
    assert 67 <= wire.now - began <= 69
    assert station.told() == [SessionEnded(session=session, by=EndedBy.SESSION_EXPIRED)]
    wire.run(0.1)
    assert raw.requests("BYE")[0].headers.get("Reason") == 'Q.850;cause=102;text="session expired"'
    wire.run()
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("how", ["UPDATE", "INVITE"])
def test_a_peer_that_refreshes_is_not_disturbed(how: str) -> None:
    station, raw, wire, session, tag = taken([KNOWS, ("Session-Expires", "100;refresher=uac")])
    for number in range(2, 12):
        wire.run(50)
        fields = [KNOWS, ("Session-Expires", "100;refresher=uac")]
        raw.ask(how, number=number, to_tag=tag, fields=fields)
        wire.run(0.1)
        if how == "INVITE":
            station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
            wire.run(0.1)
            raw.ask("ACK", number=number, to_tag=tag)
        assert raw.responses()[-1].headers.get("Session-Expires") == "100;refresher=uac"
    assert station.told(SessionEnded) == []
    assert (station.told() == []) is (how == "UPDATE")
    assert station.endpoint.live().timers < 30
    station.endpoint.bye(session, now=wire.now)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_we_refresh_by_update_where_the_peer_takes_it() -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    for turn in range(4):
        began = wire.now
        wire.run(until=lambda wanted=turn + 1: len(raw.requests("UPDATE")) == wanted)  # type: ignore[misc]
        assert 49 <= wire.now - began <= 51
        sent = raw.requests("UPDATE")[-1]
        assert (sent.headers.get("Session-Expires"), sent.body) == ("100;refresher=uac", b"")
        assert "timer" in sent.supported
        raw.respond(sent, 200, fields=[("Session-Expires", "100;refresher=uac")])
        wire.run(0.1)
    assert station.told() == []
    station.endpoint.bye(session, now=wire.now)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_else_by_a_reinvite_that_changes_nothing() -> None:
    station, raw, wire, session, _ = placed([("Session-Expires", "100;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("INVITE")))
    sent = raw.requests("INVITE")[0]
    assert sent.body == SDP
    raw.respond(sent, 200, fields=[("Session-Expires", "100;refresher=uac")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert len(raw.requests("ACK")) == 1
    assert station.told() == []
    station.endpoint.bye(session, now=wire.now)


def test_a_refresh_repeats_what_we_said_last() -> None:
    station, raw, wire, session, tag = taken([("Session-Expires", "100;refresher=uas")])
    answer = SDP_ANSWER.replace(b"5000", b"5010")
    raw.ask("INVITE", number=2, to_tag=tag, fields=[("Session-Expires", "100;refresher=uas")])
    wire.run(0.1)
    station.endpoint.answer_offer(session, answer, now=wire.now)
    wire.run(0.1)
    raw.ask("ACK", number=2, to_tag=tag)
    wire.run(until=lambda: bool(raw.requests("INVITE")))
    assert raw.requests("INVITE")[0].body == answer
    station.endpoint.bye(session, now=wire.now)


def test_a_peer_that_does_not_know_update_is_refreshed_by_reinvite() -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("UPDATE")))
    raw.respond(raw.requests("UPDATE")[0], 501)
    wire.run(0.1)
    assert raw.requests("INVITE")[0].body == SDP
    raw.respond(raw.requests("INVITE")[0], 200, fields=[("Session-Expires", "100;refresher=uac")], sdp=SDP_ANSWER)
    wire.run(until=lambda: len(raw.requests("INVITE")) == 2)
    assert len(raw.requests("UPDATE")) == 1
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("status", [500, 488])
def test_a_refresh_that_is_refused_ends_the_call_at_its_time(status: int) -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("UPDATE")))
    raw.respond(raw.requests("UPDATE")[0], status)
    wire.run(5)
    assert station.told() == []
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.SESSION_EXPIRED)]
    assert station.endpoint.live() == NOTHING


def test_a_refresh_that_nobody_answers_finds_the_dialog_gone() -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "1000;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("UPDATE")))
    wire.run()
    assert station.told() == [SessionEnded(session=session, by=EndedBy.DIALOG_GONE)]


def test_a_longer_interval_is_asked_for_again() -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("UPDATE")))
    raw.respond(raw.requests("UPDATE")[0], 422, fields=[("Min-SE", "240")])
    wire.run(0.1)
    sent = raw.requests("UPDATE")[1]
    assert (sent.headers.get("Session-Expires"), sent.headers.get("Min-SE")) == ("240;refresher=uac", "240")
    raw.respond(sent, 200, fields=[("Session-Expires", "240;refresher=uac")])
    began = wire.now
    wire.run(until=lambda: len(raw.requests("UPDATE")) == 3)
    assert 119 <= wire.now - began <= 121
    station.endpoint.bye(session, now=wire.now)


def test_their_refresh_may_change_who_refreshes_and_may_stop_it() -> None:
    station, raw, wire, session, invite = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    fields = [KNOWS, ("Session-Expires", "100;refresher=uac")]
    raw.ask("UPDATE", call_id=invite.call_id, to_tag=invite.from_tag, fields=fields)
    wire.run(0.1)
    assert raw.responses()[-1].headers.get("Session-Expires") == "100;refresher=uac"
    wire.run(60)
    assert raw.requests("UPDATE") == []
    raw.ask("UPDATE", number=2, call_id=invite.call_id, to_tag=invite.from_tag)
    wire.run(500)
    assert station.told() == []
    station.endpoint.bye(session, now=wire.now)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_an_offer_waits_for_the_refresh_under_way_and_refreshes_too() -> None:
    station, raw, wire, session, _ = placed([TAKES, ("Session-Expires", "100;refresher=uac")])
    wire.run(until=lambda: bool(raw.requests("UPDATE")))
    offer = SDP.replace(b"4000", b"4400")
    station.endpoint.offer(session, SDP, now=wire.now)
    station.endpoint.offer(session, offer, now=wire.now)
    wire.run(0.1)
    assert raw.requests("INVITE") == []
    raw.respond(raw.requests("UPDATE")[0], 200, fields=[("Session-Expires", "100;refresher=uac")])
    wire.run(0.1)
    (sent,) = raw.requests("INVITE")
    assert (sent.body, sent.headers.get("Session-Expires")) == (offer, "100;refresher=uac")
    with pytest.raises(LocalSipError):
        station.endpoint.offer(session, offer, now=wire.now)
    raw.respond(sent, 200, fields=[("Session-Expires", "100;refresher=uac")], sdp=SDP_ANSWER)
    wire.run(0.1)
    assert station.told() == [OfferAnswered(session=session, sdp=SDP_ANSWER)]
    wire.run(until=lambda: len(raw.requests("UPDATE")) == 2)
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize("update", [True, False])
def test_two_of_us_keep_a_call_up_for_a_day(update: bool) -> None:
    a, b = make_station("a", "192.0.2.1", session_expires_s=600), make_station("b", "192.0.2.2")

    def react(event: SipEvent, now: float) -> None:
        if isinstance(event, InviteReceived):
            b.endpoint.accept(event.session, SDP_ANSWER, now=now)
            if not update:
                for session in (*a.endpoint._stack.sessions.values(), *b.endpoint._stack.sessions.values()):
                    if session._dialog is not None:
                        session._dialog.allow = "INVITE"
        elif isinstance(event, OfferReceived):
            b.endpoint.answer_offer(event.session, SDP_ANSWER, now=now)

    b.on_event = react
    wire = Wire(a, b, loss=0.3, seed=3)
    session = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(24 * 3600)
    assert a.told(SessionEnded) == b.told(SessionEnded) == []
    assert a.endpoint.live().timers < 10
    a.endpoint.bye(session, now=wire.now)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
