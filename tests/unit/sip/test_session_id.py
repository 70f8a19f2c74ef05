"""Session-ID through a B2BUA's two halves (RFC 7989)."""

from __future__ import annotations

import pytest

from engine.sip.carried import Carried
from engine.sip.session_id import NIL, SessionIds, new_session_id, read_session_id
from tests.support.sip_phone import SDP, SDP_ANSWER, CountingIds, target
from tests.support.sip_raw import answering, pair, session_of

CALLER = "ab30317f1a784dc48ff824d0d3715d86"
CALLED = "47755a9de7794ba387653f2099600ef2"


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        (CALLER, CALLER),
        (f"{CALLER};remote={CALLED}", CALLER),
        (f"{CALLER.upper()} ;remote={NIL}", CALLER),
        ("ab30317f-1a78-4dc4-8ff8-24d0d3715d86", CALLER),
        (NIL, ""),
        (CALLER[1:], ""),
        ("g" * 32, ""),
        ("", ""),
        (None, ""),
    ],
)
def test_the_senders_uuid_is_read(text: str | None, uuid: str) -> None:
    assert read_session_id(text) == uuid


def test_ours_are_uuids_and_differ() -> None:
    ids = CountingIds("x")
    made = {new_session_id(ids) for _ in range(50)}
    assert len(made) == 50
    assert all(read_session_id(each) == each and each[12] == "4" and each[16] == "a" for each in made)


def test_the_other_ends_last_word_counts() -> None:
    ids = SessionIds(CALLER)
    assert str(ids) == f"{CALLER};remote={NIL}"
    ids.hear(CALLED)
    ids.hear(None)
    ids.hear("rubbish")
    assert str(ids) == f"{CALLER};remote={CALLED}"


def test_a_caller_with_a_session_id_is_answered_with_ours_in_every_message() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Session-ID", f"{CALLER};remote={NIL}")])
    wire.run(0.1)
    said = raw.responses()[-1].headers.get("Session-ID") or ""
    assert said.endswith(f";remote={CALLER}")
    assert read_session_id(said)
    tag = raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    wire.run(0.1)
    station.endpoint.bye(session_of(station), now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].headers.get("Session-ID") == said


def test_a_callers_hang_up_is_answered_with_it_too() -> None:
    _, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Session-ID", CALLER)])
    wire.run(0.1)
    said, tag = raw.responses()[-1].headers.get("Session-ID"), raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    raw.ask("BYE", number=2, to_tag=tag)
    wire.run(0.1)
    assert raw.responses()[-1].cseq.method == "BYE"
    assert raw.responses()[-1].headers.get("Session-ID") == said


def test_whom_we_call_is_told_the_callers_and_asked_for_its_own() -> None:
    station, raw, wire = pair()
    session = station.endpoint.invite(
        target(station, raw), from_user="x", sdp=SDP, carried=Carried(session=CALLER), now=wire.now
    )
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    assert invite.headers.get("Session-ID") == f"{CALLER};remote={NIL}"
    raw.respond(invite, 200, sdp=SDP_ANSWER, fields=[("Session-ID", f"{CALLED};remote={CALLER}")])
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    for method in ("ACK", "BYE"):
        assert raw.requests(method)[0].headers.get("Session-ID") == f"{CALLER};remote={CALLED}"


def test_a_call_without_one_gets_none() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE")
    wire.run(0.1)
    assert "Session-ID" not in raw.responses()[-1].headers
    station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    assert "Session-ID" not in raw.requests("INVITE")[0].headers


@pytest.mark.parametrize("known", [CALLED, NIL])
def test_two_that_talk_through_us_are_named_to_each_other(known: str) -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Session-ID", CALLER)])
    wire.run(0.1)
    ours, tag = raw.responses()[-1].headers.get("Session-ID"), raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    far = station.endpoint.invite(
        target(station, raw), from_user="x", sdp=SDP, carried=Carried(session=CALLER), now=wire.now
    )
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER, fields=[("Session-ID", known)])
    wire.run(0.1)
    near = session_of(station)
    station.endpoint.name_session(near, far)
    station.endpoint.bye(near, now=wire.now)
    wire.run(0.1)
    said = f"{CALLED};remote={CALLER}" if known == CALLED else ours
    assert raw.requests("BYE")[0].headers.get("Session-ID") == said


def test_who_tells_no_name_leaves_ours_as_it_was() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Session-ID", CALLER)])
    wire.run(0.1)
    ours, tag = raw.responses()[-1].headers.get("Session-ID"), raw.responses()[-1].to_tag
    raw.ask("ACK", to_tag=tag)
    far = station.endpoint.invite(target(station, raw), from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[0], 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    near = session_of(station)
    station.endpoint.name_session(near, far)
    station.endpoint.bye(near, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].headers.get("Session-ID") == ours
