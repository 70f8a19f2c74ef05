from __future__ import annotations

import pytest

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.message import Headers, Request, Response
from engine.sip.parser import parse_datagram
from engine.sip.uri import SipUri

FIELDS = [
    ("Via", "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bKa"),
    ("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKb"),
    ("Record-Route", "<sip:edge.example.com;lr>"),
    ("From", '"Ann" <sip:ann@example.com>;tag=f1'),
    ("To", "<sip:5000@example.com>"),
    ("Call-ID", "abc@10.0.0.1"),
    ("CSeq", "1 INVITE"),
    ("Max-Forwards", "70"),
]


def invite(*extra: tuple[str, str], body: bytes = b"") -> Request:
    return Request.build("INVITE", SipUri(user="5000", host="example.com"), [*FIELDS, *extra], body)


def without(name: str) -> Request:
    return Request.build("INVITE", "sip:5000@example.com", [field for field in FIELDS if field[0] != name])


def received(request: Request) -> Request:
    again = parse_datagram(request.to_bytes())
    assert isinstance(again, Request)
    return again


def test_request_is_printed_with_content_length_last() -> None:
    request = Request.build("OPTIONS", "sip:h", [("i", "x"), ("CSeq", "1 OPTIONS")], b"\xff\r\n", "a/b")
    assert request.to_bytes() == (
        b"OPTIONS sip:h SIP/2.0\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Type: a/b\r\n"
        b"Content-Length: 3\r\n\r\n\xff\r\n"
    )


def test_a_body_without_a_type_is_sdp_and_no_body_has_no_type() -> None:
    assert invite(body=b"v=0\r\n").content_type == "application/sdp"
    assert invite().content_type is None
    assert invite(("Content-Type", "text/plain"), body=b"x").content_type == "text/plain"


@pytest.mark.parametrize("evil", ["a\r\nEvil: 1", "a\nEvil: 1", "a\rEvil: 1"])
def test_no_line_break_gets_out(evil: str) -> None:
    for attempt in (
        lambda: invite(("Subject", evil)),
        lambda: Headers([("Subject", evil)]),
        lambda: Headers().set("Subject", evil),
        lambda: Headers().add("Subject", evil),
        lambda: invite((evil, "x")),
        lambda: Request.build("INVITE", f"sip:{evil}", FIELDS).to_bytes(),
        lambda: Request.build(evil, "sip:h", FIELDS),
        lambda: Response.build(invite(), 200, reason=evil).to_bytes(),
        lambda: Response.build(invite(), 200, to_tag=evil).to_bytes(),
        lambda: Headers.of({"Subject": evil}) and _raw(evil).to_bytes(),
    ):
        with pytest.raises(LocalSipError):
            attempt()


def _raw(value: str) -> Request:
    return Request("INVITE", "sip:h", Headers.of({"Subject": value}))


def test_what_cannot_be_utf8_is_our_error() -> None:
    with pytest.raises(LocalSipError):
        invite(("Subject", "\ud800")).to_bytes()


@pytest.mark.parametrize("uri", ["", "sip:a b", "sip:a\tb"])
def test_request_uri_with_white_space_cannot_be_built(uri: str) -> None:
    with pytest.raises(LocalSipError):
        Request.build("INVITE", uri)


def test_content_length_cannot_be_set_by_hand() -> None:
    for name in ("Content-Length", "l", "CONTENT-LENGTH"):
        with pytest.raises(LocalSipError):
            Headers([(name, "5")])


def test_response_copies_what_rfc_3261_8_2_6_2_says() -> None:
    response = Response.build(invite(("Timestamp", "54")), 180, to_tag="t1", headers=[("Contact", "<sip:me@h>")])
    assert list(response.headers.items()) == [
        *FIELDS[:4],
        ("To", "<sip:5000@example.com>;tag=t1"),
        *FIELDS[5:7],
        ("Contact", "<sip:me@h>"),
    ]
    assert response.to_bytes().startswith(b"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;")


@pytest.mark.parametrize(
    ("status", "copied"), [(100, False), (101, True), (180, True), (200, True), (299, True), (300, False), (486, False)]
)
def test_record_route_is_copied_where_a_dialog_is_formed(status: int, copied: bool) -> None:
    assert ("Record-Route" in Response.build(invite(), status).headers) is copied


def test_record_route_is_not_copied_for_other_methods() -> None:
    fields = [(name, value.replace("INVITE", "OPTIONS")) for name, value in FIELDS]
    assert "Record-Route" not in Response.build(Request.build("OPTIONS", "sip:h", fields), 200).headers


def test_100_has_no_tag_but_the_timestamp() -> None:
    response = Response.build(invite(("Timestamp", "54")), 100, to_tag="t1")
    assert response.to_tag is None
    assert response.headers.get("Timestamp") == "54"
    assert "Timestamp" not in Response.build(invite(("Timestamp", "54")), 200).headers


def test_a_tag_that_is_there_stays() -> None:
    request = invite()
    request.headers.set("To", "<sip:5000@example.com>;tag=old")
    assert Response.build(request, 200, to_tag="new").to_tag == "old"


def test_a_tag_is_put_on_a_bare_address_and_on_one_that_cannot_be_read() -> None:
    request = invite()
    request.headers.set("To", "sip:5000@example.com;user=phone")
    assert Response.build(request, 200, to_tag="new").to_tag == "new"
    request.headers.set("To", '"Ann <sip:5000@example.com>')
    assert Response.build(request, 400, to_tag="new").headers.get("To") == '"Ann <sip:5000@example.com>;tag=new'


def test_reason_is_from_the_table_unless_given() -> None:
    assert Response.build(invite(), 486).reason == "Busy Here"
    assert Response.build(invite(), 486, reason="Lunch").reason == "Lunch"
    assert Response.build(invite(), 499).reason == "Unknown"
    for status in (0, 99, 700):
        with pytest.raises(LocalSipError):
            Response.build(invite(), status)


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_missing_field_is_400_at_first_access(name: str) -> None:
    attribute = {"Via": "via", "From": "from_", "To": "to", "Call-ID": "call_id", "CSeq": "cseq"}[name]
    with pytest.raises(RemoteSipError) as caught:
        getattr(without(name), attribute)
    assert caught.value.status_hint == 400


@pytest.mark.parametrize("name", ["from_tag", "to_tag"])
def test_the_tag_of_a_missing_field_is_400(name: str) -> None:
    with pytest.raises(RemoteSipError):
        getattr(without("From" if name == "from_tag" else "To"), name)


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("<sip:a@h>", None),
        ("<sip:a@h>;tag=x", "x"),
        ("<sip:a@h>;x=1;tag=y", "y"),
        ("<sip:a@h>;tag=y;x=1", "y"),
        ("<sip:a@h> ;\ttag = z", "z"),
        ("<sip:a@h>;TAG=z", "z"),
        ("sip:a@h;tag=bare", "bare"),
        ('"a>;tag=no" <sip:a@h>;tag=yes', "yes"),
        ('<sip:a@h>;x="<>;tag=no";tag=yes', "yes"),
        ('<sip:a@h>;tag=yes;x="<>;tag=no"', "yes"),
        ('"a>;tag=no" <sip:a@h>', None),
    ],
)
def test_tag_look_up_agrees_with_the_full_grammar(value: str, tag: str | None) -> None:
    request = invite()
    request.headers.set("From", value)
    assert request.from_tag == tag
    assert request.from_.tag == tag


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("Max-Forwards", "256", "max_forwards"),
        ("Max-Forwards", "x", "max_forwards"),
        ("Expires", "soon", "expires"),
        ("Min-Expires", "-5", "min_expires"),
        ("Retry-After", "(later)", "retry_after"),
        ("Contact", "<sip:a@h>, *", "contacts"),
        ("Contact", "x y", "contacts"),
        ("Contact", "", "contacts"),
        ("Content-Type", "sdp", "content_type"),
        ("Require", "a b", "require"),
        ("Supported", '"x"', "supported"),
        ("Allow", ",", "allow"),
        ("Proxy-Require", "[", "proxy_require"),
        ("Route", "<sip:a@h>;;", "routes"),
        ("Record-Route", "<nothing>", "record_routes"),
        ("From", "nobody", "from_"),
        ("To", "nobody", "to"),
        ("Call-ID", "two words", "call_id"),
        ("Via", "SIP/2.0/UDP", "via"),
        ("Via", "SIP/2.0/UDP h, x", "vias"),
    ],
)
def test_a_malformed_value_is_400_at_first_access_and_in_check(name: str, value: str, attribute: str) -> None:
    request = invite()
    request.headers.set(name, value)
    for _ in range(2):
        with pytest.raises(RemoteSipError) as caught:
            getattr(request, attribute)
        assert caught.value.status_hint == 400
    with pytest.raises(RemoteSipError):
        request.check()


def test_typed_values() -> None:
    request = invite(
        ("Contact", '"a, b" <sip:a@h>;q=1, <sip:b@h>'),
        ("m", "<sip:c@h>"),
        ("Route", "<sip:r1;lr>,<sip:r2;lr>"),
        ("Expires", "99999999999999"),
        ("Min-Expires", "60"),
        ("Retry-After", "120 (busy);duration=60"),
        ("Require", "100rel, timer"),
        ("k", "path"),
        ("Supported", ""),
        ("Proxy-Require", "x"),
        ("Allow", "INVITE, ACK"),
        ("Allow", "BYE"),
        ("c", "Application/SDP;x=y"),
    )
    request.check()
    assert [contact.uri.user for contact in request.contacts] == ["a", "b", "c"]
    assert [route.uri.host for route in request.routes] == ["r1", "r2"]
    assert [route.uri.host for route in request.record_routes] == ["edge.example.com"]
    assert (request.expires, request.min_expires, request.retry_after) == (2**32 - 1, 60, 120)
    assert (request.require, request.supported, request.proxy_require) == (("100rel", "timer"), ("path",), ("x",))
    assert request.allow == ("INVITE", "ACK", "BYE")
    assert request.content_type == "application/sdp"
    assert (request.call_id, request.cseq, request.max_forwards) == ("abc@10.0.0.1", (1, "INVITE"), 70)
    assert [via.branch for via in request.vias] == ["z9hG4bKa", "z9hG4bKb"]
    assert request.via == request.vias[0]


def test_contact_star() -> None:
    request = invite(("Contact", "*"))
    assert request.contact_star
    assert request.contacts == ()
    assert not invite(("Contact", "<sip:a@h>")).contact_star
    both = invite(("Contact", "*"), ("Contact", "<sip:a@h>"))
    with pytest.raises(RemoteSipError):
        both.contacts  # noqa: B018


def test_absent_fields_are_none_or_empty() -> None:
    request = without("Max-Forwards")
    for name in ("max_forwards", "expires", "min_expires", "retry_after", "content_type"):
        assert getattr(request, name) is None
    for name in ("contacts", "routes", "require", "supported", "allow"):
        assert getattr(request, name) == ()


def test_typed_values_follow_a_change() -> None:
    request = invite()
    assert request.cseq.number == 1
    request.headers.set("CSeq", "2 INVITE")
    assert request.cseq.number == 2
    assert request.max_forwards == 70
    request.headers.remove("Max-Forwards")
    assert request.max_forwards is None
    request.headers.set_first("Via", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKc")
    assert request.via.branch == "z9hG4bKc"


def test_request_uri_is_parsed_on_demand() -> None:
    request = Request("INVITE", "http://example.com")
    with pytest.raises(RemoteSipError) as caught:
        request.uri  # noqa: B018
    assert caught.value.status_hint == 416
    assert Request("INVITE", "sip:a@h").uri == SipUri(user="a", host="h")


def test_header_fields_in_the_request_uri_are_refused_by_check() -> None:
    request = Request.build("INVITE", "sip:a@h?Route=%3Csip:x%3E", FIELDS)
    with pytest.raises(RemoteSipError):
        request.check()


def test_note_source_writes_into_the_topmost_via_only() -> None:
    request = invite()
    request.note_source("192.0.2.7", 1025)
    assert request.via.params == {"rport": "1025", "branch": "z9hG4bKa", "received": "192.0.2.7"}
    assert request.headers.get_all("Via")[1] == FIELDS[1][1]
    assert Response.build(request, 200).via.rport == 1025


@pytest.mark.parametrize(
    ("via", "noted"),
    [
        ("SIP/2.0/UDP h;rport;branch=z9hG4bKa", "SIP/2.0/UDP h;rport=99;branch=z9hG4bKa;received=10.0.0.9"),
        ("SIP/2.0/UDP h;branch=z9hG4bKa;rport", "SIP/2.0/UDP h;branch=z9hG4bKa;rport=99;received=10.0.0.9"),
        ("SIP/2.0/UDP h;branch=z9hG4bKa", "SIP/2.0/UDP h;branch=z9hG4bKa;received=10.0.0.9"),
        ("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa", "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKa"),
        ("SIP/2.0/UDP h;rport=5;branch=z9hG4bKa", "SIP/2.0/UDP h;rport=99;branch=z9hG4bKa;received=10.0.0.9"),
        ("SIP/2.0/UDP h;rportx;rport;branch=a", "SIP/2.0/UDP h;rportx;rport=99;branch=a;received=10.0.0.9"),
        ("SIP/2.0/UDP h;branch=a;received=1.1.1.1", "SIP/2.0/UDP h;branch=a;received=10.0.0.9"),
        ("SIP/2.0/UDP h ; rport ;branch=a", "SIP/2.0/UDP h;rport=99;branch=a;received=10.0.0.9"),
        ('SIP/2.0/UDP h;x=";branch=b";branch=a', 'SIP/2.0/UDP h;x=";branch=b";branch=a;received=10.0.0.9'),
    ],
)
def test_note_source_whatever_the_via_looks_like(via: str, noted: str) -> None:
    request = Request("OPTIONS", "sip:h", Headers([("Via", via)]))
    request.note_source("10.0.0.9", 99)
    assert request.headers.get("Via") == noted
    assert request.hop[0] == request.via.branch
    assert request.hop[1].text == request.via.sent_by


@pytest.mark.parametrize(
    "via", ["SIP/2.0/UDP h;branch=a;branch=b", "SIP/2.0/UDP h;branch=", "SIP/2.0/UDP h_;branch=a;"]
)
def test_a_hop_is_read_as_strictly_as_a_via(via: str) -> None:
    request = Request("OPTIONS", "sip:h", Headers([("Via", via)]))
    for ask in ("hop", "via"):
        with pytest.raises(RemoteSipError) as caught:
            getattr(request, ask)
        assert caught.value.status_hint == 400


def test_note_source_refuses_what_could_not_be_written_back() -> None:
    request = parse_datagram(
        invite().to_bytes().replace(b"\r\nVia: ", b"\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1,\0, ", 1)
    )
    assert isinstance(request, Request)
    with pytest.raises(RemoteSipError, match="NUL in Via"):
        request.note_source("192.0.2.7", 1025)


def test_note_source_keeps_the_rest_of_a_list() -> None:
    request = without("Via")
    request.headers.add("Via", "SIP/2.0/UDP h1;rport;branch=z9hG4bK1, SIP/2.0/TCP h2;branch=z9hG4bK2")
    request.note_source("192.0.2.7", 1025)
    assert [(via.host, via.received) for via in request.vias] == [("h1", "192.0.2.7"), ("h2", None)]


def test_equality_is_of_every_part() -> None:
    assert invite() == invite()
    assert received(invite()) == invite()
    assert invite() != invite(("Subject", "x"))
    assert invite(body=b"a") != invite(body=b"b")
    assert Response.build(invite(), 200) == Response.build(invite(), 200)
    assert Response.build(invite(), 200) != Response.build(invite(), 202)
    assert invite() != Response.build(invite(), 200)
