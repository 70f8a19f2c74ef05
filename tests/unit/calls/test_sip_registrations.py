from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.calls.directory import Drop, Put, Trunk
from engine.calls.events import TrunkRegistration
from engine.ids import TrunkName
from engine.sip.auth import parse_auth
from engine.sip.events import RegistrationDown
from engine.sip.message import Request
from engine.sip.parser import parse_datagram
from tests.support.sip_legs import CALLER, LEG, MEDIA, PBX
from tests.support.sip_pair import ENGINE, SipPair, udp
from tests.support.sip_pair import PBX as PBX_ADDRESS

NAME = TrunkName("pbx")


class Provider:
    """The trunk `pbx`, which answers REGISTER by hand."""

    def __init__(self, **settings: Any) -> None:
        self.pair = SipPair()
        self.requests: list[Request] = []
        self.pair.lose = self._take
        self.put(registers=True, user="4930", secret="secret", **settings)

    def _take(self, data: bytes) -> bool:
        if not data.startswith((b"REGISTER", b"INVITE")):
            return False
        request = parse_datagram(data)
        assert isinstance(request, Request)
        self.requests.append(request)
        return True

    def put(self, **settings: Any) -> Trunk:
        trunk = replace(self.pair.directory.trunks[NAME], **settings)
        change = Put(entity=trunk)
        self.pair.directory.apply(change)
        self.pair.legs.directory_changed(change, self.pair.now)
        self.pair.run()
        return trunk

    def answer(self, status: int, *fields: str) -> None:
        request = self.requests[-1]
        kept = "".join(f"{name}: {request.headers.get(name)}\r\n" for name in ("Via", "From", "Call-ID", "CSeq"))
        lines = f"SIP/2.0 {status} Whatever\r\n{kept}To: {request.headers.get('To')};tag=p\r\n" + "".join(
            f"{field}\r\n" for field in fields
        )
        data = f"{lines}Content-Length: 0\r\n\r\n".encode()
        self.pair.engine.receive_datagram(data, udp(ENGINE, PBX_ADDRESS), self.pair.now)
        self.pair.run()

    def grant(self, *fields: str) -> None:
        self.answer(200, f"Contact: {self.requests[-1].headers.get('Contact')};expires=300", *fields)

    def told(self) -> list[tuple[bool, str]]:
        told = [event for event in self.pair.told if isinstance(event, TrunkRegistration)]
        return [(event.registered, event.detail) for event in told]


def test_a_trunk_that_wants_it_is_registered_at_and_its_challenge_answered() -> None:
    provider = Provider(auth_user="acc", from_domain="example.com", register_expires_s=600)
    (request,) = provider.requests
    assert request.request_uri == "sip:192.0.2.2:5060"
    assert str(request.to) == "<sip:4930@example.com>"
    assert provider.pair.legs.registrations.state(NAME) is not None
    assert provider.told() == []
    state = provider.pair.legs.registrations.state(NAME)
    assert state is not None
    assert (state.registered, state.detail) == (False, "not tried yet")


def test_outbound_is_asked_for_with_the_trunks_own_instance_unless_it_says_no() -> None:
    (request,) = Provider().requests
    assert request.contacts[0].params["+sip.instance"] == "<urn:uuid:of-pbx>"
    assert "outbound" in request.supported
    (request,) = Provider(outbound=False).requests
    assert "+sip.instance" not in request.contacts[0].params
    assert "outbound" not in request.supported


def test_what_the_registrar_says_is_told_and_kept() -> None:
    provider = Provider()
    provider.grant()
    assert provider.told() == [(True, "for 300 s")]
    state = provider.pair.legs.registrations.state(NAME)
    assert state is not None
    assert state.registered
    provider = Provider()
    provider.grant("Require: outbound")
    assert provider.told() == [(True, "for 300 s, outbound")]
    refused = Provider()
    refused.answer(403)
    assert [registered for registered, _ in refused.told()] == [False]
    assert refused.told()[0][1].startswith("403")


def test_calls_to_the_trunk_go_by_its_service_route() -> None:
    provider = Provider()
    provider.grant("Service-Route: <sip:edge.example;lr>")
    provider.pair.legs.place(LEG, PBX, CALLER, MEDIA, provider.pair.now)
    provider.pair.run()
    invite = provider.requests[-1]
    assert invite.method == "INVITE"
    assert invite.headers.get("Route") == "<sip:edge.example;lr>"
    provider.pair.legs.registrations.down(RegistrationDown(name="pbx", status=403, reason="Forbidden"), 0)
    assert provider.pair.legs.registrations.routes(NAME) == ()


def test_the_account_answers_the_challenge_of_a_call() -> None:
    provider = Provider(auth_user="acc")
    provider.grant()
    provider.pair.legs.place(LEG, PBX, CALLER, MEDIA, provider.pair.now)
    provider.pair.run()
    provider.answer(407, 'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth"')
    answered = [request for request in provider.requests if request.method == "INVITE"][-1]
    credentials = parse_auth(answered.headers.get("Proxy-Authorization") or "").params
    assert (credentials["username"], credentials["realm"]) == ("acc", "r")


def test_a_registration_is_taken_back_when_nobody_wants_it_any_more() -> None:
    for leave in ("set", "drop", "stop"):
        provider = Provider()
        provider.grant()
        legs = provider.pair.legs
        trunk = provider.pair.directory.trunks[NAME]
        if leave == "set":
            provider.put(registers=False)
        elif leave == "drop":
            provider.pair.directory.apply(Drop(entity=trunk))
            legs.directory_changed(Drop(entity=trunk), provider.pair.now)
        else:
            legs.registrations.sign_off(provider.pair.now)
        provider.pair.run()
        gone = provider.requests[-1]
        assert (gone.method, gone.expires) == ("REGISTER", 0)
        assert not legs.registrations.signed_off()
        provider.answer(200)
        assert legs.registrations.signed_off()
        assert legs.registrations.state(NAME) is None
        assert provider.told()[-1] == (False, "signed off")


def test_other_settings_register_anew_and_the_same_do_not() -> None:
    provider = Provider()
    provider.grant()
    provider.put(context="elsewhere")
    assert len(provider.requests) == 1
    provider.put(register_expires_s=900)
    assert len(provider.requests) > 1


def test_another_password_is_tried_at_once() -> None:
    provider = Provider()
    provider.answer(403)
    provider.put(secret="other")
    assert len(provider.requests) == 2
    provider.put(secret="third")
    assert len(provider.requests) == 2, "one is under way"


def test_where_there_is_no_way_that_is_told() -> None:
    provider = Provider()
    provider.grant()
    provider.pair.no_way = True
    provider.put(port=5070)
    assert provider.told()[-1] == (False, "no way to send")


def test_the_old_registration_is_taken_back_where_the_new_one_has_no_way() -> None:
    provider = Provider()
    provider.grant()
    provider.pair.no_way = True
    provider.put(transport="tls")
    gone = provider.requests[-1]
    assert (gone.method, gone.expires) == ("REGISTER", 0)
    provider.answer(200)
    assert provider.told()[-1] == (False, "no way to send")


@pytest.mark.parametrize("ended", ["dropped", "stopped"])
def test_a_trunk_without_a_way_leaves_nothing_to_wait_for(ended: str) -> None:
    provider = Provider()
    provider.grant()
    provider.pair.no_way = True
    provider.put(transport="tls")
    provider.answer(200)
    registrations = provider.pair.legs.registrations
    if ended == "dropped":
        registrations.drop(NAME, provider.pair.now)
    else:
        registrations.sign_off(provider.pair.now)
    provider.pair.run()
    assert registrations.signed_off()
    assert provider.told()[-1] == (False, "signed off")


def test_the_end_of_a_registration_that_another_took_the_place_of_is_no_news() -> None:
    provider = Provider()
    provider.grant()
    provider.put(register_expires_s=900)
    leaving, trying = provider.requests[-2:]
    assert (leaving.expires, trying.expires) == (0, 900)
    provider.grant()
    provider.requests.append(leaving)
    provider.answer(200)
    assert provider.told() == [(True, "for 300 s"), (True, "for 300 s")]
    assert provider.pair.legs.registrations.signed_off()


def test_trunks_of_the_start_are_registered_at_when_time_begins() -> None:
    provider = Provider()
    legs = provider.pair.legs
    trunk = provider.pair.directory.trunks[NAME]
    legs.registrations._wanted = [trunk]
    assert legs.next_deadline() == 0.0
    legs.handle_deadline(1.0)
    assert legs.next_deadline() != 0.0


def test_a_trunk_without_registration_has_no_state_and_leaves_nothing_to_sign_off() -> None:
    pair = SipPair()
    pair.legs.registrations.put(pair.directory.trunks[NAME], 0)
    assert pair.legs.registrations.state(NAME) is None
    assert pair.legs.registrations.signed_off()
    assert pair.legs.registrations.routes(NAME) == ()
