"""Replaces: read, and the session that it names."""

from __future__ import annotations

import pytest

from engine.sip.errors import RemoteSipError
from engine.sip.events import InviteReceived, ReferReceived
from engine.sip.replaces import Replaces, parse_replaces
from tests.support.sip_phone import SDP, target
from tests.support.sip_raw import calling, pair, taken


def test_it_is_read_and_written() -> None:
    text = "425928@phone.example.org;to-tag=7743;from-tag=6472"
    found = parse_replaces(text)
    assert found == Replaces(call_id="425928@phone.example.org", to_tag="7743", from_tag="6472")
    assert str(found) == text
    early = parse_replaces("a ; from-tag=2 ;to-tag=1;early-only")
    assert early == Replaces(call_id="a", to_tag="1", from_tag="2", early_only=True)
    assert parse_replaces(str(early)) == early


@pytest.mark.parametrize("text", ["", "a", "a;to-tag=1", "a;from-tag=1", ";to-tag=1;from-tag=2", "a;to-tag=1;to-tag=2"])
def test_every_part_must_be_there(text: str) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_replaces(text)
    assert caught.value.status_hint == 400


def test_an_invite_is_told_with_the_session_that_it_replaces() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("INVITE", call_id="second", fields=[("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")])
    wire.run(0.1)
    event = station.told(InviteReceived)[-1]
    assert isinstance(event, InviteReceived)
    assert event.replaces == session
    assert station.told(InviteReceived)[0].replaces is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("raw-call;to-tag=wrong;from-tag=rawtag", 481),
        ("raw-call;to-tag={tag};from-tag=wrong", 481),
        ("other;to-tag={tag};from-tag=rawtag", 481),
        ("raw-call;to-tag={tag};from-tag=rawtag;early-only", 486),
        ("raw-call", 400),
    ],
)
def test_an_invite_that_names_no_call_of_ours_is_refused(value: str, status: int) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("INVITE", call_id="second", fields=[("Replaces", value.format(tag=tag))])
    wire.run(0.1)
    assert raw.statuses()[-1] == status
    assert len(station.told(InviteReceived)) == 1


def test_one_replaces_and_no_join() -> None:
    _, raw, wire, _, tag = taken()
    value = ("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")
    for number, fields in enumerate(([value, value], [value, ("Join", value[1])])):
        raw.ask("INVITE", call_id=f"second{number}", fields=fields)
        wire.run(0.1)
        assert raw.statuses()[-1] == 400


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "OPTIONS"])
def test_only_an_invite_replaces(method: str) -> None:
    station, raw, wire, _, tag = taken()
    value = ("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")
    raw.ask(method, to_tag=tag, number=2, fields=[value])
    raw.ask("OPTIONS", call_id="outside", fields=[value])
    wire.run(0.1)
    assert raw.statuses()[-2:] == [400, 400]
    assert station.endpoint.live().sessions == 1
    raw.ask("BYE", to_tag=tag, number=2)
    wire.run(0.1)
    assert raw.statuses()[-1] == 200


def test_an_ack_counts_whatever_it_carries() -> None:
    _, raw, wire, _, tag = taken()
    raw.ask("INVITE", call_id="other")
    wire.run(0.1)
    value = ("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")
    raw.ask("ACK", call_id="other", to_tag=raw.responses()[-1].to_tag, fields=[value])
    wire.run(0.1)
    before = raw.statuses()
    wire.run(3.0)
    assert raw.statuses() == before, "the 200 is not repeated"


def test_a_call_that_nobody_answered_is_replaced_only_where_we_began_it() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE")
    wire.run(0.1)
    event = station.told(InviteReceived)[0]
    assert isinstance(event, InviteReceived)
    station.endpoint.progress(event.session, 180, now=wire.now)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    raw.ask("INVITE", call_id="second", fields=[("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")])
    wire.run(0.1)
    assert raw.statuses()[-1] == 481

    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180, tag="ringing")
    wire.run(0.1)
    ours = invite.from_tag
    replaces = f"{invite.call_id};to-tag={ours};from-tag=ringing;early-only"
    raw.ask("INVITE", call_id="pickup", fields=[("Replaces", replaces)])
    wire.run(0.1)
    event = station.told(InviteReceived)[0]
    assert isinstance(event, InviteReceived)
    assert event.replaces == session


def test_a_call_that_ends_is_not_replaced() -> None:
    station, raw, wire, session, tag = taken()
    station.endpoint.bye(session, now=wire.now)
    raw.ask("INVITE", call_id="second", fields=[("Replaces", f"raw-call;to-tag={tag};from-tag=rawtag")])
    wire.run(0.1)
    assert raw.statuses()[-1] == 603


def test_a_referral_names_the_session_that_it_replaces() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("INVITE", call_id="consult")
    wire.run(0.1)
    second = raw.responses()[-1].to_tag
    raw.ask("ACK", call_id="consult", to_tag=second)
    to = f"<sip:200@192.0.2.9?Replaces=raw-call%3Bto-tag%3D{tag}%3Bfrom-tag%3Drawtag>"
    raw.ask("REFER", call_id="consult", to_tag=second, number=2, fields=[("Refer-To", to)])
    wire.run(0.1)
    event = station.told(ReferReceived)[0]
    assert isinstance(event, ReferReceived)
    assert (event.replaces_asked, event.replaces, event.to_uri) == (True, session, "sip:200@192.0.2.9")
    station.endpoint.refuse_refer(event.refer, 603, now=wire.now)
    foreign = "<sip:200@192.0.2.9?Replaces=elsewhere%3Bto-tag%3D1%3Bfrom-tag%3D2>"
    raw.ask("REFER", call_id="consult", to_tag=second, number=3, fields=[("Refer-To", foreign)])
    wire.run(0.1)
    event = station.told(ReferReceived)[1]
    assert isinstance(event, ReferReceived)
    assert (event.replaces_asked, event.replaces) == (True, None)


def test_our_dialog_can_be_named_to_the_peer() -> None:
    station, raw, wire, session, tag = taken()
    assert station.endpoint.dialog_of(session) == Replaces(call_id="raw-call", to_tag=tag, from_tag="rawtag")
    assert station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
