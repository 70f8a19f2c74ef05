"""Asterisk 22 as a provider: it challenges, we register, call out and are called (RFC 3261 10, 22)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.sip.accounts import Login
from engine.sip.endpoint import Registration, Target
from engine.sip.events import (
    InviteAccepted,
    InviteFailed,
    InviteReceived,
    RegistrationDown,
    RegistrationUp,
    SessionEnded,
    SipEvent,
    TrunkPeer,
)
from engine.sip.uri import SipUri
from tests.support.asterisk import Asterisk, Asterisks
from tests.support.live_endpoint import LiveEndpoint
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration

HOST = "127.0.0.3"
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.3\r\ns=-\r\nc=IN IP4 127.0.0.3\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
PJSIP = """
[4711]
type = aor
max_contacts = 1
remove_existing = yes

[4711]
type = auth
auth_type = userpass
username = 4711
password = secret

[4711]
type = endpoint
transport = hearthline-udp
context = from-4711
disallow = all
allow = ulaw
auth = 4711
aors = 4711
"""
DIALPLAN = """
[from-4711]
exten => 100,1,Answer()
 same => n,Wait(30)
"""


@pytest.fixture
def asterisk(asterisks: Asterisks, ports: PortPool) -> Asterisk:
    extra = {"pjsip_extra.conf": PJSIP, "extensions_extra.conf": DIALPLAN}
    return asterisks.start(engine_port=ports.one(), name="provider", extra=extra)


@pytest.fixture
def line(ports: PortPool) -> Iterator[LiveEndpoint]:
    with LiveEndpoint(HOST, ports.one(), logins={"line": Login(user="4711", password="secret")}) as made:
        yield made


def register(line: LiveEndpoint, asterisk: Asterisk) -> None:
    flow = line.flow_to("127.0.0.1", asterisk.ports.sip)
    registrar = SipUri(host="127.0.0.1", port=asterisk.ports.sip)
    registration = Registration(registrar=registrar, user="4711", flow=flow, account="line", expires_s=120)
    line.endpoint.register_at("line", registration, now=line.now)


def test_we_register_with_a_digest_and_leave(line: LiveEndpoint, asterisk: Asterisk) -> None:
    register(line, asterisk)
    line.until(lambda: bool(line.events), "an answer")
    (up,) = line.events
    assert isinstance(up, RegistrationUp)
    assert 0 < up.expires_s <= 120
    assert "4711/sip:" in asterisk.ami.command("pjsip show contacts")
    line.endpoint.unregister_at("line", now=line.now)
    line.until(lambda: bool(line.told(RegistrationDown)), "the end")
    assert "4711/sip:" not in asterisk.ami.command("pjsip show contacts")


def test_a_wrong_password_is_told(line: LiveEndpoint, asterisk: Asterisk, ports: PortPool) -> None:
    with LiveEndpoint(HOST, ports.one(), logins={"line": Login(user="4711", password="wrong")}) as wrong:
        register(wrong, asterisk)
        wrong.until(lambda: bool(wrong.events), "an answer")
        (down,) = wrong.events
        assert isinstance(down, RegistrationDown)
        assert down.status == 401
        assert len([data for data in wrong.sent if data.startswith(b"REGISTER")]) == 2


def test_calls_go_out_with_a_digest_and_the_second_without_being_asked_again(
    line: LiveEndpoint, asterisk: Asterisk
) -> None:
    flow = line.flow_to("127.0.0.1", asterisk.ports.sip)
    uri = SipUri(user="100", host="127.0.0.1", port=asterisk.ports.sip)
    for expected in (2, 1):
        line.events.clear()
        line.sent.clear()
        target = Target(uri=uri, flow=flow, account="line")
        session = line.endpoint.invite(target, from_user="4711", sdp=SDP, now=line.now)
        line.until(lambda: bool(line.told(InviteAccepted) or line.told(InviteFailed)), "an answer")
        assert line.told(InviteFailed) == []
        line.endpoint.bye(session, now=line.now)
        line.until(lambda: bool(line.told(SessionEnded)), "the end")
        assert len([data for data in line.sent if data.startswith(b"INVITE")]) == expected


def test_a_call_to_our_number_is_known_to_be_the_providers(line: LiveEndpoint, asterisk: Asterisk) -> None:
    register(line, asterisk)
    line.until(lambda: bool(line.told(RegistrationUp)), "the registration")

    def answer(event: SipEvent) -> None:
        if isinstance(event, InviteReceived):
            line.endpoint.accept(event.session, SDP, now=line.now)

    line.on_event = answer
    call = asterisk.originate("PJSIP/4711", exten="silence", caller_id="Caller <5551000>")
    line.until(lambda: bool(line.told(InviteReceived)), "the call")
    (invite,) = line.told(InviteReceived)
    assert isinstance(invite, InviteReceived)
    assert (invite.peer, invite.from_user) == (TrunkPeer(name="line"), "5551000")
    line.until(lambda: any(b"SIP/2.0 200" in data for data in line.sent), "our answer")
    line.endpoint.bye(invite.session, now=line.now)
    line.until(lambda: bool(line.told(SessionEnded)), "the end")
    call.wait_ended()
