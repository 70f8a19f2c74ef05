from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from engine.calls.directory import Put
from engine.calls.events import Answered, Ended, LocalMedia, Party, TrunkDown, TrunkUp
from engine.calls.ports import TrunkNumber
from engine.calls.sip_words import allowed
from engine.ids import TrunkName
from engine.sip.carried import NOTHING, Carried
from engine.sip.events import PingAnswered, PingId
from engine.sip.message import Request
from engine.sip.offer_answer import AudioCodec
from engine.sip.parser import parse_datagram
from tests.support.sip_legs import LEG, MEDIA, PBX, answer_of, invite_of, nothing_left, offered
from tests.support.sip_pair import SipPair, description


def wired(pair: SipPair, **settings: Any) -> None:
    """Let the trunk have these settings."""
    trunk = replace(pair.directory.trunks[TrunkName("pbx")], **settings)
    pair.directory.apply(Put(entity=trunk))


def invite(pair: SipPair, caller: Party, number: str = "+4930555") -> Request:
    """What the line gets of a call of this caller."""
    sent: list[bytes] = []

    def note(data: bytes) -> bool:
        sent.append(data)
        return False

    pair.lose = note
    pair.legs.place(LEG, TrunkNumber(trunk=TrunkName("pbx"), number=number), caller, MEDIA, pair.now)
    pair.run()
    request = parse_datagram(sent[0])
    assert isinstance(request, Request)
    return request


def test_from_shows_the_number_at_our_address_or_the_account_at_the_providers_domain() -> None:
    shown = invite(SipPair(), Party(number="030777", display="Anna")).headers.get("From") or ""
    assert shown.startswith('"Anna" <sip:030777@192.0.2.1>;tag=')
    pair = SipPair()
    wired(pair, from_user="acc-1", from_domain="example.com")
    shown = invite(pair, Party(number="030777", display="Anna")).headers.get("From") or ""
    assert shown.startswith('"Anna" <sip:acc-1@example.com>;tag=')


def test_who_shows_no_number_is_nobody_and_asks_for_it_to_stay_so() -> None:
    request = invite(SipPair(), Party(number=""))
    assert (request.headers.get("From") or "").startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert request.headers.get("Privacy") == "id"
    pair = SipPair()
    wired(pair, from_user="acc-1", from_domain="example.com")
    assert "<sip:anonymous@example.com>" in (invite(pair, Party(number="")).headers.get("From") or "")


@pytest.mark.parametrize("number", ["evil@x", "1;tag=2", "1>", "1\r\nX: y", "\u0663", "1 2\t"])
def test_only_a_number_ever_stands_in_from(number: str) -> None:
    request = invite(SipPair(), Party(number=number, display='A "B"\r\nX-Evil: 1 ' + "x" * 200))
    shown = request.headers.get("From") or ""
    assert shown.startswith('"Anonymous" <sip:anonymous@anonymous.invalid>;tag=')
    assert request.headers.get("Privacy") is None
    assert request.headers.get("X-Evil") is None


def test_a_name_is_one_short_line() -> None:
    request = invite(SipPair(), Party(number="1", display='A "B"\r\nX-Evil: 1 ' + "x" * 200))
    assert request.headers.get("X-Evil") is None
    display = request.from_.display
    assert display is not None
    assert display.startswith('A "B"X-Evil')
    assert len(display) == 80


def test_headers_are_added_as_the_trunk_wants_them() -> None:
    pair = SipPair()
    wired(
        pair,
        headers_out=("header-add:X-Account:7", "header-add:P-Preferred-Identity:<sip:{caller}@{domain}>"),
        from_domain="example.com",
    )
    request = invite(pair, Party(number="030777"))
    assert request.headers.get("X-Account") == "7"
    assert request.headers.get("P-Preferred-Identity") == "<sip:030777@example.com>"


def test_headers_that_another_leg_brought_are_removed() -> None:
    pair = SipPair()
    carried = Carried(user_to_user=("aa",), alert_info=("<urn:x>",), others=(("X-Mine", "1"), ("X-Other", "2")))
    assert allowed(pair.directory, PBX, carried) is carried
    wired(pair, headers_out=("header-remove:User-to-User", "header-remove:X-Mine"))
    assert allowed(pair.directory, PBX, carried) == Carried(alert_info=("<urn:x>",), others=(("X-Other", "2"),))
    assert allowed(pair.directory, PBX, NOTHING) is NOTHING


def test_a_silent_line_is_given_up_after_its_patience_and_a_late_answer_hung_up_on() -> None:
    pair = SipPair()
    pair.lose = lambda data: b"SIP/2.0" in data[:7]
    pair.legs.place(LEG, replace(PBX, patience_s=2.0), Party(number="1"), MEDIA, pair.now)
    pair.wait(1.9)
    assert not pair.told
    pair.wait(0.2)
    ended = pair.last(Ended)
    assert (ended.cause.sip_code, ended.cause.reason, ended.early) == (None, "unreachable", False)
    pair.lose = lambda data: False
    pair.peer.accept(invite_of(pair).session, answer_of(invite_of(pair).sdp), now=pair.now)
    pair.run()
    assert not [event for event in pair.told if isinstance(event, Answered)]
    assert nothing_left(pair)


def test_a_line_that_said_anything_is_not_silent() -> None:
    pair = SipPair()
    pair.legs.place(LEG, replace(PBX, patience_s=2.0), Party(number="1"), MEDIA, pair.now)
    pair.wait(3)
    assert not pair.told


def test_what_was_heard_before_an_answer_is_told_with_the_end() -> None:
    for sdp, early in ((description(), True), (None, False)):
        pair = SipPair()
        pair.legs.place(LEG, PBX, Party(number="1"), MEDIA, pair.now)
        pair.run()
        session = invite_of(pair).session
        pair.peer.progress(session, 183, sdp=sdp, now=pair.now)
        pair.peer.reject(session, 503, now=pair.now)
        pair.run()
        assert pair.last(Ended).early is early


def test_codecs_that_are_not_allowed_are_neither_offered_nor_taken() -> None:
    pair = SipPair(codecs=("PCMA",))
    pair.legs.place(LEG, PBX, Party(number="1"), LocalMedia(port=20002), pair.now)
    pair.run()
    assert b"m=audio 20002 RTP/AVP 8 101" in (invite_of(pair).sdp or b"")
    pair = SipPair(codecs=("PCMA",))
    leg, _ = offered(pair, description((AudioCodec.PCMU,)))
    pair.legs.answer(leg, LocalMedia(port=20002), pair.now)
    pair.run()
    assert pair.last(Ended).cause.sip_code == 488


@pytest.mark.parametrize(("status", "alive"), [(503, False), (502, False), (408, False), (404, True), (405, True)])
def test_what_an_answer_to_options_says_of_the_line(status: int, alive: bool) -> None:
    pair = SipPair(ping_s=30)
    pair.lose = lambda data: data.startswith(b"OPTIONS")
    for _ in range(1 if alive else 2):
        pair.wait(1.2)
        (ping,) = pair.legs._presence._watch._asked
        pair.legs.handle(PingAnswered(ping=PingId(cast(int, ping)), status=status, round_trip_s=0.1), pair.now)
        pair.run()
    assert [type(event) for event in pair.told] == ([TrunkUp] if alive else [TrunkDown])
    if not alive:
        assert pair.last(TrunkDown).reason == f"answered {status}"
