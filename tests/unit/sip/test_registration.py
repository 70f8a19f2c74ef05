"""Registrations of ours at a provider, in virtual time (RFC 3261 10.2, RFC 5626 4.5, RFC 3608)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.sip.accounts import Login
from engine.sip.endpoint import LiveCounts, Registration
from engine.sip.events import InviteReceived, LocateWanted, RegistrationDown, RegistrationUp, TrunkPeer
from engine.sip.flow import Transport
from engine.sip.message import Request, Response
from engine.sip.registration import BASE_DELAY_S, MOST_DELAY_S, TABLE, State
from engine.sip.stun import is_stun
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP, make_station, target
from tests.support.sip_raw import RawPeer, pair
from tests.support.wire import EndpointStation, Wire

NOTHING = LiveCounts(0, 0, 0, 0, 0)
LOGIN = Login(user="4711", password="secret")
PROVIDER = SipUri(host="provider.example")


def wanted(station: EndpointStation, other: RawPeer | EndpointStation, **settings: object) -> Registration:
    made = Registration(registrar=PROVIDER, user="4711", flow=station.flow_to(other), account="provider")
    return replace(made, **settings)  # type: ignore[arg-type]


def registering(**settings: object) -> tuple[EndpointStation, RawPeer, Wire, Request]:
    """A REGISTER that the test answers."""
    station, raw, wire = pair(logins={"provider": LOGIN}, trunks={})
    station.endpoint.register_at("line", wanted(station, raw, **settings), now=wire.now)
    wire.run(0.1)
    return station, raw, wire, raw.requests("REGISTER")[0]


def grant(raw: RawPeer, request: Request, expires: int = 300, *fields: tuple[str, str]) -> None:
    contact = f"{request.headers.get('Contact')};expires={expires}"
    others = ("Contact", "<sip:somebody@192.0.2.77>;expires=9999")
    raw.respond(request, 200, fields=[others, ("Contact", contact), *fields])


def up(**settings: object) -> tuple[EndpointStation, RawPeer, Wire, Request]:
    station, raw, wire, request = registering(**settings)
    grant(raw, request)
    wire.run(0.1)
    assert [type(event) for event in station.told()] == [RegistrationUp]
    station.events.clear()
    return station, raw, wire, request


def test_what_a_register_of_ours_says() -> None:
    _, _, _, request = registering(expires_s=600)
    request.check()
    assert request.request_uri == "sip:provider.example"
    assert str(request.to) == "<sip:4711@provider.example>"
    assert request.from_.uri == request.to.uri
    (contact,) = request.contacts
    assert (contact.uri.host, contact.uri.port) == ("192.0.2.9", 5060)
    assert len(contact.uri.user or "") > 10
    assert (request.expires, request.supported) == (600, ("path",))


def test_an_instance_asks_for_outbound() -> None:
    _, _, _, request = registering(instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128", domain="voice.example")
    (contact,) = request.contacts
    assert contact.params["+sip.instance"] == "<urn:uuid:00000000-0000-1000-8000-000a95a0e128>"
    assert contact.params["reg-id"] == "1"
    assert request.supported == ("path", "outbound")
    assert request.to.uri.host == "voice.example"


def test_where_a_proxy_on_the_way_lacks_outbound_it_is_done_without() -> None:
    station, raw, wire, request = registering(instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128")
    raw.respond(request, 439)
    wire.run(0.1)
    again = raw.requests("REGISTER")[1]
    assert again.supported == ("path",)
    assert "reg-id" not in again.contacts[0].params
    assert again.expires == 300
    grant(raw, again)
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 3)
    assert raw.requests("REGISTER")[2].supported == ("path",), "nor when it is refreshed"
    raw.respond(raw.requests("REGISTER")[2], 439)
    wire.run(0.1)
    assert isinstance(station.told()[-1], RegistrationDown), "who was not asked for it has no reason"


def test_a_registration_that_is_taken_back_is_so_without_outbound_too() -> None:
    station, raw, wire, _ = up(instance="urn:uuid:00000000-0000-1000-8000-000a95a0e128")
    station.endpoint.unregister_at("line", now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("REGISTER")[1], 439)
    wire.run(0.1)
    last = raw.requests("REGISTER")[2]
    assert (last.expires, last.supported) == (0, ("path",))


def test_a_registrar_that_challenges_is_answered_and_the_calls_come_in_with_the_number_that_was_dialled() -> None:
    provider = make_station("p", "192.0.2.1", trunks={}, passwords={"4711": "secret"})
    station = make_station("e", "192.0.2.9", trunks={}, logins={"provider": LOGIN})
    wire = Wire(provider, station)
    registration = wanted(station, provider, registrar=SipUri(host="192.0.2.1"))
    station.endpoint.register_at("line", registration, now=wire.now)
    wire.run(0.5)
    (told,) = station.told()
    assert told == RegistrationUp(name="line", expires_s=300, flow=station.flow_to(provider), service_routes=())
    (binding,) = provider.endpoint.bindings("4711")
    provider.endpoint.invite(
        provider.endpoint.target_of(binding), from_user="030", to_user="4711", sdp=SDP, now=wire.now
    )
    wire.run(0.5)
    (invite,) = station.told(InviteReceived)
    assert isinstance(invite, InviteReceived)
    assert (invite.peer, invite.to_user, invite.from_user) == (TrunkPeer(name="line"), "4711", "030")
    # A registrar that begins a call itself knows no number but our Contact: it is for who is registered.
    provider.endpoint.invite(provider.endpoint.target_of(binding), from_user="030", sdp=SDP, now=wire.now)
    wire.run(0.5)
    (_, invite) = station.told(InviteReceived)
    assert isinstance(invite, InviteReceived)
    assert invite.to_user == "4711"
    # Who does not know the Contact is a stranger.
    provider.endpoint.invite(target(provider, station), from_user="030", sdp=SDP, now=wire.now)
    wire.run(0.5)
    assert len(station.told(InviteReceived)) == 2
    # A refresh takes the nonce again and needs no second round; nothing of it is told.
    station.events.clear()
    sent = station.endpoint.counters["out", "REGISTER", "request", Transport.UDP]
    wire.run(280)
    assert station.endpoint.counters["out", "REGISTER", "request", Transport.UDP] - sent == 1
    assert station.told() == []
    station.endpoint.unregister_at("line", now=wire.now)
    wire.run(1)
    assert station.told() == [RegistrationDown(name="line", status=None, reason="unregistered")]
    assert provider.endpoint.bindings("4711") == ()


def test_a_contact_that_the_operator_chose_is_no_proof_of_who_calls() -> None:
    station, raw, wire, request = up(contact_user="4711")
    assert request.contacts[0].uri.user == "4711"
    raw.ask("INVITE", uri="sip:4711@192.0.2.9")
    wire.run(0.1)
    assert raw.statuses()[-1] == 401
    assert station.told() == []


def test_a_trunk_known_by_its_address_calls_for_the_number_that_was_dialled_too() -> None:
    station, raw, wire = pair(trunks={"192.0.2.1": "line"}, logins={"provider": LOGIN})
    station.endpoint.register_at("line", wanted(station, raw, contact_user="reg"), now=wire.now)
    wire.run(0.1)
    raw.ask("INVITE", uri="sip:reg@192.0.2.9", fields=[("To", "<sip:+4930123@provider.example>")])
    raw.ask("INVITE", uri="sip:200@192.0.2.9", call_id="other", from_tag="x")
    wire.run(0.1)
    assert [event.to_user for event in station.told() if isinstance(event, InviteReceived)] == ["+4930123", "200"]
    elsewhere = ("To", "<tel:201;phone-context=+44>")
    raw.ask("INVITE", uri="sip:reg@192.0.2.9", fields=[elsewhere], call_id="third", from_tag="y")
    wire.run(0.1)
    assert raw.statuses()[-1] == 404


def test_it_is_refreshed_in_time_under_one_call_id_with_rising_numbers() -> None:
    _, raw, wire, first = up()
    wire.run(300 * 0.75 - 1)
    assert len(raw.requests("REGISTER")) == 1
    wire.run(300 * 0.15 + 2)
    second = raw.requests("REGISTER")[1]
    assert second.call_id == first.call_id
    assert (first.cseq.number, second.cseq.number) == (1, 2)
    assert second.contacts == first.contacts


@pytest.mark.parametrize(("fields", "expires"), [([("Expires", "100")], 100), ([], 300)])
def test_a_registrar_that_sends_no_contact_back_is_taken_at_its_word(
    fields: list[tuple[str, str]], expires: int
) -> None:
    station, raw, wire, request = registering()
    raw.respond(request, 200, fields=[*fields, ("P-Associated-URI", "<<nonsense")])
    wire.run(0.1)
    (told,) = station.told()
    assert isinstance(told, RegistrationUp)
    assert told.expires_s == expires


@pytest.mark.parametrize("contact", ["<sip:somebody@192.0.2.77>;expires=60", "<<"])
def test_an_answer_that_does_not_name_us_is_none(contact: str) -> None:
    station, raw, wire, request = registering()
    raw.respond(request, 200, fields=[("Contact", contact)])
    wire.run(0.1)
    assert station.told() == [RegistrationDown(name="line", status=200, reason="OK")]


def test_a_registrar_that_wants_longer_is_asked_for_longer_at_once() -> None:
    station, raw, wire, request = registering(expires_s=60)
    raw.respond(request, 423, fields=[("Min-Expires", "1800")])
    wire.run(0.1)
    again = raw.requests("REGISTER")[1]
    assert (again.expires, again.cseq.number) == (1800, 2)
    assert station.told() == []
    for _ in range(5):
        raw.respond(raw.requests("REGISTER")[-1], 423, fields=[("Min-Expires", "1800")])
        wire.run(0.1)
    assert len(raw.requests("REGISTER")) == 4
    assert station.told() == [RegistrationDown(name="line", status=423, reason="Interval Too Brief")]


def test_a_grant_of_a_second_is_no_reason_to_register_every_second() -> None:
    _, raw, wire, request = registering()
    grant(raw, request, 1)
    wire.run(7)
    assert len(raw.requests("REGISTER")) == 1


def tries(
    wire: Wire, raw: RawPeer, count: int, status: int, fields: list[tuple[str, str]] | None = None
) -> list[float]:
    """The times between refused tries."""
    delays = []
    for _ in range(count):
        before, at = len(raw.requests("REGISTER")), wire.now
        raw.respond(raw.requests("REGISTER")[-1], status, fields=fields or [])
        wire.run(until=lambda before=before: len(raw.requests("REGISTER")) > before)  # type: ignore[misc]
        delays.append(wire.now - at)
    return delays


def test_tries_after_a_refusal_are_ever_rarer_and_at_random() -> None:
    station, raw, wire, _ = registering()
    delays = tries(wire, raw, 9, 403)
    bounds = [min(MOST_DELAY_S, BASE_DELAY_S * 2**n) for n in range(9)]
    assert all(bound / 2 <= delay <= bound + 1 for delay, bound in zip(delays, bounds, strict=True))
    assert len({round(delay / bound, 2) for delay, bound in zip(delays, bounds, strict=True)}) > 3
    assert station.told() == [RegistrationDown(name="line", status=403, reason="Forbidden")]
    grant(raw, raw.requests("REGISTER")[-1])
    wire.run(0.1)
    assert isinstance(station.told()[-1], RegistrationUp)


def test_retry_after_is_honoured() -> None:
    _, raw, wire, _ = registering()
    assert tries(wire, raw, 1, 503, [("Retry-After", "700")])[0] >= 699.9
    assert tries(wire, raw, 1, 503, [("Retry-After", "999999999")])[0] <= 3601


def test_a_registration_holds_when_a_refresh_gets_no_answer_until_its_time_is_over() -> None:
    station, raw, wire, _ = up()
    raw.receive = lambda data, flow, now: None  # type: ignore[method-assign]
    wire.run(299)
    assert station.told() == []
    wire.run(62)
    assert station.told() == [RegistrationDown(name="line", status=408, reason="Request Timeout")]


def test_numbers_rise_also_over_tries_that_nobody_answered() -> None:
    _, raw, wire, request = registering()
    challenge = 'Digest realm="r", nonce="n", qop="auth"'
    raw.respond(request, 401, fields=[("WWW-Authenticate", challenge)])
    wire.run(200.0)
    numbers = list({each.via.branch: each.cseq.number for each in raw.requests("REGISTER")}.values())
    assert len(numbers) > 2
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_refresh_that_is_refused_ends_it_at_once() -> None:
    station, raw, wire, _ = up()
    wire.run(280)
    raw.respond(raw.requests("REGISTER")[-1], 403)
    wire.run(0.1)
    assert station.told() == [RegistrationDown(name="line", status=403, reason="Forbidden")]


def test_a_reason_is_told_without_line_breaks() -> None:
    station, raw, wire, _ = up()
    wire.run(280)
    raw.send(Response.build(raw.requests("REGISTER")[-1], 403, "Go\x85away", "rawtag"))
    wire.run(0.1)
    assert station.told() == [RegistrationDown(name="line", status=403, reason="Go away")]


def test_the_service_route_is_told_also_when_it_changes() -> None:
    station, raw, wire, request = registering()
    routes = ("<sip:a.example;lr>", "<sip:b.example;lr>")
    grant(raw, request, 300, ("Service-Route", ", ".join(routes)))
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 2)
    grant(raw, raw.requests("REGISTER")[-1], 300, ("Service-Route", routes[0]), ("Service-Route", routes[1]))
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 3)
    grant(raw, raw.requests("REGISTER")[-1], 300, ("Service-Route", "<<"))
    wire.run(1)
    told = [event.service_routes for event in station.told() if isinstance(event, RegistrationUp)]
    assert told == [routes, ()]


def test_a_registrar_by_name_is_located_for_every_register() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    station.endpoint.register_at("line", wanted(station, raw, flow=None), now=wire.now)
    wire.run(0.1)
    (event,) = station.told()
    assert isinstance(event, LocateWanted)
    assert event.uri == PROVIDER
    station.endpoint.located(event.key, [station.flow_to(raw)], wire.now)
    wire.run(0.1)
    request = raw.requests("REGISTER")[0]
    request.check()
    assert str(request.contacts[0].uri).endswith("@192.0.2.9:5060")


def test_the_same_registration_again_changes_nothing_and_another_takes_its_place() -> None:
    station, raw, wire, first = up()
    station.endpoint.register_at("line", wanted(station, raw), now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("REGISTER")) == 1
    station.endpoint.register_at("line", wanted(station, raw, user="4712"), now=wire.now)
    wire.run(0.1)
    away, new = raw.requests("REGISTER")[1:]
    assert (away.expires, away.contacts, away.to.uri.user) == (0, first.contacts, "4711")
    assert (new.expires, new.to.uri.user) == (300, "4712")
    assert station.endpoint.registered() == ("line",)


def test_leaving_before_the_answer_takes_back_what_may_have_come_to_be() -> None:
    station, raw, wire, _ = registering()
    station.endpoint.unregister_at("line", now=wire.now)
    wire.run(0.1)
    away = raw.requests("REGISTER")[-1]
    assert (away.expires, away.cseq.number) == (0, 2)
    wire.run()
    assert [type(event) for event in station.told()] == [RegistrationDown]
    assert station.endpoint.live() == NOTHING
    assert station.endpoint.registered() == ()


def test_leaving_while_it_is_not_registered_is_done_at_once() -> None:
    station, raw, wire, request = registering()
    raw.respond(request, 403)
    wire.run(1)
    station.endpoint.unregister_at("line", now=wire.now)
    station.endpoint.unregister_at("line", now=wire.now)
    wire.run()
    assert len(raw.requests("REGISTER")) == 1
    assert station.told()[-1] == RegistrationDown(name="line", status=None, reason="unregistered")
    assert station.endpoint.live() == NOTHING


def test_a_registration_that_is_asked_for_again_does_not_wait_for_its_next_try() -> None:
    station, raw, wire, _ = registering()
    for _ in range(5):
        raw.respond(raw.requests("REGISTER")[-1], 403)
        wire.run(0.1)
        station.endpoint.register_at("line", wanted(station, raw), now=wire.now)
        wire.run(0.1)
    assert len(raw.requests("REGISTER")) == 6
    raw.respond(raw.requests("REGISTER")[-1], 403)
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 7)
    assert wire.now - 1000 <= BASE_DELAY_S + 2, "the tries before do not count"
    grant(raw, raw.requests("REGISTER")[-1])
    wire.run(0.1)
    station.endpoint.register_at("line", wanted(station, raw), now=wire.now)
    wire.run(0.1)
    assert len(raw.requests("REGISTER")) == 7, "one that holds is left alone"


def test_a_lost_connection_is_registered_anew_at_once() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    wire.on_demand = True
    asked = station.flow_to(raw)._replace(transport=Transport.TCP)
    station.endpoint.register_at("line", wanted(station, raw, flow=asked), now=wire.now)
    wire.run(0.1)
    grant(raw, raw.requests("REGISTER")[0])
    wire.run(0.1)
    wire.cut(wire.made(station, raw))
    wire.run(1.5)
    assert len(raw.requests("REGISTER")) == 2


def kept(*fields: tuple[str, str]) -> tuple[EndpointStation, RawPeer, Wire]:
    """Registered over UDP, with what the registrar says of the flow."""
    station, raw, wire, request = registering()
    grant(raw, request, 3600, *fields)
    wire.run(0.1)
    return station, raw, wire


def stun(wire: Wire, station: EndpointStation) -> list[float]:
    """When Binding requests left."""
    return [sent.at for sent in wire.log if sent.source == station.address and is_stun(sent.data)]


def test_a_flow_is_kept_alive_as_often_as_its_registrar_says_and_registered_anew_when_it_is_dead() -> None:
    station, raw, wire = kept(("Flow-Timer", "20"))
    wire.run(21.0)
    assert 16.0 <= stun(wire, station)[0] - 1000.0 <= 20.5
    wire.run(45.0)
    assert len(stun(wire, station)) == 7
    assert len(raw.requests("REGISTER")) >= 2


def test_a_registrar_that_requires_outbound_leaves_to_us_how_often() -> None:
    station, _, wire = kept(("Require", "outbound"))
    wire.run(30.0)
    assert 23.0 <= stun(wire, station)[0] - 1000.0 <= 29.5


@pytest.mark.parametrize("fields", [[], [("Flow-Timer", "often")]])
def test_a_registrar_that_promises_nothing_is_sent_nothing(fields: list[tuple[str, str]]) -> None:
    station, _, wire = kept(*fields)
    wire.run(200.0)
    assert stun(wire, station) == []


def test_the_flow_of_a_registration_that_ends_is_let_go() -> None:
    station, raw, wire = kept(("Flow-Timer", "20"))
    station.endpoint.unregister_at("line", now=wire.now)
    wire.run(0.1)
    raw.respond(raw.requests("REGISTER")[1], 200)
    wire.run(100.0)
    assert stun(wire, station) == []
    assert station.endpoint.live() == NOTHING


def test_the_connection_of_a_registration_must_answer_where_its_registrar_promised() -> None:
    station, raw, wire = pair(logins={"provider": LOGIN})
    near, _ = wire.connect(station, raw)
    station.endpoint.register_at("line", wanted(station, raw, flow=near), now=wire.now)
    wire.run(0.1)
    grant(raw, raw.requests("REGISTER")[0], 3600, ("Flow-Timer", "20"))
    wire.run(32.0)
    assert not station.endpoint.serves(near)


def test_the_next_try_comes_before_a_registration_that_holds_runs_out() -> None:
    station, raw, wire, request = registering()
    grant(raw, request, 60)
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 2)
    raw.respond(raw.requests("REGISTER")[1], 500)
    wire.run(until=lambda: len(raw.requests("REGISTER")) == 3)
    assert wire.now - 1000 < 60.5
    assert [type(event) for event in station.told()] == [RegistrationUp]


def test_every_state_is_left_but_the_last() -> None:
    assert {state for state, _ in TABLE} == set(State) - {State.GONE}
    assert {step.to for step in TABLE.values()} == set(State)


def test_a_register_that_cannot_be_sent_is_told_as_no_service() -> None:
    station, raw, wire, _ = registering()
    station.endpoint.send_failed(station.flow_to(raw), wire.now)
    wire.run(0.0)
    assert station.told() == [RegistrationDown(name="line", status=503, reason="Service Unavailable")]
