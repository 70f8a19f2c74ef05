"""Messages of our own after RFC 4475 3.2 to 3.4 that a parser must take, whatever is then made of them."""

from __future__ import annotations

from tests.torture.cases import Case, sdp, sip

ODD = (
    Case(
        name="badbranch",
        section="3.2.1",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:bob@example.org;tag=bb",
            "Max-Forwards: 3",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bK",
            "Call-ID: branch@example.com",
            "CSeq: 8 OPTIONS",
        ),
        holds=lambda m: m.via.branch == "z9hG4bK" and not m.via.has_magic_cookie,
    ),
    Case(
        name="unksm2",
        section="3.3.4",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "To: urn:service:sos",
            "From: <mailto:ann@example.com>;tag=um",
            "Call-ID: schemes@example.com",
            "CSeq: 2 REGISTER",
            "Max-Forwards: 70",
            "Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKsch",
            "Contact: <call:Ann_Example>",
        ),
        holds=lambda m: (
            [m.to.uri.scheme, m.from_.uri.scheme, m.contacts[0].uri.scheme] == ["urn", "mailto", "call"]
            and not m.contacts[0].uri.is_sip
        ),
    ),
    Case(
        name="bext01",
        section="3.3.5",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:bob@example.com;tag=be",
            "Max-Forwards: 6",
            "Call-ID: options@example.com",
            "Require: neverHeardOf, norOfThis",
            "Proxy-Require: orThat",
            "CSeq: 8 OPTIONS",
            "Via: SIP/2.0/TLS tls.example.com;branch=z9hG4bKext",
        ),
        holds=lambda m: m.require == ("neverHeardOf", "norOfThis") and m.proxy_require == ("orThat",),
    ),
    Case(
        name="invut",
        section="3.3.6",
        data=sip(
            "INVITE sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:bob@example.com;tag=iu",
            "Max-Forwards: 70",
            "Call-ID: type@example.com",
            "CSeq: 2 INVITE",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKtype",
            "Contact: <sip:bob@gw.example.com>",
            "Content-Type: application/made-up",
            body="<call/>\r\n",
        ),
        holds=lambda m: m.content_type == "application/made-up" and m.body == b"<call/>\r\n",
    ),
    Case(
        name="regaut01",
        section="3.3.7",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:ann@example.com;tag=ra",
            "Max-Forwards: 8",
            "Call-ID: auth@example.com",
            "CSeq: 9 REGISTER",
            "Via: SIP/2.0/TCP 198.51.100.7;branch=z9hG4bKauth",
            "Authorization: Handshake grip=firm",
        ),
        holds=lambda m: m.headers.get("authorization") == "Handshake grip=firm",
    ),
    Case(
        name="bcast",
        section="3.3.10",
        data=sip(
            "SIP/2.0 200 OK",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKmine",
            "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKall",
            "Call-ID: broadcast@example.com",
            "CSeq: 35 INVITE",
            "From: sip:ann@example.com;tag=b1",
            "To: sip:bob@example.com;tag=b2",
            "Contact: <sip:bob@198.51.100.9>",
        ),
        holds=lambda m: [via.host for via in m.vias] == ["198.51.100.7", "255.255.255.255"],
    ),
    Case(
        name="zeromf",
        section="3.3.11",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:bob@example.com;tag=zm",
            "Call-ID: zero@example.com",
            "CSeq: 39 OPTIONS",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKzero",
            "Max-Forwards: 0",
        ),
        holds=lambda m: m.max_forwards == 0,
    ),
    Case(
        name="cparam01",
        section="3.3.12",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "Via: SIP/2.0/UDP gw.example.com:5060;branch=z9hG4bKcp1",
            "Max-Forwards: 70",
            "From: sip:ann@example.com;tag=c1",
            "To: sip:ann@example.com",
            "Call-ID: param1@example.com",
            "CSeq: 2 REGISTER",
            "Contact: sip:+4930123@gw.example.com;whatever",
        ),
        holds=lambda m: m.contacts[0].params == {"whatever": None} and m.contacts[0].uri.params == {},
    ),
    Case(
        name="cparam02",
        section="3.3.13",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "Via: SIP/2.0/UDP gw.example.com:5060;branch=z9hG4bKcp2",
            "Max-Forwards: 70",
            "From: sip:ann@example.com;tag=c2",
            "To: sip:ann@example.com",
            "Call-ID: param2@example.com",
            "CSeq: 3 REGISTER",
            "Contact: <sip:+4930123@gw.example.com;whatever>",
        ),
        holds=lambda m: m.contacts[0].params == {} and m.contacts[0].uri.params == {"whatever": None},
    ),
    Case(
        name="regescrt",
        section="3.3.14",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:ann@example.com;tag=re",
            "Max-Forwards: 70",
            "Call-ID: route@example.com",
            "CSeq: 14 REGISTER",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKrt",
            "M: <sip:ann@example.com?Route=%3Csip:edge.example.com%3E>",
        ),
        holds=lambda m: m.contacts[0].uri.headers == {"Route": "<sip:edge.example.com>"},
    ),
    Case(
        name="sdp01",
        section="3.3.15",
        data=sip(
            "INVITE sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "Contact: <sip:bob@gw.example.com>",
            "From: sip:bob@example.com;tag=sd",
            "Max-Forwards: 5",
            "Call-ID: accept@example.com",
            "Accept: text/unheard-of",
            "CSeq: 8 INVITE",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKsdp",
            "Content-Type: application/sdp",
            body=sdp(),
        ),
        holds=lambda m: m.headers.values("Accept") == ["text/unheard-of"] and m.content_type == "application/sdp",
    ),
    Case(
        name="inv2543",
        section="3.4.1",
        data=sip(
            "INVITE sip:Desk@example.com SIP/2.0",
            "Via: SIP/2.0/UDP old.example.com",
            "From: <sip:+4930123@old.example.com;user=phone>",
            "Record-Route: <sip:Desk@example.com;maddr=edge.example.com>",
            "To: sip:+4940456@edge.example.com;user=phone",
            "Call-ID: old@old.example.com",
            "CSeq: 56 INVITE",
            "Content-Type: application/sdp",
            length=None,
            body=sdp(),
        ),
        holds=lambda m: (
            m.from_tag is None
            and m.via.branch is None
            and m.max_forwards is None
            and m.body == sdp().encode()
            and m.record_routes[0].uri.params == {"maddr": "edge.example.com"}
        ),
    ),
)
