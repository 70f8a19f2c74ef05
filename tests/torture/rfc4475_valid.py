"""Messages of our own after RFC 4475 3.1.1 (and the one of 3.1.2 that a parser must take)."""

from __future__ import annotations

from engine.sip.message import Request, Response
from tests.torture.cases import Case, Message, sdp, sip


def _request(message: Message) -> Request:
    assert isinstance(message, Request)
    return message


def _response(message: Message) -> Response:
    assert isinstance(message, Response)
    return message


_BULK = "bulk" * 60
_ODD_METHOD = "a-B.c!d%e*f_g+h`i'j~0"

VALID = (
    Case(
        name="wsinv",
        section="3.1.1.1",
        data=sip(
            "INVITE sip:desk7@branch.example.com;flagonly SIP/2.0",
            "tO  :",
            "  sip:desk7@branch.example.com  ;\ttag   =  7001f",
            'FROM :   "Ann \\"Q\\" \\\\"',
            "\t<sip:ann@example.com>",
            "  ;",
            "  tag  =  a77b",
            "max-FORWARDS:   0055",
            "call-id:  tab-and-space@198.51.100.7",
            "cSeq :   00042",
            "   INVITE",
            "vIA :  SIP /  2.0",
            "  / UDP",
            "   198.51.100.7 ; branch = z9hG4bKws1",
            "S :",
            "X-Made-Up:  one value",
            "  going on",
            "X-Odd: ,,;;,,",
            "c: application/sdp",
            "rouTe:",
            "   <sip:edge.example.com;lr;other=thing>",
            "V: SIP /2.0/ TCP   inner.example.net  ;",
            "  branch=z9hG4bKws2 , SIP/ 2.0/UDP  10.1.2.3;branch=",
            " z9hG4bKws3",
            'm: "Ann \\"\\"" <sip:ann@198.51.100.7> ;  q =  0.25 ; later =',
            "    on",
            body=sdp(),
        ),
        holds=lambda m: (
            m.from_.display == 'Ann "Q" \\'
            and (m.from_tag, m.to_tag) == ("a77b", "7001f")
            and m.max_forwards == 55
            and m.cseq == (42, "INVITE")
            and [via.branch for via in m.vias] == ["z9hG4bKws1", "z9hG4bKws2", "z9hG4bKws3"]
            and m.headers.get("x-made-up") == "one value going on"
            and m.headers.get("subject") == ""
            and m.contacts[0].params == {"q": "0.25", "later": "on"}
            and m.routes[0].uri.params == {"lr": None, "other": "thing"}
        ),
    ),
    Case(
        name="intmeth",
        section="3.1.1.2",
        data=sip(
            f"{_ODD_METHOD} sip:2_odd.(user)~&a=b+c$d/e?f,g;h:p&=+$,w@example.com SIP/2.0",
            "Via: SIP/2.0/TCP odd.example.com;branch=z9hG4bK!%*_+`'~x",
            'To: "tab \\\t nul \\\0 del \\\x7f" <sip:2_odd.(user)~&a=b+c$d/e?f,g;h@example.com>',
            "From: one~` two'+_ three*%!.- <sip:plain@example.com>;it's+*_!.-%=\"жук\";tag=_t~1'+`*%!-.",
            "Call-ID: odd%ZZ.*_+'@w`~)(><:\\/\"][?}{",
            f"CSeq: 7 {_ODD_METHOD}",
            "Max-Forwards: 255",
            "x-Ext.!%*+_`'~: 浜面",
        ),
        holds=lambda m: (
            _request(m).method == _ODD_METHOD
            and _request(m).uri.user == "2_odd.(user)~&a=b+c$d/e?f,g;h"
            and _request(m).uri.password == "p&=+$,w"
            and m.from_tag == "_t~1'+`*%!-."
            and m.from_.params["it's+*_!.-%"] == "жук"
            and m.from_.display == "one~` two'+_ three*%!.-"
            and m.headers.get("x-ext.!%*+_`'~") == "浜面"
        ),
    ),
    Case(
        name="esc01",
        section="3.1.1.3",
        data=sip(
            "INVITE sip:sip%3Aann%40example.org@example.com SIP/2.0",
            "To: sip:%64esk%37@example.com",
            "From: <sip:two%20words@example.com>;tag=e1",
            "Max-Forwards: 9",
            "i: esc-one@example.com",
            "CSeq: 5 INVITE",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKesc",
            "Contact:",
            "  <sip:%61nn@gw.example.com;%6C%72;%6eame=v%61l%25%32%35>",
        ),
        holds=lambda m: (
            _request(m).uri.user == "sip:ann@example.org"
            and m.to.uri.user == "desk7"
            and m.from_.uri.user == "two words"
            and m.contacts[0].uri.user == "ann"
            and m.contacts[0].uri.params == {"lr": None, "name": "val%25"}
        ),
    ),
    Case(
        name="escnull",
        section="3.1.1.4",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "To: sip:a%00b@example.com",
            "From: sip:a%00b@example.com;tag=n1",
            "Max-Forwards: 70",
            "Call-ID: nul@example.com",
            "CSeq: 8 REGISTER",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKnul",
            "Contact: <sip:%00@gw.example.com>",
            "Contact: <sip:%00%00@gw.example.com>",
        ),
        holds=lambda m: m.to.uri.user == "a\0b" and [c.uri.user for c in m.contacts] == ["\0", "\0\0"],
    ),
    Case(
        name="esc02",
        section="3.1.1.5",
        data=sip(
            "IN%56ITE sip:example.com SIP/2.0",
            'To: "%A%B" <sip:ann@example.com>',
            "From: <sip:ann@example.com>;tag=p1",
            "Call-ID: percent@example.com",
            "Via: SIP/2.0/TCP gw.example.com;branch=z9hG4bK%f0",
            "CSeq: 3 IN%56ITE",
            "Max-Forwards: 70",
            "Contact: <sip:one@gw.example.com>",
            "C%6Fntact: <sip:two@gw.example.com>",
        ),
        holds=lambda m: (
            _request(m).method == "IN%56ITE"
            and m.to.display == "%A%B"
            and len(m.contacts) == 1
            and m.via.branch == "z9hG4bK%f0"
        ),
    ),
    Case(
        name="lwsdisp",
        section="3.1.1.6",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: Bob<sip:bob@example.com>;tag=l1",
            "Max-Forwards: 70",
            "Call-ID: nospace@example.com",
            "CSeq: 60 OPTIONS",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKlws",
        ),
        holds=lambda m: m.from_.display == "Bob" and m.from_.uri.user == "bob",
    ),
    Case(
        name="longreq",
        section="3.1.1.7",
        data=sip(
            "INVITE sip:ann@example.com SIP/2.0",
            f'To: "{_BULK} name" <sip:ann@example.com:6001;p1={_BULK};{_BULK}={_BULK}>',
            f"F: sip:{_BULK}@example.com;tag={_BULK};{_BULK}x",
            f"Call-ID: {_BULK}",
            "CSeq: 1 INVITE",
            f"X-{_BULK}: {_BULK}; {_BULK}",
            *(f"{name}: SIP/2.0/TCP hop{n}.example.com" for n, name in enumerate(("Via", "v", "V ", "VIA", "vIa") * 7)),
            f"Via: SIP/2.0/TCP last.example.com;received=198.51.100.9;branch={_BULK}",
            "Max-Forwards: 70",
            f"Contact: <sip:{_BULK}@last.example.com>",
        ),
        holds=lambda m: (
            len(m.vias) == 36
            and m.via.host == "hop0.example.com"
            and m.vias[-1].branch == _BULK
            and m.to.uri.port == 6001
            and m.from_tag == _BULK
        ),
    ),
    Case(
        name="dblreq",
        section="3.1.1.8",
        data=sip(
            "REGISTER sip:example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:ann@example.com;tag=d1",
            "I: first@example.com",
            "CSeq: 9 REGISTER",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKdbl",
            "Max-Forwards: 8",
        )
        + b"\r\n\r\nINVITE sip:joe@example.com SIP/2.0\r\nm =nothing to see\r\n\r\n",
        holds=lambda m: _request(m).method == "REGISTER" and m.body == b"" and m.call_id == "first@example.com",
    ),
    Case(
        name="semiuri",
        section="3.1.1.9",
        data=sip(
            "OPTIONS sip:ann;at=b%40example.org@example.com SIP/2.0",
            "To: sip:bob@example.com",
            "From: sip:ann@example.com;tag=s1",
            "Max-Forwards: 3",
            "Call-ID: semi@example.com",
            "CSeq: 8 OPTIONS",
            "Accept: application/sdp, text/plain,",
            "        multipart/mixed",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKsemi",
        ),
        holds=lambda m: (
            _request(m).uri.user == "ann;at=b@example.org"
            and _request(m).uri.params == {}
            and len(m.headers.values("Accept")) == 3
        ),
    ),
    Case(
        name="transports",
        section="3.1.1.10",
        data=sip(
            "OPTIONS sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: <sip:bob@example.com>;tag=t1",
            "Max-Forwards: 70",
            "Call-ID:  hops@example.com",
            "CSeq: 60 OPTIONS",
            "Via: SIP/2.0/UDP h1.example.com;branch=z9hG4bKh1",
            "Via: SIP/2.0/SCTP h2.example.com;branch=z9hG4bKh2",
            "Via: SIP/2.0/TLS h3.example.com;branch=z9hG4bKh3",
            "Via: SIP/2.0/PIGEON h4.example.com;branch=z9hG4bKh4",
            "Via: SIP/2.0/TCP h5.example.com;branch=z9hG4bKh5",
        ),
        holds=lambda m: [via.transport for via in m.vias] == ["UDP", "SCTP", "TLS", "PIGEON", "TCP"],
    ),
    Case(
        name="mpart01",
        section="3.1.1.11",
        data=sip(
            "MESSAGE sip:ann@example.com SIP/2.0",
            "Via: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bK-d8-1---d8-;rport",
            "Max-Forwards: 70",
            "Contact: <sip:bob@127.0.0.1:5070>",
            "To: <sip:ann@example.com>",
            "From: <sip:bob@example.com>;tag=mp1",
            "Call-ID: parts@Zm9v..",
            "CSeq: 1 MESSAGE",
            "Content-Type: multipart/mixed;boundary=aa55",
            body="--aa55\r\nContent-Type: text/plain\r\n\r\nhi\r\n--aa55\r\n\r\n\0\x01\x02\r\n--aa55--\r\n",
        ),
        holds=lambda m: (
            m.content_type == "multipart/mixed"
            and "rport" in m.via.params
            and m.via.rport is None
            and m.body.endswith(b"\0\x01\x02\r\n--aa55--\r\n")
        ),
    ),
    Case(
        name="unreason",
        section="3.1.1.12",
        data=sip(
            "SIP/2.0 200 = ça va, 8**2 двести",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKun",
            "Call-ID: reason@example.com",
            "CSeq: 35 INVITE",
            "From: sip:ann@example.com;tag=u1",
            "To: sip:bob@example.com;tag=u2",
            "Contact: <sip:bob@198.51.100.8>",
        ),
        holds=lambda m: _response(m).reason == "= ça va, 8**2 двести" and m.to_tag == "u2",
    ),
    Case(
        name="noreason",
        section="3.1.1.13",
        data=sip(
            "SIP/2.0 183 ",
            "Via: SIP/2.0/UDP 198.51.100.7;branch=z9hG4bKno",
            "Call-ID: noreason@example.com",
            "CSeq: 35 INVITE",
            "From: <sip:ann@example.com>;tag=n1",
            "To: <sip:bob@example.com>;tag=n2",
        ),
        holds=lambda m: _response(m).status == 183 and _response(m).reason == "",
    ),
    Case(
        name="baddate",
        section="3.1.2.12",
        # The RFC lets an element that has no use for the date pass it over.
        data=sip(
            "INVITE sip:ann@example.com SIP/2.0",
            "To: sip:ann@example.com",
            "From: sip:bob@example.com;tag=bd",
            "Call-ID: date@example.com",
            "CSeq: 1 INVITE",
            "Via: SIP/2.0/UDP gw.example.com;branch=z9hG4bKdate",
            "Date: Sat, 02 Jan 2010 09:30:00 CEST",
            "Contact: <sip:bob@gw.example.com>",
        ),
        holds=lambda m: m.headers.get("Date") == "Sat, 02 Jan 2010 09:30:00 CEST",
    ),
)
