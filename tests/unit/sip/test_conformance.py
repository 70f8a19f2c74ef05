"""What an independent conformance tester sends: forms that are odd and legal, and requests at odd times. Each test
names the paragraph that it is about."""

from __future__ import annotations

import pytest

from engine.sip.accounts import Login
from engine.sip.carried import Carried
from engine.sip.endpoint import LiveCounts, Target
from engine.sip.events import (
    DtmfReceived,
    InviteCancelled,
    InviteFailed,
    InviteReceived,
    MessageReceived,
    OfferReceived,
    SessionEnded,
    SessionId,
    SipEvent,
)
from engine.sip.identity import Reliable
from engine.sip.message import Request, Response
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import Fields, RawPeer, answering, calling, pair, session_of, taken
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
CONTACT = ("Contact", "<sip:raw@192.0.2.1>")
TYPED = ("Content-Type", "application/sdp")


def ringing(station: EndpointStation, event: SipEvent, now: float) -> None:
    if isinstance(event, InviteReceived):
        station.endpoint.progress(event.session, 180, now=now)


def early(**options: object) -> tuple[EndpointStation, RawPeer, Wire, str]:
    """A call from the peer that rings, with our tag."""
    station, raw, wire = pair(ringing)
    raw.ask("INVITE", **options)
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag
    assert tag is not None
    return station, raw, wire, tag


def last(raw: RawPeer) -> Response:
    return raw.responses()[-1]


# --- CANCEL ---


def test_rfc3261_9_2_cancel_of_another_method_is_answered_200_and_changes_nothing() -> None:
    station, raw, wire = pair()
    raw.ask("MESSAGE", branch="z9hG4bKtext", body=b"hello", fields=[("Content-Type", "text/plain")])
    wire.run(0.1)
    raw.ask("CANCEL", branch="z9hG4bKtext")
    wire.run(0.1)
    assert [(each.status, each.cseq.method) for each in raw.responses()] == [(200, "CANCEL")]
    (told,) = station.told()
    assert isinstance(told, MessageReceived)
    station.endpoint.answer_message(told.message, 200, now=wire.now)
    wire.run(0.1)
    assert (last(raw).status, last(raw).cseq.method) == (200, "MESSAGE")


def test_rfc3261_9_2_cancel_of_an_update_leaves_it_to_be_answered() -> None:
    station, raw, wire, session, tag = taken()
    fields = [CONTACT, TYPED]
    raw.ask("UPDATE", number=2, to_tag=tag, branch="z9hG4bKupd", body=SDP, fields=fields)
    wire.run(0.1)
    raw.ask("CANCEL", number=2, to_tag=tag, branch="z9hG4bKupd")
    wire.run(0.1)
    station.endpoint.answer_offer(session, SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert [(each.status, each.cseq.method) for each in raw.responses()[-2:]] == [(200, "CANCEL"), (200, "UPDATE")]


# --- early dialogs ---


def test_rfc3261_14_2_an_invite_before_the_first_is_answered_is_told_to_come_later() -> None:
    station, raw, wire, tag = early()
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.1)
    assert last(raw).status == 500
    after = last(raw).retry_after
    assert after is not None
    assert 0 <= after <= 10
    station.endpoint.accept(session_of(station), SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert (last(raw).status, last(raw).cseq.number) == (200, 1)


def test_rfc3261_14_2_an_invite_while_our_first_is_under_way_is_glare() -> None:
    _, raw, wire, _, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    raw.ask("INVITE", call_id=invite.call_id, to_tag=invite.from_tag)
    wire.run(0.1)
    assert raw.statuses() == [491]


def test_rfc3261_14_2_their_invite_is_taken_beside_an_update_of_ours_that_offers_nothing() -> None:
    station, raw, wire = pair(answering, session_expires_s=90)
    raw.ask("INVITE", fields=[("Supported", "timer"), ("Session-Expires", "90;refresher=uas"), ("Allow", "UPDATE")])
    wire.run(0.1)
    tag = last(raw).to_tag
    raw.ask("ACK", to_tag=tag)
    wire.run(50)
    assert raw.requests("UPDATE")
    raw.ask("INVITE", number=2, to_tag=tag)
    wire.run(0.3)
    assert len(station.told(OfferReceived)) == 1
    assert 491 not in raw.statuses()


def test_rfc3311_5_2_an_offer_that_meets_our_unanswered_one_in_the_early_dialog_is_glare() -> None:
    _, raw, wire, _, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    raw.ask("UPDATE", call_id=invite.call_id, to_tag=invite.from_tag, body=SDP, fields=[CONTACT, TYPED])
    wire.run(0.1)
    assert raw.statuses() == [491]


@pytest.mark.parametrize(("described", "status"), [(True, 491), (False, 500)])
def test_rfc3311_5_2_the_caller_who_wanted_our_offer_may_not_offer_before_he_has_answered_it(
    described: bool, status: int
) -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", body=b"", fields=[("Require", "100rel")])
    wire.run(0.1)
    station.endpoint.progress(session_of(station), 183, sdp=SDP if described else None, now=wire.now)
    wire.run(0.1)
    if not described:
        station, raw, wire, _ = early()
    raw.ask("UPDATE", number=2, to_tag=last(raw).to_tag, body=SDP, fields=[CONTACT, TYPED])
    wire.run(0.1)
    assert last(raw).status == status


def test_rfc6086_4_a_key_in_the_early_dialog_is_taken() -> None:
    station, raw, wire, tag = early()
    fields = [("Content-Type", "application/dtmf-relay")]
    raw.ask("INFO", number=2, to_tag=tag, body=b"Signal=5\r\n", fields=fields)
    wire.run(0.1)
    assert last(raw).status == 200
    assert len(station.told(DtmfReceived)) == 1


def test_rfc5057_refer_in_the_early_dialog_is_refused_without_ending_it() -> None:
    station, raw, wire, tag = early()
    raw.ask("REFER", number=2, to_tag=tag, fields=[("Refer-To", "<sip:3@h>"), CONTACT])
    wire.run(0.1)
    assert last(raw).status == 491
    station.endpoint.accept(session_of(station), SDP_ANSWER, now=wire.now)
    wire.run(0.1)
    assert last(raw).status == 200


def test_rfc3261_15_one_of_several_places_that_hangs_up_before_it_answers_leaves_the_others_ringing() -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180, tag="one")
    raw.respond(invite, 180, tag="two")
    wire.run(0.1)
    raw.ask("BYE", call_id=invite.call_id, from_tag="one", to_tag=invite.from_tag)
    wire.run(0.1)
    assert (raw.statuses(), raw.requests("CANCEL")) == ([200], [])
    raw.respond(invite, 200, tag="two", sdp=SDP_ANSWER)
    wire.run(0.1)
    assert [*station.told(SessionEnded), *station.told(InviteFailed)] == []
    assert station.endpoint.dialog_of(session).from_tag == "two"


@pytest.mark.parametrize("answer", [487, None])
def test_rfc3261_15_the_only_place_that_hangs_up_before_it_answers_ends_the_call(answer: int | None) -> None:
    station, raw, wire, session, invite = calling()
    raw.respond(invite, 180)
    wire.run(0.1)
    raw.ask("BYE", call_id=invite.call_id, to_tag=invite.from_tag)
    wire.run(0.1)
    (cancel,) = raw.requests("CANCEL")
    assert cancel.via.branch == invite.via.branch
    if answer is not None:
        raw.respond(cancel, 200)
        raw.respond(invite, answer)
    wire.run()
    (failed,) = [*station.told(SessionEnded), *station.told(InviteFailed)]
    assert isinstance(failed, InviteFailed)
    assert (failed.session, failed.status) == (session, answer or 408)
    assert station.endpoint.live() == NOTHING


@pytest.mark.parametrize("end", ["reject", "cancel"])
def test_rfc3262_3_a_prack_that_crosses_the_refusal_is_taken(end: str) -> None:
    station, raw, wire, tag = early(fields=[("Require", "100rel")], branch="z9hG4bKfirst")
    rseq = last(raw).headers.get("RSeq")
    if end == "reject":
        station.endpoint.reject(session_of(station), 486, now=wire.now)
    else:
        raw.ask("CANCEL", branch="z9hG4bKfirst")
    wire.run(0.1)
    for number, (rack, to_tag) in enumerate(((f"{rseq} 1", tag), (f"{rseq}0 1", tag), (f"{rseq} 1", "other")), 2):
        raw.ask("PRACK", number=number, to_tag=to_tag, fields=[("RAck", f"{rack} INVITE")])
        wire.run(0.1)
    answers = [each.status for each in raw.responses() if each.cseq.method == "PRACK"]
    assert answers == [200, 481, 481]
    raw.ask("ACK", branch="z9hG4bKfirst", to_tag=tag)
    wire.run()
    assert station.endpoint.live() == NOTHING


def test_rfc3262_3_a_provisional_that_was_confirmed_before_the_refusal_is_not_confirmed_again() -> None:
    station, raw, wire, tag = early(fields=[("Require", "100rel")])
    rack = [("RAck", f"{last(raw).headers.get('RSeq')} 1 INVITE")]
    raw.ask("PRACK", number=2, to_tag=tag, fields=rack)
    wire.run(0.1)
    station.endpoint.reject(session_of(station), 486, now=wire.now)
    wire.run(0.1)
    raw.ask("PRACK", number=3, to_tag=tag, fields=rack)
    wire.run(0.1)
    assert [each.status for each in raw.responses() if each.cseq.method == "PRACK"] == [200, 481]


# --- INVITE ---


def test_rfc3261_12_1_1_an_invite_without_a_tag_makes_a_dialog_whose_remote_tag_is_null() -> None:
    station, raw, wire = pair(answering)
    plain: Fields = [("From", "<sip:raw@192.0.2.1>")]
    raw.ask("INVITE", fields=plain)
    wire.run(0.1)
    tag = last(raw).to_tag
    raw.ask("ACK", to_tag=tag, fields=plain)
    wire.run(1)
    assert raw.statuses() == [200]
    session = session_of(station)
    assert str(station.endpoint.dialog_of(session)).endswith(";from-tag=0")
    raw.ask("INVITE", call_id="other", from_tag="b", fields=[("Replaces", f"raw-call;to-tag={tag};from-tag=0")])
    wire.run(0.1)
    assert [each.replaces for each in station.told(InviteReceived) if isinstance(each, InviteReceived)] == [
        None,
        session,
    ]
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    bye = raw.requests("BYE")[0]
    assert bye.to_tag is None
    raw.respond(bye, 200, tag="late")
    raw.ask("BYE", number=2, to_tag=tag, fields=plain)
    wire.run(0.1)
    assert len(station.told(SessionEnded)) == 1


@pytest.mark.parametrize(("expires", "status"), [("5", 487), ("0", 487), ("soon", 180), ("4294967296", 180)])
def test_rfc3261_13_3_1_an_invite_that_expires_is_terminated(expires: str, status: int) -> None:
    station, raw, wire, _ = early(fields=[("Expires", expires)])
    wire.run(4)
    assert last(raw).status == (487 if expires == "0" else 180)
    wire.run(2)
    assert last(raw).status == status
    assert len(station.told(InviteCancelled)) == (status == 487)


def test_rfc3261_13_3_1_an_invite_that_was_answered_does_not_expire() -> None:
    station, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Expires", "5")])
    wire.run(0.1)
    raw.ask("ACK", to_tag=last(raw).to_tag)
    wire.run(10)
    assert raw.statuses() == [200]
    assert [*station.told(InviteCancelled), *station.told(SessionEnded)] == []


@pytest.mark.parametrize("field", [("Require", "100REL"), ("Supported", "Timer, 100Rel")])
def test_rfc3261_7_3_1_option_tags_are_compared_without_case(field: tuple[str, str]) -> None:
    _, raw, wire = pair(ringing, reliable=Reliable.WHEN_SUPPORTED)
    raw.ask("INVITE", fields=[field])
    wire.run(0.1)
    assert last(raw).status == 180
    assert last(raw).require == ("100rel",)


def test_rfc3261_8_2_2_3_unsupported_repeats_the_tags_as_they_were_written() -> None:
    _, raw, wire = pair(ringing)
    raw.ask("INVITE", fields=[("Require", "nothingSupportsThis, TIMER, NorThat")])
    wire.run(0.1)
    assert (last(raw).status, last(raw).headers.get("Unsupported")) == (420, "nothingSupportsThis, NorThat")


def test_rfc3261_7_3_1_timer_is_known_in_any_case() -> None:
    _, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Supported", "TIMER")])
    wire.run(0.1)
    assert last(raw).headers.get("Session-Expires") == "1800;refresher=uac"


# --- OPTIONS ---


@pytest.mark.parametrize("within", [False, True])
def test_rfc3261_11_2_options_is_told_all_that_we_can(within: bool) -> None:
    _, raw, wire, _, tag = taken()
    raw.ask("OPTIONS", number=2, to_tag=tag if within else None, call_id="raw-call" if within else "other")
    wire.run(0.1)
    names = ("Allow", "Accept", "Accept-Encoding", "Accept-Language", "Supported", "Allow-Events")
    assert [last(raw).headers.get(name) is not None for name in names] == [True] * 6


# --- ACK ---


def challenged(status: int = 401) -> tuple[EndpointStation, RawPeer, Wire, SessionId, Request]:
    """A call of ours whose second INVITE has credentials."""
    station, raw, wire = pair(logins={"line": Login(user="me", password="secret")})
    uri = SipUri(user="100", host="192.0.2.1")
    aim = Target(uri=uri, flow=station.flow_to(raw), account="line")
    session = station.endpoint.invite(aim, from_user="x", sdp=SDP, now=wire.now)
    wire.run(0.1)
    name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
    raw.respond(raw.requests("INVITE")[0], status, fields=[(name, 'Digest realm="r", nonce="n", qop="auth"')])
    wire.run(0.1)
    return station, raw, wire, session, raw.requests("INVITE")[1]


@pytest.mark.parametrize(("status", "final"), [(401, 200), (407, 200), (407, 486)])
def test_rfc3261_22_1_the_ack_has_the_credentials_of_its_invite(status: int, final: int) -> None:
    _, raw, wire, _, invite = challenged(status)
    raw.respond(invite, final, sdp=SDP_ANSWER if final == 200 else b"")
    wire.run(0.1)
    first, second = raw.requests("ACK")
    assert first.credentials == []
    assert second.credentials == invite.credentials != []
    assert second.cseq.number == invite.cseq.number


def test_rfc3261_22_1_the_ack_of_a_re_invite_has_its_credentials() -> None:
    station, raw, wire, session, invite = challenged()
    raw.respond(invite, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    again = raw.requests("INVITE")[-1]
    raw.respond(again, 200, sdp=SDP_ANSWER)
    wire.run(0.1)
    assert raw.requests("ACK")[-1].credentials == again.credentials != []


# --- header fields ---


@pytest.mark.parametrize("name", ["From", "To"])
def test_rfc3261_25_1_an_empty_tag_is_malformed(name: str) -> None:
    _, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[(name, "<sip:100@h>;tag=")])
    wire.run(0.1)
    assert raw.statuses() == [400]


def test_rfc3261_20_15_a_body_without_a_type_cannot_be_read() -> None:
    station, raw, wire = pair(answering)
    invite = raw.request("INVITE")
    invite.headers.remove("Content-Type")
    raw.send(invite)
    wire.run(0.1)
    assert raw.statuses() == [415]
    assert last(raw).headers.get("Accept") == "application/sdp, multipart/mixed"
    assert station.told() == []


# --- Session-ID ---

UUID = "ab30317f1a784dc48ff824d0d3715d86"
NEW = "00000000000000000000000000000001"


def test_rfc7989_6_every_answer_names_the_session_and_hears_of_changes() -> None:
    _, raw, wire = pair(answering)
    raw.ask("INVITE", fields=[("Session-ID", UUID)])
    wire.run(0.1)
    tag, ours = last(raw).to_tag, (last(raw).headers.get("Session-ID") or "").partition(";")[0]
    raw.ask("ACK", to_tag=tag)
    for number, method in enumerate(("OPTIONS", "INFO", "UPDATE", "FOO", "NOTIFY", "BYE"), 2):
        raw.ask(method, number=number, to_tag=tag, contact="<sip:raw@192.0.2.1>", fields=[("Session-ID", NEW)])
        wire.run(0.1)
        assert last(raw).cseq.method == method
        assert last(raw).headers.get_all("Session-ID") == [f"{ours};remote={NEW}"]
    assert ours != ""


def test_rfc7989_6_all_answers_to_the_first_invite_name_the_session() -> None:
    station, raw, wire = pair()
    raw.ask("INVITE", fields=[("Session-ID", UUID)])
    wire.run(0.1)
    station.endpoint.progress(session_of(station), 180, now=wire.now)
    station.endpoint.reject(session_of(station), 486, now=wire.now)
    wire.run(0.1)
    fields = {(each.status, *each.headers.get_all("Session-ID")) for each in raw.responses()}
    assert {status for status, _ in fields} == {100, 180, 486}
    assert len({text for _, text in fields}) == 1


def test_rfc7989_6_the_uuid_of_who_answers_is_that_of_the_2xx() -> None:
    station, raw, wire = pair()
    uri = SipUri(user="100", host="192.0.2.1")
    aim = Target(uri=uri, flow=station.flow_to(raw))
    session = station.endpoint.invite(aim, from_user="x", sdp=SDP, carried=Carried(session=UUID), now=wire.now)
    wire.run(0.1)
    invite = raw.requests("INVITE")[0]
    raw.respond(invite, 180, fields=[("Session-ID", f"{'0' * 31}2;remote={UUID}")])
    raw.respond(invite, 200, sdp=SDP_ANSWER, fields=[("Session-ID", f"{NEW};remote={UUID}")])
    wire.run(0.1)
    assert raw.requests("ACK")[0].headers.get("Session-ID") == f"{UUID};remote={NEW}"
    station.endpoint.offer(session, SDP, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("INVITE")[1], 200, sdp=SDP_ANSWER, fields=[("Session-ID", f"{'0' * 31}3;remote={UUID}")])
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert raw.requests("BYE")[0].headers.get("Session-ID") == f"{UUID};remote={'0' * 31}3"
