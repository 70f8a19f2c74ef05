"""What a caller by a `sips:` URI is told as our Contact (RFC 5630 5.1.1.1)."""

from __future__ import annotations

from typing import Any

from engine.sip.events import InviteReceived, ReferReceived
from engine.sip.flow import Address, Flow, Transport
from engine.sip.message import Response
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri
from tests.support.sip_phone import SDP_ANSWER
from tests.support.sip_raw import RawPeer, pair
from tests.support.wire import EndpointStation


def ask(station: EndpointStation, raw: RawPeer, flow: Flow, method: str, **options: Any) -> list[bytes]:
    """What the endpoint sends when the request comes on the flow."""
    endpoint = station.endpoint
    via = f"SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK{method}"
    whole = raw.request(method, uri="sips:100@192.0.2.9", via=via, **options)
    endpoint.receive_stream(whole.to_bytes(), flow, 0.0)
    while (event := endpoint.next_event()) is not None:
        if isinstance(event, InviteReceived):
            endpoint.accept(event.session, SDP_ANSWER, now=0.0)
        if isinstance(event, ReferReceived):
            endpoint.accept_refer(event.refer, now=0.0)
            endpoint.refer(event.session, SipUri(user="1", host="h"), now=0.0)
    return [each.data for each in endpoint.datagrams_to_send()]


def test_it_is_sips_in_all_that_has_one() -> None:
    station, raw, _ = pair()
    flow = Flow(Transport.TLS, station.address, Address("192.0.2.1", 40000), 7)
    station.endpoint.connection_opened(flow, 0.0)
    sent = ask(station, raw, flow, "INVITE", contact="<sips:raw@192.0.2.1:5061>")
    answer = parse_datagram(sent[-1])
    assert isinstance(answer, Response)
    tag = answer.to_tag
    sent += ask(station, raw, flow, "ACK", to_tag=tag)
    sent += ask(station, raw, flow, "REFER", number=2, to_tag=tag, fields=[("Refer-To", "<sips:2@192.0.2.9>")])
    sent += ask(station, raw, flow, "SUBSCRIBE", number=3, to_tag=tag, fields=[("Event", "refer")])
    told = [data for data in sent if b"\r\nContact: " in data]
    kinds = {data.split(b" ")[0] for data in told}
    assert kinds == {b"SIP/2.0", b"NOTIFY", b"REFER"}
    assert len(told) == 5
    assert all(b"\r\nContact: <sips:192.0.2.9:5060>" in data for data in told)
