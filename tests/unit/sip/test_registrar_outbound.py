"""Registrations through proxies, by several flows and behind NAT (RFC 5626, 3327, 3608), and the order of phones."""

from __future__ import annotations

import pytest

from engine.sip.events import BindingAdded, BindingEnd, BindingRemoved
from engine.sip.message import Response
from engine.sip.stack import Target
from tests.support.sip_phone import SDP
from tests.support.sip_raw import RawPeer
from tests.support.sip_registering import Registering

PHONE = '<sip:ada@192.0.2.1:5060>;+sip.instance="<urn:uuid:1>"'
OUTBOUND = ("Supported", "path, outbound")
EDGE = "<sip:tok@192.0.2.50;lr;ob>"
FARM = "<sip:192.0.2.51;lr>"


def two_hops(it: Registering) -> list[tuple[str, str]]:
    own = f"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKedge{it.number};rport"
    return [("Via", own), ("Via", f"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKphone{it.number}")]


def elsewhere(it: Registering, host: str) -> RawPeer:
    peer = RawPeer(host, it.station)
    it.wire.join(peer)
    return peer


def params(response: Response) -> list[dict[str, str | None]]:
    return [dict(each.params) for each in response.contacts]


# --- q and the order of ringing ---


def test_phones_ring_by_preference_and_then_the_newest() -> None:
    it = Registering()
    for port, q in ((1, ";q=0.5"), (2, ";q=0.5"), (3, ";q=0.25"), (4, ""), (5, ";q=0")):
        it.ask(contact=f"<sip:ada@192.0.2.1:{port}>{q}")
    assert [each[-1] for each in it.contacts()] == ["4", "2", "1", "3", "5"]
    it.ask(contact="<sip:ada@192.0.2.1:5>;q=0.5")
    response = it.ask(contact=None)
    assert [(str(each.uri)[-1], each.params.get("q")) for each in response.contacts] == [
        ("4", None),
        ("5", "0.5"),
        ("2", "0.5"),
        ("1", "0.5"),
        ("3", "0.25"),
    ]


@pytest.mark.parametrize("q", ["1.1", "2", "-1", "high", "0.1234", "1.001"])
def test_a_preference_that_is_none_is_refused(q: str) -> None:
    it = Registering()
    assert it.ask(contact=f"<sip:ada@192.0.2.1>;q={q}").status == 400
    assert it.contacts() == []


# --- outbound ---


def test_a_phone_that_keeps_its_flow_is_told_so() -> None:
    it = Registering(flow_timer_udp_s=29)
    response = it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND])
    assert response.require == ("outbound",)
    assert response.headers.get("Flow-Timer") == "29"
    assert params(response) == [{"+sip.instance": "<urn:uuid:1>", "reg-id": "1", "expires": "300"}]


@pytest.mark.parametrize(
    ("contact", "supported"),
    [
        (PHONE, "outbound"),
        (PHONE + ";reg-id=1", "path"),
        ("<sip:ada@192.0.2.1:5060>;reg-id=1", "outbound"),
        ("<sip:ada@192.0.2.1:5060>;reg-id=nonsense", "outbound"),
    ],
)
def test_without_all_of_its_parts_outbound_is_not_promised(contact: str, supported: str) -> None:
    response = Registering().ask(contact=contact, fields=[("Supported", supported)])
    assert response.status == 200
    assert "Require" not in response.headers
    assert "Flow-Timer" not in response.headers


def test_both_flows_of_a_phone_are_kept_and_the_newest_is_tried_first() -> None:
    it = Registering()
    second = elsewhere(it, "192.0.2.77")
    it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND])
    response = it.ask(contact=PHONE + ";reg-id=2", fields=[OUTBOUND], peer=second)
    assert [each["reg-id"] for each in params(response)] == ["2", "1"]
    ways = [it.station.endpoint.target_of(each).flow.remote for each in it.station.endpoint.bindings("ada")]
    assert ways == [second.address, it.raw.address]
    it.take()
    it.ask(contact=PHONE + ";reg-id=1;expires=0", fields=[OUTBOUND])
    assert [each.left for each in it.take() if isinstance(each, BindingRemoved)] == [1]
    assert [each.reg_id for each in it.station.endpoint.bindings("ada")] == [2]


def test_the_same_flow_number_takes_the_place_of_the_former_flow() -> None:
    it = Registering()
    it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND])
    it.take()
    it.ask(contact=PHONE.replace("5060", "7777") + ";reg-id=1", peer=elsewhere(it, "192.0.2.77"), call_id="other")
    assert [type(each) for each in it.take()] == [BindingRemoved, BindingAdded]
    assert len(it.contacts()) == 1


@pytest.mark.parametrize("reg_id", ["0", "x", "-1", ""])
def test_a_flow_number_must_be_positive(reg_id: str) -> None:
    assert Registering().ask(contact=f'{PHONE};reg-id="{reg_id}"').status == 400


def test_one_register_makes_one_flow() -> None:
    it = Registering()
    other = PHONE.replace("uuid:1", "uuid:2") + ";reg-id=1"
    assert it.ask(contact=f"{PHONE};reg-id=1, {other}").status == 400
    assert it.contacts() == []
    assert it.ask(contact=f"{PHONE};reg-id=1, {other};expires=0").status == 200


def test_a_proxy_that_knows_no_outbound_makes_the_phone_do_without() -> None:
    it = Registering()
    response = it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND, *two_hops(it)])
    assert (response.status, response.reason) == (439, "First Hop Lacks Outbound Support")
    plain = ("Path", FARM)
    assert it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND, plain, *two_hops(it)]).status == 439
    assert it.contacts() == []
    assert it.ask(contact=PHONE + ";reg-id=1", fields=[("Supported", "path"), *two_hops(it)]).status == 200
    far = ("Path", f"{FARM}, {EDGE}")
    assert it.ask(contact=PHONE + ";reg-id=1", fields=[OUTBOUND, far, *two_hops(it)]).require == ("outbound",)


def test_a_flow_that_a_proxy_has_lost_is_forgotten() -> None:
    it = Registering()
    it.ask(contact=PHONE + ";reg-id=1")
    it.ask(contact=PHONE.replace("uuid:1", "uuid:2") + ";reg-id=1", fields=[("Path", EDGE)])
    it.take()
    first, _ = it.station.endpoint.bindings("ada")
    it.station.endpoint.binding_failed(it.station.endpoint.target_of(first))
    it.wire.run(0.01)
    assert [each.why for each in it.take() if isinstance(each, BindingRemoved)] == [BindingEnd.CONNECTION_LOST]
    assert [each.instance for each in it.station.endpoint.bindings("ada")] == ["<urn:uuid:1>"]


def test_one_of_two_flows_that_a_proxy_has_lost_is_forgotten() -> None:
    it = Registering()
    for number, peer in ((1, it.raw), (2, elsewhere(it, "192.0.2.77"))):
        it.ask(contact=f"{PHONE};reg-id={number}", fields=[OUTBOUND], peer=peer, call_id=f"flow{number}")
    second, first = it.station.endpoint.bindings("ada")
    it.station.endpoint.binding_failed(it.station.endpoint.target_of(first))
    assert it.station.endpoint.bindings("ada") == (second,)


# --- Path ---


def test_a_call_goes_back_through_the_proxies_of_the_registration() -> None:
    it = Registering()
    response = it.ask(fields=[("Supported", "path"), ("Path", EDGE), ("Path", FARM)])
    assert response.headers.get_all("Path") == [EDGE, FARM]
    aim = it.station.endpoint.target_of(it.station.endpoint.bindings("ada")[0])
    assert aim.routes == (EDGE, FARM)
    it.station.endpoint.invite(aim, from_user="x", sdp=SDP, now=it.wire.now)
    it.wire.run(0.1)
    (invite,) = it.raw.requests("INVITE")
    assert invite.headers.get_all("Route") == [EDGE, FARM]
    assert invite.request_uri == "sip:ada@192.0.2.1:5060"
    it.raw.respond(invite, 486)
    it.wire.run(0.1)
    assert it.raw.requests("ACK")[0].headers.get_all("Route") == [EDGE, FARM]


def test_a_path_that_changed_counts_from_the_next_refresh_on() -> None:
    it = Registering()
    it.ask(fields=[("Path", EDGE)])
    it.take()
    it.ask(fields=[("Path", FARM)])
    assert it.station.endpoint.bindings("ada")[0].path == (FARM,)
    assert it.take() == []


def test_a_phone_that_knows_no_path_is_served_and_not_told() -> None:
    it = Registering()
    response = it.ask(fields=[("Path", EDGE)])
    assert response.status == 200
    assert "Path" not in response.headers
    assert it.station.endpoint.bindings("ada")[0].path == (EDGE,)


NINE = ", ".join(FARM for _ in range(9))


@pytest.mark.parametrize("path", ["<sip:192.0.2.50>", "<tel:1>", "nonsense", "<http://h/;lr>", NINE])
def test_a_path_that_cannot_be_gone_is_refused(path: str) -> None:
    it = Registering()
    assert it.ask(fields=[("Path", path)]).status == 400
    assert it.contacts() == []


def test_where_phones_are_to_call_through_is_said_if_the_operator_wants() -> None:
    assert "Service-Route" not in Registering().ask().headers
    response = Registering(service_route="<sip:edge.example;lr>").ask()
    assert response.headers.get("Service-Route") == "<sip:edge.example;lr>"


# --- NAT ---


@pytest.mark.parametrize(
    ("via", "contact", "granted"),
    [
        ("192.0.2.1:5060", "<sip:ada@192.0.2.1:5060>", 3000),
        ("10.0.0.1:5060", "<sip:ada@192.0.2.1:5060>", 90),
        ("192.0.2.1:5060", "<sip:ada@10.0.0.1:5060>", 90),
        ("192.0.2.1:5060", "<sip:ada@phone.example>", 3000),
        ("192.0.2.1:5060", "<sip:ada@10.0.0.1>;expires=60", 60),
        ("10.0.0.1:5060", PHONE.replace("192.0.2.1", "10.0.0.1") + ";reg-id=1", 3000),
    ],
)
def test_a_phone_behind_nat_must_come_back_soon(via: str, contact: str, granted: int) -> None:
    it = Registering(nat_expires_s=90)
    hop = ("Via", f"SIP/2.0/UDP {via};branch=z9hG4bKx{it.number};rport")
    assert it.ask(contact=contact, expires="3000", fields=[hop]).contacts[0].expires == granted


def test_behind_a_proxy_the_way_to_the_phone_is_the_proxys_care() -> None:
    it = Registering(nat_expires_s=90)
    contact = "<sip:ada@10.0.0.1:5060>"
    response = it.ask(contact=contact, expires="3000", fields=[("Path", EDGE), *two_hops(it)])
    assert response.contacts[0].expires == 3000


def test_nobody_is_granted_less_than_the_shortest() -> None:
    it = Registering(nat_expires_s=10)
    assert it.ask(contact="<sip:ada@10.0.0.1>", expires="3000").contacts[0].expires == 30


def test_where_it_is_switched_off_nat_makes_no_difference() -> None:
    it = Registering()
    assert it.ask(contact="<sip:ada@10.0.0.1>", expires="3000").contacts[0].expires == 3000


def test_a_call_that_failed_for_its_flow_names_the_right_one() -> None:
    it = Registering()
    it.ask(fields=[("Path", EDGE)])
    binding = it.station.endpoint.bindings("ada")[0]
    it.station.endpoint.binding_failed(Target(uri=binding.contact, flow=binding.flow))
    assert len(it.contacts()) == 1
