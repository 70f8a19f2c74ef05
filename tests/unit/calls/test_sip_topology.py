"""Nothing of one leg is seen on the other: every byte that leaves is searched for what the far sides said of
themselves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.calls.events import Answered, Ended, Offered
from engine.calls.ports import AgentPhone
from engine.ids import AgentName, LegId
from engine.sip.events import InviteReceived
from engine.sip.flow import Flow
from engine.sip.message import Message
from tests.support.sip_legs import HANGUP, MEDIA
from tests.support.sip_pair import ENGINE, PBX, PHONE, SipPair, description, udp

SECRETS_OF_THE_TRUNK = (
    "pbx-internal.example",
    "10.77.0.1",
    "10.77.0.2",
    "SecretSwitch/1.2.3",
    "trunk-call-id",
    "o=secretuser",
    "a=x-internal",
    "z9hG4bKtrunk",
    "trunktag",
    "proxy.internal",
)
SDP = (
    b"v=0\r\no=secretuser 1 1 IN IP4 10.77.0.2\r\ns=pbx-internal.example\r\ni=SecretSwitch/1.2.3\r\n"
    b"c=IN IP4 10.77.0.2\r\nt=0 0\r\na=x-internal:10.77.0.1\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n"
    b"a=x-internal:proxy.internal\r\n"
)
INVITE = [
    "INVITE sip:4000@192.0.2.1:5080 SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKtrunk1;rport",
    "Via: SIP/2.0/UDP pbx-internal.example;branch=z9hG4bKtrunk2;received=10.77.0.1",
    "Record-Route: <sip:192.0.2.2:5060;lr;node=proxy.internal>",
    "Max-Forwards: 69",
    'From: "Mrs Caller" <sip:0301234@pbx-internal.example>;tag=trunktag',
    "To: <sip:4000@pbx-internal.example>",
    "Call-ID: trunk-call-id@10.77.0.1",
    "CSeq: 7 INVITE",
    "Contact: <sip:0301234@192.0.2.2:5060;x=pbx-internal.example>",
    "User-Agent: SecretSwitch/1.2.3",
    "Server: SecretSwitch/1.2.3",
    "Organization: pbx-internal.example",
    "Call-Info: <http://pbx-internal.example/>;purpose=info",
    "Warning: 399 pbx-internal.example x",
    "X-Internal: 10.77.0.1",
    "Remote-Party-ID: <sip:0301234@pbx-internal.example>",
    "P-Charging-Vector: icid-value=10.77.0.1",
    "Content-Type: application/sdp",
]


class Bytes:
    """What the engine sent, by the address that it went to."""

    def __init__(self, it: SipPair) -> None:
        self.to: dict[object, list[bytes]] = {}
        it.engine.trace = self.note

    def note(self, way: str, flow: Flow, message: Message) -> None:
        if way == "out":
            self.to.setdefault(flow.remote, []).append(message.to_bytes())


def no_word_of(secrets: Sequence[str], messages: Sequence[bytes]) -> None:
    assert messages
    for data in messages:
        for secret in secrets:
            assert secret.encode().lower() not in data.lower(), (secret, data.decode())


@pytest.mark.parametrize("answered", [True, False])
def test_a_call_from_a_trunk_tells_an_agents_phone_nothing_of_the_trunk(answered: bool) -> None:
    it = SipPair()
    it.register()
    sent = Bytes(it)
    head = "\r\n".join([*INVITE, f"Content-Length: {len(SDP)}", "", ""]).encode()
    it.engine.receive_datagram(head + SDP, udp(ENGINE, PBX), it.now)
    while (event := it.engine.next_event()) is not None:
        it.legs.handle(event, it.now)
    it.told += it.legs.take_events()
    offered = it.last(Offered)
    anna = AgentPhone(agent=AgentName("anna"))
    it.legs.place(LegId("next"), anna, offered.caller, MEDIA, it.now, carried=offered.carried)
    it.run()
    called = [each for each in it.far if isinstance(each, InviteReceived)][-1]
    if answered:
        it.peer.progress(called.session, 183, sdp=description(), now=it.now)
        it.peer.accept(called.session, description(), now=it.now)
    else:
        it.peer.reject(called.session, 486, "10.88.0.1 busy at phone.internal", now=it.now)
    it.run()
    assert [each for each in it.told if isinstance(each, Answered if answered else Ended)]
    it.legs.end(offered.leg, HANGUP, it.now)
    if answered:
        it.legs.end(LegId("next"), HANGUP, it.now)
    it.run()
    no_word_of(SECRETS_OF_THE_TRUNK, sent.to[PHONE])
    # Nor is the trunk told of the phone, whose address behind its router is 10.0.0.3.
    no_word_of(("10.0.0.3", "192.0.2.3", "anna", "10.88.0.1", "phone.internal"), sent.to[PBX])
    for data in [*sent.to[PHONE], *sent.to[PBX]]:
        assert b"Python" not in data
