"""More of what an independent conformance tester looks at: numbers and header fields within dialogs. Each test names
the paragraph that it is about."""

from __future__ import annotations

import pytest

from engine.sip.identity import Reliable
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import Fields, calling, taken


def reliably(number: int) -> Fields:
    return [("Require", "100rel"), ("RSeq", str(number))]


@pytest.mark.parametrize("forgotten", [True, False])
def test_rfc3261_12_2_1_1_the_bye_of_another_place_counts_on_from_its_pracks(forgotten: bool) -> None:
    station, raw, wire, session, invite = calling(reliable=Reliable.WHEN_SUPPORTED)
    for number in (7, 8):
        raw.respond(invite, 180, tag="slow", fields=reliably(number))
        wire.run(0.1)
    raw.respond(invite, 180, tag="quick", fields=reliably(1))
    wire.run(0.1)
    for prack in raw.requests("PRACK"):
        raw.respond(prack, 200)
    if forgotten:
        raw.respond(invite, 200, tag="quick", sdp=SDP_ANSWER)
    else:
        station.endpoint.cancel(session, now=wire.now)
    wire.run(0.1)
    raw.respond(invite, 200, tag="slow", sdp=SDP_ANSWER)
    wire.run(0.1)
    numbers = [each.cseq.number for each in raw.requests("PRACK") if each.to_tag == "slow"]
    (bye,) = raw.requests("BYE")
    assert (numbers, bye.to_tag, bye.cseq.number) == ([2, 3], "slow", 4)


def test_rfc3326_2_a_bye_for_what_was_cancelled_has_its_reason() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    station.endpoint.cancel(session, now=wire.now, reason_header="SIP;cause=200")
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [each.headers.get("Reason") for each in raw.requests() if each.method in ("CANCEL", "BYE")] == [
        "SIP;cause=200",
        "SIP;cause=200",
    ]


def test_rfc3261_13_3_1_4_the_answer_to_a_re_invite_says_what_we_support() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("INVITE", number=2, to_tag=tag, body=SDP)
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    answer = raw.responses()[-1]
    assert "UPDATE" in answer.allow
    assert "replaces" in answer.supported


def test_rfc3311_5_2_where_nobody_has_offered_yet_an_offer_is_told_to_come_later() -> None:
    _, raw, wire, _, invite = calling(None)
    raw.respond(invite, 180)
    wire.run(0.1)
    fields = [("Contact", "<sip:raw@192.0.2.1>"), ("Content-Type", "application/sdp")]
    raw.ask("UPDATE", call_id=invite.call_id, to_tag=invite.from_tag, body=SDP, fields=fields)
    wire.run(0.1)
    assert raw.statuses() == [500]


@pytest.mark.parametrize("method", ["INFO", "REFER", "INVITE", "UPDATE"])
def test_what_comes_after_our_bye_finds_no_call(method: str) -> None:
    station, raw, wire, session, tag = taken()
    station.endpoint.bye(session, now=wire.now)
    fields = [("Contact", "<sip:raw@192.0.2.1>"), *([("Refer-To", "<sip:3@h>")] if method == "REFER" else [])]
    raw.ask(method, number=2, to_tag=tag, fields=fields)
    wire.run(0.1)
    assert raw.statuses()[-1] == 481
