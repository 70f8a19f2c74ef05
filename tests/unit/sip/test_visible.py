"""What leaves the stack for people and records holds no line break and no control."""

from __future__ import annotations

import pytest

from engine.sip.errors import RemoteSipError
from engine.sip.events import (
    InviteFailed,
    InviteReceived,
    MessageReceived,
    OfferRefused,
    ReferReceived,
)
from engine.sip.message import Response
from engine.sip.uri import SipUri, parse_uri
from engine.sip.visible import dialled, visible
from tests.support.sip_phone import SDP
from tests.support.sip_raw import calling, pair, taken

BREAKS = ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""Whatever `str.splitlines` splits at."""
NO_LOOK = ["\0", "\x1b", "\x7f", "\u202e", "\ufeff", "\ud800"]


@pytest.mark.parametrize("break_", BREAKS)
def test_a_line_break_is_a_blank(break_: str) -> None:
    assert visible(f"a{break_}b") == "a b"


@pytest.mark.parametrize("char", NO_LOOK)
def test_what_has_no_look_is_left_out(char: str) -> None:
    assert visible(f"a{char}b") == "ab"


@pytest.mark.parametrize("text", ["", "+4912", "Jörg Müller", "木 | x", "a  b"])
def test_everything_else_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("char", BREAKS + NO_LOOK)
def test_nobody_has_a_number_with_such_a_character(char: str) -> None:
    with pytest.raises(RemoteSipError) as raised:
        dialled(SipUri(user=f"1{char}2", host="h"), "h")
    assert raised.value.status_hint == 404


def test_an_invite_is_told_without_them() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", fields=[("From", '"a\u2028b" <sip:1%E2%80%A92%00@192.0.2.1>;tag=rawtag')])
    raw.ask("INVITE", fields=[("From", "a\x85b <sip:1%0a2@192.0.2.1>;tag=rawtag")], call_id="bare")
    wire.run(0.1)
    told = [each for each in station.told() if isinstance(each, InviteReceived)]
    assert [(each.from_display, each.from_user) for each in told] == [("a b", "1 2"), ("a b", "1 2")]


@pytest.mark.parametrize("number", ["100%0a200", "100%E2%80%A8", "%00"])
def test_what_was_dialled_with_them_is_nobodys(number: str) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", uri=f"sip:{number}@192.0.2.9")
    raw.ask("MESSAGE", uri=f"sip:{number}@192.0.2.9", fields=[("Content-Type", "text/plain")], body=b"x", call_id="m")
    wire.run(0.1)
    assert set(raw.statuses()) == {404}
    assert station.told() == []
    wire.run()
    assert not any(station.endpoint.live())


def test_a_text_is_told_without_them() -> None:
    station, raw, wire = pair()
    sender = ("From", '"a\u2029b" <sip:1%0d2@192.0.2.1>;tag=rawtag')
    raw.ask("MESSAGE", fields=[sender, ("Content-Type", "text/plain")], body=b"hello")
    wire.run(0.1)
    (told,) = station.told(MessageReceived)
    assert isinstance(told, MessageReceived)
    assert (told.from_display, told.from_user) == ("a b", "1 2")


def test_nobody_is_transferred_to_such_a_number() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[("Refer-To", "<sip:20%0a0@192.0.2.9>")])
    wire.run(0.1)
    assert raw.statuses()[-1] == 404
    raw.ask("REFER", to_tag=tag, number=3, fields=[("Refer-To", "<sip:200@192.0.2.9>")])
    wire.run(0.1)
    (told,) = station.told(ReferReceived)
    assert isinstance(told, ReferReceived)
    assert told.to_user == "200"


def test_a_reason_phrase_is_told_without_them() -> None:
    station, raw, wire, session, invite = calling()
    raw.send(Response.build(invite, 486, "Busy\u2028now", "rawtag"))
    wire.run(0.1)
    assert station.told() == [InviteFailed(session=session, status=486, reason="Busy now")]


def test_the_reason_of_a_refused_change_is_told_without_them() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 200, sdp=SDP)
    wire.run(0.1)
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.send(Response.build(raw.requests("INVITE")[-1], 488, "Not\x85here", "rawtag"))
    wire.run(0.1)
    assert station.told(OfferRefused) == [OfferRefused(session=session, status=488, reason="Not here")]


@pytest.mark.parametrize("context", ["+44", "+1-212-555", "other.example", ""])
def test_rfc3966_5_1_5_a_number_of_elsewhere_is_not_our_extension(context: str) -> None:
    station, raw, wire, _, tag = taken()
    uri = f"tel:201;phone-context={context}"
    raw.ask("INVITE", uri=uri, call_id="other")
    raw.ask("MESSAGE", uri=uri, fields=[("Content-Type", "text/plain")], body=b"x", call_id="m")
    raw.ask("REFER", to_tag=tag, number=2, fields=[("Refer-To", f"<{uri}>")])
    wire.run(0.1)
    assert raw.statuses()[-3:] == [404, 404, 404]
    assert station.told(ReferReceived) == station.told(MessageReceived) == []


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("tel:201", "201"),
        ("tel:201;phone-context=OURS.example", "201"),
        ("tel:+4420;phone-context=+44", "+4420"),
        ("sip:201@h;phone-context=+44", "201"),
    ],
)
def test_a_number_of_ours_is_taken_as_it_is(uri: str, number: str) -> None:
    assert dialled(parse_uri(uri), "ours.example") == number
