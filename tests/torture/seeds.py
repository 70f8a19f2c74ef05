"""Good inputs for fuzzers to begin with: the torture cases, what one queued call exchanges, and one message with each
header that we read."""

from __future__ import annotations

from typing import Final

from tests.bench.parser import call
from tests.torture.cases import sdp, sip
from tests.torture.rfc4475_odd import ODD
from tests.torture.rfc4475_refused import REFUSED
from tests.torture.rfc4475_valid import VALID
from tests.torture.rfc5118_cases import CASES

_DIALOG: Final = (
    "Via: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bK1",
    "Max-Forwards: 70",
    'From: "Ann, A" <sip:ann@example.com>;tag=1',
    "To: <sip:bob@example.com;user=phone>;tag=2",
    "Call-ID: c@example.com",
)
_UUID: Final = "ab30317f1a784dc48ff824d0d3715d86"
FIELDS: Final = (
    "P-Asserted-Identity: <sip:+15551000@example.com>, <tel:+15551000>",
    "Privacy: id;critical",
    "Diversion: <sip:600@example.com>;reason=no-answer;counter=2;privacy=off",
    'History-Info: <sip:a@h>;index=1, "B" <sip:b@h?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1',
    'Reason: Q.850;cause=16;text="ok, end", SIP;cause=200',
    f"Session-ID: {_UUID};remote={'0' * 32}",
    "User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=isdn-uui",
    "Alert-Info: <urn:alert:source:external>",
    "Answer-Mode: Auto;require",
    "Identity: eyJh.eyJk.c2ln;info=<https://cert.example.org/a.crt>;alg=ES256;ppt=shaken",
    "Date: Sat, 21 Nov 2026 12:00:00 GMT",
    "Session-Expires: 1800;refresher=uac",
    "Min-SE: 90",
    "RSeq: 988789",
    "RAck: 776656 1 INVITE",
    "Replaces: c@h;to-tag=7;from-tag=8;early-only",
    "Refer-To: <sip:carl@h;method=INVITE?Replaces=c%40h%3Bto-tag%3D7%3Bfrom-tag%3D8&Require=replaces>",
    'Referred-By: <sip:dave@h>;cid="1@h"',
    "Refer-Sub: false",
    "Event: refer;id=93809824",
    "Subscription-State: active;expires=60;reason=probation",
    "Path: <sip:p1@h;lr;ob>, <sip:p2@h;lr>",
    "Route: <sip:r1;lr>, <sip:r2;lr>",
    "Record-Route: <sip:r1;lr>, <sip:r2;lr>",
    'Contact: <sip:a@h;transport=tcp>;q=0.5;expires=60;reg-id=1;+sip.instance="<urn:uuid:1>", <sip:b@h>',
    "Accept: application/sdp;q=0.8, */*;q=0",
    "Allow: INVITE, ACK, BYE",
    "Supported: 100rel, timer, replaces",
    "Require: 100rel",
    "Proxy-Require: x",
    "Expires: 60",
    "Min-Expires: 60",
    "Retry-After: 18 (in a meeting);duration=3600",
    "Content-Disposition: session;handling=optional",
    "Content-Encoding: identity",
    'Authorization: Digest username="a", realm="h", nonce="x", uri="sip:h", response="y", qop=auth, nc=00000001',
    'Proxy-Authenticate: Digest realm="h", nonce="x", algorithm=SHA-256, qop="auth,auth-int"',
    'Warning: 301 h "text"',
    "Timestamp: 54.1",
)
_PARTS: Final = (
    f"--b\r\nContent-Type: application/sdp\r\n\r\n{sdp()}\r\n--b\r\nContent-Type: application/isup\r\n"
    "Content-Disposition: signal;handling=optional\r\n\r\n\x01\x02\r\n--b--\r\n"
)


def message_seeds() -> list[bytes]:
    """Requests and responses of every kind."""
    found = [case.data for case in (*VALID, *ODD, *REFUSED, *CASES)] + call(1)
    for method in ("INVITE", "REFER", "NOTIFY", "REGISTER", "PRACK"):
        found.append(sip(f"{method} sip:bob@h;transport=udp SIP/2.0", *_DIALOG, f"CSeq: 7 {method}", *FIELDS))
    found.append(sip("SIP/2.0 183 Session Progress", *_DIALOG, "CSeq: 7 INVITE", *FIELDS))
    for field in FIELDS:
        found.append(sip("OPTIONS sip:bob@h SIP/2.0", *_DIALOG, "CSeq: 7 OPTIONS", field))
    mixed = ("CSeq: 7 INVITE", "Content-Type: multipart/mixed;boundary=b")
    found.append(sip("INVITE sip:bob@h SIP/2.0", *_DIALOG, *mixed, body=_PARTS))
    fragment = ("CSeq: 8 NOTIFY", "Event: refer", "Content-Type: message/sipfrag;version=2.0")
    found.append(sip("NOTIFY sip:bob@h SIP/2.0", *_DIALOG, *fragment, body="SIP/2.0 180 Ringing\r\n"))
    key = ("CSeq: 9 INFO", "Content-Type: application/dtmf-relay")
    found.append(sip("INFO sip:bob@h SIP/2.0", *_DIALOG, *key, body="Signal=5\r\nDuration=160\r\n"))
    return found


def sdp_seeds() -> list[bytes]:
    """Descriptions of phones, gateways and browsers, and the bodies of the torture cases."""
    found = [data.partition(b"\r\n\r\n")[2] for data in message_seeds()]
    streams = (
        ("m=audio 4000 RTP/AVP 0 8 101", "a=rtpmap:101 telephone-event/8000", "a=fmtp:101 0-16", "a=ptime:20"),
        ("m=audio 4000 RTP/AVP 96 97", "a=rtpmap:96 PCMA/8000/1", "a=rtpmap:97 opus/48000/2", "a=sendonly"),
        ("m=audio 4000/2 RTP/AVP 0", "c=IN IP6 2001:db8::1", "a=rtcp:4009 IN IP4 192.0.2.1", "a=inactive"),
        ("m=video 0 RTP/AVP 31", "m=audio 4000 RTP/AVP 8", "b=AS:64", "k=clear:x", "i=hello"),
        (
            "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
            "a=setup:actpass",
            "a=mid:0",
            "a=rtcp-mux",
            "a=candidate:1 1 UDP 1 h 1 typ host",
        ),
        ("m=image 5000 udptl t38", "a=T38FaxVersion:0", "m=audio 4000 RTP/AVP 0", "c=IN IP4 0.0.0.0"),
    )
    return [each for each in found if each] + [sdp(*lines).encode() for lines in streams]
