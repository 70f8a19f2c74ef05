"""Messages of our own after RFC 4475 3.1.2 (and those of 3.3 that cannot be processed)."""

from __future__ import annotations

from tests.torture.cases import Case, sdp, sip

_TO = "To: sip:ann@example.com"
_FROM = "From: sip:bob@example.com;tag=77"
_CALL_ID = "Call-ID: refused@example.com"
_VIA = "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKref"
_HOPS = "Max-Forwards: 70"
_INVITE = "INVITE sip:ann@example.com SIP/2.0"
_OPTIONS = "OPTIONS sip:ann@example.com SIP/2.0"
_REGISTER = "REGISTER sip:example.com SIP/2.0"
_SEQ_I = "CSeq: 8 INVITE"
_SEQ_O = "CSeq: 8 OPTIONS"
_SEQ_R = "CSeq: 8 REGISTER"

REFUSED = (
    Case(
        name="badinv01",
        section="3.1.2.1",
        data=sip(
            *(_INVITE, _TO, _FROM, _CALL_ID, _SEQ_I, _HOPS),
            "Via: SIP/2.0/UDP 198.51.100.7;;,;,,",
            'Contact: "Bob" <sip:bob@example.com>;;;;',
        ),
        refused=400,
    ),
    Case(
        name="clerr",
        section="3.1.2.2",
        data=sip(
            *(_INVITE, _TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA),
            "Content-Type: application/sdp",
            length="9000",
            body=sdp(),
        ),
        refused=400,
    ),
    Case(
        name="ncl",
        section="3.1.2.3",
        data=sip(*(_INVITE, _TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA), length="-1", body=sdp()),
        refused=400,
    ),
    Case(
        name="scalar02",
        section="3.1.2.4",
        data=sip(
            *(_REGISTER, _TO, _FROM, _CALL_ID, _VIA),
            "CSeq: 99999999999999999999 REGISTER",
            "Max-Forwards: 300",
            f"Expires: {'9' * 90}",
            "Contact: <sip:ann@gw.example.com>;expires=99999999999999",
        ),
        refused=400,
    ),
    Case(
        name="scalarlg",
        section="3.1.2.5",
        data=sip(
            "SIP/2.0 503 Service Unavailable",
            *(_VIA, _TO, _FROM, _CALL_ID),
            "CSeq: 8888888888888888888888 OPTIONS",
            "Retry-After: 777777777777777777777777777",
            'Warning: 1812 gw "In Progress"',
        ),
        refused=400,
    ),
    Case(
        name="quotbal",
        section="3.1.2.6",
        data=sip(*(_INVITE, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA), 'To: "Ann of the Desk <sip:ann@example.com>'),
        refused=400,
    ),
    Case(
        name="ltgtruri",
        section="3.1.2.7",
        data=sip("INVITE <sip:ann@example.com> SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA)),
        refused=400,
    ),
    Case(
        name="lwsruri",
        section="3.1.2.8",
        data=sip("INVITE sip:ann@example.com; lr SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA)),
        refused=400,
    ),
    Case(
        name="lwsstart",
        section="3.1.2.9",
        data=sip("INVITE  sip:ann@example.com  SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA)),
        refused=400,
    ),
    Case(
        name="trws",
        section="3.1.2.10",
        data=sip("OPTIONS sip:ann@example.com SIP/2.0  ", *(_TO, _FROM, _CALL_ID, _SEQ_O, _HOPS, _VIA)),
        refused=400,
    ),
    Case(
        name="escruri",
        section="3.1.2.11",
        data=sip(
            "INVITE sip:ann@example.com?Route=%3Csip:edge.example.com%3E SIP/2.0",
            *(_TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA),
        ),
        refused=400,
    ),
    Case(
        name="regbadct",
        section="3.1.2.13",
        data=sip(
            *(_REGISTER, _TO, _FROM, _CALL_ID, _SEQ_R, _HOPS, _VIA),
            "Contact: sip:ann@example.com?Route=%3Csip:edge.example.com%3E",
        ),
        refused=400,
    ),
    Case(
        name="badaspec",
        section="3.1.2.14",
        data=sip(*(_OPTIONS, _FROM, _CALL_ID, _SEQ_O, _HOPS, _VIA), 'To: "Ann, of the Desk" < sip:ann@example.com >'),
        refused=400,
    ),
    Case(
        name="baddn",
        section="3.1.2.15",
        data=sip(
            *(_OPTIONS, _CALL_ID, _SEQ_O, _HOPS, _VIA),
            "From: Builder, Bob <sip:bob@example.com>;tag=77",
            "To: Desk, Ann <sip:ann@example.com>",
        ),
        refused=400,
    ),
    Case(
        name="badvers",
        section="3.1.2.16",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/9.1",
            "Via: SIP/9.1/UDP gw.example.com;branch=z9hG4bKver",
            *(_TO, _FROM, _CALL_ID, _SEQ_O, _HOPS),
        ),
        refused=505,
    ),
    Case(
        name="mismatch01",
        section="3.1.2.17",
        data=sip(*(_OPTIONS, _TO, _FROM, _CALL_ID, _HOPS, _VIA), "CSeq: 8 BYE"),
        refused=400,
    ),
    Case(
        name="mismatch02",
        section="3.1.2.18",
        data=sip("MADEUP sip:ann@example.com SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA)),
        refused=400,
    ),
    Case(
        name="bigcode",
        section="3.1.2.19",
        data=sip("SIP/2.0 4294967496 too much", *(_VIA, _TO, _FROM, _CALL_ID, _SEQ_I)),
        refused=400,
    ),
    Case(
        name="insuf",
        section="3.3.1",
        data=sip(_INVITE, _SEQ_I, _VIA, "Content-Type: application/sdp", body=sdp()),
        refused=400,
        answerable=False,
    ),
    Case(
        name="unkscm",
        section="3.3.2",
        data=sip("OPTIONS neverHeardOf:anything-at-all SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_O, _HOPS, _VIA)),
        refused=416,
    ),
    Case(
        name="novelsc",
        section="3.3.3",
        data=sip("OPTIONS https://198.51.100.7:3003 SIP/2.0", *(_TO, _FROM, _CALL_ID, _SEQ_O, _HOPS, _VIA)),
        refused=416,
    ),
    Case(
        name="multi01",
        section="3.3.8",
        data=sip(
            *(_INVITE, _TO, _FROM, _CALL_ID, _SEQ_I, _HOPS, _VIA),
            "CSeq: 9 INVITE",
            "Call-ID: another@example.com",
            "To: sip:carl@example.com",
            "From: sip:dora@example.com;tag=78",
            "Max-Forwards: 5",
        ),
        refused=400,
    ),
    Case(
        name="mcl01",
        section="3.3.9",
        data=sip(
            *(_OPTIONS, _TO, _FROM, _CALL_ID, _SEQ_O, _HOPS, _VIA),
            "Content-Length: 11",
            length="4",
            body="how long is this text?",
        ),
        refused=400,
    ),
)
