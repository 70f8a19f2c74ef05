"""REFER within a call: taken, refused, told of by NOTIFY; and who may ask."""

from __future__ import annotations

import pytest

from engine.sip.auth import answer_challenge
from engine.sip.errors import LocalSipError
from engine.sip.events import ReferId, ReferReceived, SessionEnded
from engine.sip.flow import Address, Flow, Transport
from engine.sip.message import Request
from engine.sip.refer import EXPIRES_S
from tests.support.sip_raw import RawPeer, Taken, answering, pair, session_of, taken
from tests.support.wire import EndpointStation, Wire

TO = ("Refer-To", "<sip:200@192.0.2.9>")


def referred(station: EndpointStation) -> ReferReceived:
    event = station.told(ReferReceived)[-1]
    assert isinstance(event, ReferReceived)
    return event


def ok(raw: RawPeer, wire: Wire) -> None:
    """The peer confirms every NOTIFY that it has not confirmed."""
    for request in raw.requests("NOTIFY"):
        if not any(request is each for each in confirmed):
            confirmed.append(request)
            raw.respond(request, 200)
    wire.run(0.1)


confirmed: list[Request] = []


def fragments(raw: RawPeer) -> list[tuple[str, str]]:
    """Body and state of each NOTIFY that came, repetitions left out."""
    seen: dict[int, tuple[str, str]] = {}
    for request in raw.requests("NOTIFY"):
        state = request.headers.get("Subscription-State") or ""
        seen[request.cseq.number] = (request.body.decode().strip(), state)
    return list(seen.values())


def test_a_referral_is_taken_and_told_to_the_end() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO, ("Referred-By", "<sip:raw@192.0.2.1>")])
    wire.run(0.1)
    event = referred(station)
    assert (event.session, event.to_user, event.to_uri) == (session, "200", "sip:200@192.0.2.9")
    assert (event.replaces_asked, event.replaces, event.by) == (False, None, None)
    assert event.referred_by == "<sip:raw@192.0.2.1>"
    station.endpoint.accept_refer(event.refer, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == 202
    notify = raw.requests("NOTIFY")[0]
    assert notify.headers.get("Event") == "refer;id=2"
    assert notify.headers.get("Content-Type") == "message/sipfrag;version=2.0"
    assert notify.headers.get("Contact") == "<sip:192.0.2.9:5060>"
    ok(raw, wire)
    station.endpoint.tell_refer(event.refer, 180, now=wire.now)
    wire.run(0.1)
    ok(raw, wire)
    station.endpoint.tell_refer(event.refer, 200, now=wire.now)
    wire.run(0.1)
    ok(raw, wire)
    assert fragments(raw) == [
        ("SIP/2.0 100 Trying", f"active;expires={EXPIRES_S}"),
        ("SIP/2.0 180 Ringing", f"active;expires={EXPIRES_S}"),
        ("SIP/2.0 200 OK", "terminated;reason=noresource"),
    ]
    with pytest.raises(LocalSipError, match="is over"):
        station.endpoint.tell_refer(event.refer, 180, now=wire.now)


def test_notifies_wait_for_each_other_and_only_the_latest_is_said() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    for status in (180, 183, 486):
        station.endpoint.tell_refer(refer, status, now=wire.now)
    wire.run(0.1)
    assert len(fragments(raw)) == 1
    ok(raw, wire)
    assert fragments(raw)[1:] == [("SIP/2.0 486 Busy Here", "terminated;reason=noresource")]


def test_the_last_word_comes_after_the_call_has_ended() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    wire.run(0.1)
    ok(raw, wire)
    raw.ask("BYE", to_tag=tag, number=3)
    wire.run(0.1)
    assert len(station.told(SessionEnded)) == 1
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    wire.run(0.1)
    assert fragments(raw)[-1][0] == "SIP/2.0 200 OK"
    raw.respond(raw.requests("NOTIFY")[-1], 481)
    wire.run()
    assert not any(station.endpoint.live())


@pytest.mark.parametrize("answer", [481, 489, 500, None])
def test_a_peer_that_does_not_listen_is_told_no_more(answer: int | None) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    wire.run(0.1)
    if answer is not None:
        raw.respond(raw.requests("NOTIFY")[0], answer)
    wire.run(40.0)
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    wire.run(0.1)
    assert len(fragments(raw)) == 1
    raw.ask("BYE", to_tag=tag, number=3)
    wire.run()
    assert not any(station.endpoint.live())


@pytest.mark.parametrize("answer", [500, None])
def test_a_peer_that_does_not_listen_keeps_no_hang_up_waiting(answer: int | None) -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    wire.run(0.1)
    if answer is not None:
        raw.respond(raw.requests("NOTIFY")[0], answer)
    wire.run(40.0)
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("BYE")) == 1


def test_refer_sub_false_makes_no_subscription() -> None:
    station, raw, wire, _, tag = taken()
    fields = [TO, ("Refer-Sub", "false"), ("Require", "norefersub")]
    raw.ask("REFER", to_tag=tag, number=2, fields=fields)
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    wire.run(0.1)
    response = raw.responses()[-1]
    assert (response.status, response.headers.get("Refer-Sub")) == (202, "false")
    assert raw.requests("NOTIFY") == []


def test_a_second_referral_waits_for_the_end_of_the_first() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    raw.ask("REFER", to_tag=tag, number=3, fields=[TO])
    wire.run(0.1)
    assert raw.statuses()[-1] == 491
    station.endpoint.refuse_refer(referred(station).refer, 603, now=wire.now)
    wire.run(0.1)
    assert raw.statuses()[-1] == 603
    raw.ask("REFER", to_tag=tag, number=4, fields=[TO])
    wire.run(0.1)
    assert len(station.told(ReferReceived)) == 2


def test_the_end_of_the_call_answers_a_referral_that_nobody_answered() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("BYE")[0], 200)
    wire.run()
    assert raw.statuses()[-1] == 481
    with pytest.raises(LocalSipError):
        station.endpoint.accept_refer(referred(station).refer, now=wire.now)
    assert not any(station.endpoint.live())


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([], 400),
        ([TO, ("Refer-To", "<sip:300@h>")], 400),
        ([("Refer-To", "<mailto:a@b>")], 416),
        ([("Refer-To", "<sip:200@h;method=BYE>")], 501),
        ([("Refer-To", "nonsense")], 400),
        ([("Refer-To", "<sip:200@h?Replaces=only-a-call-id>")], 400),
        ([TO, ("Require", "teleport")], 420),
    ],
)
def test_a_referral_that_cannot_be_read_is_refused(fields: list[tuple[str, str]], status: int) -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=fields)
    wire.run(0.1)
    assert raw.statuses()[-1] == status
    assert station.told(ReferReceived) == []


def test_an_unreadable_contact_leaves_nothing_of_the_referral() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO], contact="<sip:>")
    wire.run(0.1)
    assert raw.statuses()[-1] == 400
    raw.ask("REFER", to_tag=tag, number=3, fields=[TO])
    wire.run(0.1)
    assert len(station.told(ReferReceived)) == 1


def test_tel_and_target_dialog_are_understood() -> None:
    station, raw, wire, _, tag = taken()
    dialog = ("Target-Dialog", f"raw-call;local-tag={tag};remote-tag=rawtag")
    raw.ask("REFER", to_tag=tag, number=2, fields=[("Refer-To", "<tel:+4930123>"), dialog, ("Require", "tdialog")])
    wire.run(0.1)
    assert referred(station).to_user == "+4930123"


def test_a_subscription_is_prolonged_asked_for_and_ended() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    wire.run(0.1)
    ok(raw, wire)
    event = ("Event", "Refer ; foo ; id = 2")
    raw.ask("SUBSCRIBE", to_tag=tag, number=3, fields=[event, ("Expires", "60")])
    raw.ask("SUBSCRIBE", to_tag=tag, number=4, fields=[("Event", "refer;id=9")])
    raw.ask("SUBSCRIBE", to_tag=tag, number=5, fields=[("Event", "presence")])
    wire.run(0.1)
    first, second, third = raw.responses()[-3:]
    assert (first.status, first.headers.get("Expires")) == (200, "60")
    assert (second.status, third.status) == (481, 489)
    assert third.headers.get("Allow-Events") == "refer"
    raw.ask("SUBSCRIBE", to_tag=tag, number=6, fields=[event, ("Expires", "0")])
    wire.run(0.1)
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    wire.run(0.1)
    assert len(fragments(raw)) == 1


def test_a_subscription_ends_with_its_time() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    station.endpoint.accept_refer(referred(station).refer, now=wire.now)
    wire.run(0.1)
    ok(raw, wire)
    wire.run(EXPIRES_S + 1)
    assert fragments(raw)[-1] == ("SIP/2.0 408 Request Timeout", "terminated;reason=noresource")
    with pytest.raises(LocalSipError):
        station.endpoint.tell_refer(referred(station).refer, 200, now=wire.now)


AWAY = Address("192.0.2.77", 5060)


def elsewhere(station: EndpointStation, wire: Wire, at: Address = AWAY) -> RawPeer:
    other = RawPeer(at.host, station)
    other.address = at
    other.flow = other.flow._replace(local=at)
    wire.join(other)
    return other


@pytest.mark.parametrize("at", [AWAY, Address("192.0.2.1", 5062)], ids=["another address", "the same home"])
def test_from_elsewhere_a_phone_must_prove_itself(at: Address) -> None:
    station, _, wire, _, tag = agent_call()
    other = elsewhere(station, wire, at)
    request = other.ask("REFER", to_tag=tag, number=12, fields=[TO])
    wire.run(0.1)
    challenge = other.responses()[-1]
    assert challenge.status == 401
    assert station.told(ReferReceived) == []
    header = answer_challenge(
        challenge.headers.get_all("WWW-Authenticate"),
        user="raw",
        password="secret",
        method="REFER",
        uri=request.request_uri,
        cnonce="c",
        nc=1,
    )
    other.ask("REFER", to_tag=tag, number=13, fields=[TO, header])
    wire.run(0.1)
    assert referred(station).by == "raw"


def agent_call() -> Taken:
    """A call from an agent's phone, let in by digest."""
    station, raw, wire = pair(answering, trunks={}, passwords={"raw": "secret"})
    first = raw.ask("INVITE")
    wire.run(0.1)
    challenge = raw.responses()[-1]
    raw.ask("ACK", to_tag=challenge.to_tag, branch=first.hop[0])
    header = answer_challenge(
        challenge.headers.get_all("WWW-Authenticate"),
        user="raw",
        password="secret",
        method="INVITE",
        uri=first.request_uri,
        cnonce="c",
        nc=1,
    )
    raw.ask("INVITE", number=2, fields=[header])
    wire.run(0.1)
    tag = raw.responses()[-1].to_tag or ""
    raw.ask("ACK", number=2, to_tag=tag)
    wire.run(0.1)
    return station, raw, wire, session_of(station), tag


def test_a_connection_from_the_same_address_is_elsewhere() -> None:
    station, raw, wire, _, tag = agent_call()
    wire.connect(raw, station)
    raw.ask("REFER", to_tag=tag, number=12, fields=[TO])
    wire.run(0.1)
    assert raw.statuses()[-1] == 401
    same_port = Flow(Transport.TCP, station.address, raw.address, 99)
    station.opened(same_port, wire.now)
    station.receive(raw.request("REFER", to_tag=tag, number=13, fields=[TO]).to_bytes(), same_port, wire.now)
    assert station.endpoint.datagrams_to_send()[-1].data.startswith(b"SIP/2.0 401")
    assert station.told(ReferReceived) == []


def test_a_line_may_ask_from_another_port_of_its_address() -> None:
    station, _, wire, _, tag = taken()
    other = elsewhere(station, wire, Address("192.0.2.1", 5062))
    other.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    assert referred(station).by is None


def test_a_line_that_no_address_tells_may_ask_from_another_port_too() -> None:
    """As a provider where we are registered, whose calls are known by our Contact."""
    station, _, wire, _, tag = taken()
    station.endpoint._stack.admission = None
    other = elsewhere(station, wire, Address("192.0.2.1", 5062))
    other.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    assert referred(station).by is None


def test_from_elsewhere_no_trunk_may_speak_for_another() -> None:
    station, _, wire, _, tag = taken(trunks={"192.0.2.1": "pbx", "192.0.2.77": "other"})
    other = elsewhere(station, wire)
    other.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    assert other.statuses() == [403]
    assert station.told(ReferReceived) == []


def test_a_trunk_may_speak_from_each_of_its_addresses() -> None:
    station, _, wire, _, tag = taken(trunks={"192.0.2.1": "pbx", "192.0.2.77": "pbx"})
    other = elsewhere(station, wire)
    other.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    assert referred(station).by is None


def test_outside_of_calls_nothing_is_referred_and_nothing_notified() -> None:
    station, raw, wire = pair()
    raw.ask("REFER", fields=[TO])
    raw.ask("NOTIFY", number=2, fields=[("Event", "refer")])
    raw.ask("PUBLISH", number=3, fields=[("Event", "presence")])
    wire.run(0.1)
    assert raw.statuses() == [403, 481, 405]
    assert raw.responses()[-1].headers.get("Allow")
    assert station.told() == []


def test_a_status_must_fit_what_is_said() -> None:
    station, raw, wire, _, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    with pytest.raises(LocalSipError, match="no status to refuse"):
        station.endpoint.refuse_refer(refer, 200, now=wire.now)
    with pytest.raises(LocalSipError, match="not answered"):
        station.endpoint.tell_refer(refer, 180, now=wire.now)
    with pytest.raises(LocalSipError, match="is over"):
        station.endpoint.accept_refer(ReferId(99), now=wire.now)


def test_a_peer_that_cannot_be_told_is_told_no_more_and_keeps_no_hang_up_waiting() -> None:
    station, raw, wire, session, tag = taken()
    raw.ask("REFER", to_tag=tag, number=2, fields=[TO])
    wire.run(0.1)
    refer = referred(station).refer
    station.endpoint.accept_refer(refer, now=wire.now)
    wire.run(0.1)
    station.endpoint.send_failed(station.flow_to(raw), wire.now)
    station.endpoint.tell_refer(refer, 200, now=wire.now)
    station.endpoint.bye(session, now=wire.now)
    wire.run(0.1)
    assert len(fragments(raw)) == 1
    assert len(raw.requests("BYE")) == 1
