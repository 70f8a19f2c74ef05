"""Bounds on what is read, each with the answer of the RFC, over datagrams and over streams; and the small tables."""

from __future__ import annotations

import pytest

from engine.sip import limits
from engine.sip.endpoint import Limits
from engine.sip.errors import LocalSipError
from engine.sip.flow import Address, Flow, Transport
from engine.sip.identity import Identity
from engine.sip.uri import SipUri
from tests.support.sip_raw import answering, pair, taken
from tests.support.sip_registering import Registering

FIELDS = {
    "a host of 256 letters": ([("From", f"<sip:x@{'a' * 256}>;tag=t")], 400),
    "a CSeq of 2**31": ([("CSeq", f"{limits.MAX_CSEQ + 1} INVITE")], 400),
    "too many Record-Route": ([("Record-Route", "<sip:p;lr>")] * (limits.MAX_ROUTES + 1), 400),
    "as many Record-Route as may be": ([("Record-Route", "<sip:p;lr>")] * limits.MAX_ROUTES, 200),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("what", FIELDS)
def test_a_field_past_its_bound_is_refused_and_the_next_call_is_served(what: str, stream: bool) -> None:
    fields, status = FIELDS[what]
    station, raw, wire = pair(answering)
    if stream:
        wire.connect(raw, station)
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    assert raw.statuses()[-1] == status
    raw.ask("INVITE", call_id="next")
    wire.run(0.1)
    assert raw.statuses()[-1] == 200


@pytest.mark.parametrize("stream", [False, True])
def test_more_fields_than_the_limit_are_no_message(stream: bool) -> None:
    station, raw, wire = pair(answering)
    if stream:
        wire.connect(raw, station)
    many = [(f"X-{number}", "x") for number in range(limits.MAX_HEADER_FIELDS)]
    raw.ask("OPTIONS", fields=many)
    wire.run(0.1)
    assert raw.statuses() == []
    raw.ask("OPTIONS", fields=many[:200])
    wire.run(0.1)
    # Nobody knows where the next message begins: the connection is closed.
    assert raw.statuses() == ([] if stream else [200])


def test_a_head_past_the_limit_is_dropped_over_udp_and_closes_a_stream() -> None:
    for stream in (False, True):
        station, raw, wire = pair()
        if stream:
            wire.connect(raw, station)
        raw.ask("OPTIONS", fields=[("X-Long", "x" * limits.MAX_HEAD_BYTES)])
        wire.run(0.1)
        assert raw.statuses() == []
        assert not station.endpoint.defects
        raw.ask("OPTIONS")
        wire.run(0.1)
        assert raw.statuses() == ([] if stream else [200])


def test_a_body_past_the_limit_on_a_stream_is_513_and_the_connection_is_closed() -> None:
    station, raw, wire = pair()
    flow, _ = wire.connect(raw, station)
    whole = raw.request("MESSAGE", body=b"x" * (limits.MAX_BODY_BYTES + 1)).to_bytes()
    raw.send(whole.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    wire.run(0.1)
    assert raw.statuses() == [513]
    raw.ask("OPTIONS")
    wire.run(0.1)
    assert raw.statuses() == [513]
    assert flow not in wire._other_end


@pytest.mark.parametrize(("contacts", "status"), [(limits.MAX_CONTACTS, 200), (limits.MAX_CONTACTS + 1, 400)])
def test_contacts_of_a_register(contacts: int, status: int) -> None:
    it = Registering(Limits(bindings_per_user=100))
    contact = ", ".join(f"<sip:ada@192.0.2.1:{6000 + number}>" for number in range(contacts))
    answered = it.ask(contact=contact).status
    assert answered == status or (status != 200 and 400 <= answered < 500)


def test_referrals_of_ours_and_of_theirs() -> None:
    station, raw, wire, session, tag = taken()
    for _ in range(limits.MAX_REFERRALS):
        station.endpoint.refer(session, SipUri(user="1", host="h"), now=wire.now)
    with pytest.raises(LocalSipError, match="under way"):
        station.endpoint.refer(session, SipUri(user="1", host="h"), now=wire.now)
    for number in (2, 3):
        raw.ask("REFER", number=number, to_tag=tag, fields=[("Refer-To", "<sip:1@192.0.2.9>")])
        wire.run(0.1)
    assert raw.statuses()[-1] == 491


def test_referrals_of_all_calls_together() -> None:
    station, raw, wire = pair(answering, limits=Limits(sessions=2))
    tags = []
    for number in range(2):
        raw.ask("INVITE", call_id=f"c{number}")
        wire.run(0.1)
        tags.append(raw.responses()[-1].to_tag)
        raw.ask("ACK", call_id=f"c{number}", to_tag=tags[-1])
    wire.run(0.1)
    station.endpoint._stack.referrals.update({-1: None, -2: None})  # type: ignore[dict-item]
    refer = [("Refer-To", "<sip:1@192.0.2.9>")]
    raw.ask("REFER", number=2, call_id="c0", to_tag=tags[0], fields=refer)
    wire.run(0.1)
    assert raw.statuses()[-1] == 503
    station.endpoint._stack.referrals.clear()


def test_strings_of_flows_are_made_anew_past_their_bound() -> None:
    identity = Identity(lambda flow: Address("192.0.2.9", 5060))
    first = Flow(Transport.UDP, Address("192.0.2.9", 5060), Address("192.0.2.1", 1))
    kept = identity.of(first)
    for port in range(2, limits.MAX_REMEMBERED_FLOWS + 3):
        identity.of(first._replace(remote=Address("192.0.2.1", port)))
    assert len(identity._cache) <= limits.MAX_REMEMBERED_FLOWS
    assert identity.of(first) is not kept
    assert identity.of(first).via == kept.via


def test_phones_that_were_lost_are_forgotten_past_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.sip.registrar.MAX_LOST_PHONES", 3)
    it = Registering(Limits(bindings_per_user=100))
    registrar = it.station.endpoint._registrar
    for number in range(6):
        assert it.ask(contact=f"<sip:ada@192.0.2.1:{6000 + number}>").status == 200
        flow = it.station.endpoint.bindings("ada")[0].flow
        registrar.flow_lost(flow)
    assert len(registrar._lost) == 3
    assert it.ask().status == 200
