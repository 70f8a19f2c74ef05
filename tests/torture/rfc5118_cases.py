"""Messages of our own after RFC 5118: IPv6 in every place that has an address."""

from __future__ import annotations

from engine.sip.message import Request
from engine.sip.sdp import parse_sdp
from tests.torture.cases import Case, Message, sip

_TO = "To: sip:ann@example.com"
_FROM = "From: sip:bob@example.com;tag=77"
_CALL_ID = "Call-ID: six@example.com"
_VIA = "Via: SIP/2.0/UDP [2001:db8::7:1];branch=z9hG4bKsix"
_HOPS = "Max-Forwards: 70"
_CONTACT = 'Contact: "Bob" <sip:bob@[2001:db8::7]>'


def _sdp(*lines: str) -> str:
    return "\r\n".join(("v=0", *lines, ""))


def _uri(message: Message) -> tuple[str, int | None]:
    assert isinstance(message, Request)
    return message.uri.host, message.uri.port


def _register(name: str, section: str, uri: str, expected: tuple[str, int | None] | None) -> Case:
    return Case(
        name=name,
        section=section,
        data=sip(f"REGISTER {uri} SIP/2.0", _TO, _FROM, _VIA, _CALL_ID, _HOPS, _CONTACT, "CSeq: 98 REGISTER"),
        refused=None if expected else 400,
        holds=lambda m: _uri(m) == expected and m.contacts[0].uri.host == "2001:db8::7",
    )


def _options(name: str, host: str) -> Case:
    """RFC 5118 4.10: both spellings must be taken."""
    return Case(
        name=name,
        section="4.10",
        data=sip(
            f"OPTIONS sip:ann@[{host}] SIP/2.0",
            f"To: sip:ann@[{host}]",
            *(_FROM, _VIA, _CALL_ID, _HOPS, "CSeq: 68 OPTIONS"),
        ),
        holds=lambda m: _uri(m) == ("2001:db8::198.51.100.1", None) and m.to.uri.host == "2001:db8::198.51.100.1",
    )


def _received(name: str, received: str) -> Case:
    return Case(
        name=name,
        section="4.5",
        data=sip(
            "OPTIONS sip:[2001:db8::1] SIP/2.0",
            f"Via: SIP/2.0/UDP [2001:db8::7:1];received={received};branch=z9hG4bKrcv",
            *(_TO, _FROM, _CALL_ID, _HOPS, "CSeq: 3 OPTIONS"),
        ),
        holds=lambda m: m.via.received == "2001:db8::7:ff" and m.via.host == "2001:db8::7:1",
    )


def _invite(name: str, section: str, body: str, hosts: list[str]) -> Case:
    return Case(
        name=name,
        section=section,
        data=sip(
            "INVITE sip:ann@[2001:db8::1] SIP/2.0",
            *(_TO, _FROM, _VIA, _CALL_ID, _HOPS, _CONTACT, "CSeq: 86 INVITE", "Content-Type: application/sdp"),
            body=body,
        ),
        holds=lambda m: _addresses(m) == hosts,
    )


def _addresses(message: Message) -> list[str]:
    session = parse_sdp(message.body)
    return [(session.connection_of(media) or session.media[0].connection).address for media in session.media]  # type: ignore[union-attr]


CASES = (
    _register("ipv6-good", "4.1", "sip:[2001:db8::1]", ("2001:db8::1", None)),
    _register("ipv6-bad", "4.2", "sip:2001:db8::1", None),
    _register("port-ambiguous", "4.3", "sip:[2001:db8::1:5071]", ("2001:db8::1:5071", None)),
    _register("port-unambiguous", "4.4", "sip:[2001:db8::1]:5071", ("2001:db8::1", 5071)),
    _received("via-received-param-with-delim", "[2001:db8::7:ff]"),
    _received("via-received-param-no-delim", "2001:db8::7:ff"),
    _invite(
        "ipv6-in-sdp",
        "4.6",
        _sdp(
            "o=bob 9 0 IN IP6 2001:db8::7",
            "s=six",
            "c=IN IP6 2001:db8::7",
            "t=0 0",
            "m=audio 6000 RTP/AVP 2",
            "a=rtpmap:2 G726-32/8000",
            "m=video 6002 RTP/AVP 107",
        ),
        ["2001:db8::7", "2001:db8::7"],
    ),
    Case(
        name="mult-ip-in-header",
        section="4.7",
        data=sip(
            "BYE sip:ann@gw.example.com SIP/2.0",
            "Via: SIP/2.0/UDP [2001:db8::7:1]:6050;branch=z9hG4bKm1",
            "Via: SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKm2",
            "Via: SIP/2.0/TCP [2001:db8::7:ff];branch=z9hG4bKm3;received=198.51.100.200",
            *(_TO, _FROM, _CALL_ID, _HOPS, "CSeq: 89 BYE"),
        ),
        holds=lambda m: (
            [via.host for via in m.vias] == ["2001:db8::7:1", "198.51.100.1", "2001:db8::7:ff"]
            and m.via.port == 6050
            and m.vias[2].received == "198.51.100.200"
        ),
    ),
    _invite(
        "mult-ip-in-sdp",
        "4.8",
        _sdp(
            "o=bob 9 1 IN IP4 gw.example.com",
            "s= ",
            "t=0 0",
            "m=audio 22000 RTP/AVP 0",
            "c=IN IP4 198.51.100.1",
            "m=video 6002 RTP/AVP 107",
            "c=IN IP6 2001:db8::1",
        ),
        ["198.51.100.1", "2001:db8::1"],
    ),
    _invite(
        "ipv4-mapped-ipv6",
        "4.9",
        _sdp(
            "o=bob 9 0 IN IP6 ::ffff:198.51.100.2",
            "s=mapped",
            "c=IN IP6 ::ffff:198.51.100.2",
            "t=0 0",
            "m=audio 6000 RTP/AVP 0",
        ),
        ["::ffff:198.51.100.2"],
    ),
    _options("ipv6-bug-abnf-3-colons", "2001:db8:::198.51.100.1"),
    _options("ipv6-correct-abnf-2-colons", "2001:db8::198.51.100.1"),
)
