from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.headers import (
    CSeq,
    NameAddr,
    Via,
    parse_auth,
    parse_cseq,
    parse_event,
    parse_media_type,
    parse_name_addr,
    parse_name_addr_list,
    parse_params,
    parse_tokens,
    parse_via,
    parse_via_list,
    print_params,
    read_number,
    split_list,
)
from engine.sip.uri import SipUri


@pytest.mark.parametrize(
    ("text", "display", "user", "params"),
    [
        ("sip:ann@h", "", "ann", {}),
        ("sip:ann@h;tag=1", "", "ann", {"tag": "1"}),
        ("sip:ann@h ; tag = 1", "", "ann", {"tag": "1"}),
        ("<sip:ann@h;lr>", "", "ann", {}),
        ("<sip:ann@h>;tag=1;x", "", "ann", {"tag": "1", "x": None}),
        ('"Ann \\"A\\" \\\\, B" <sip:ann@h>;TAG=1', 'Ann "A" \\, B', "ann", {"tag": "1"}),
        ('"a<b>c"<sip:ann@h>', "a<b>c", "ann", {}),
        ("Ann of the Desk <sip:ann@h>", "Ann of the Desk", "ann", {}),
        ("Jörg <sip:ann@h>", "Jörg", "ann", {}),
        ('"bell \\\x07" <sip:ann@h>', "bell ", "ann", {}),
        ('<sip:ann@h>;+sip.instance="<urn:uuid:1>";q=0.5', "", "ann", {"+sip.instance": "<urn:uuid:1>", "q": "0.5"}),
        ('<sip:ann@h> ; text="a;b, \\"c\\""', "", "ann", {"text": 'a;b, "c"'}),
    ],
)
def test_name_addr(text: str, display: str, user: str, params: dict[str, str | None]) -> None:
    address = parse_name_addr(text)
    assert (address.display, address.uri.user, address.params) == (display, user, params)
    assert parse_name_addr(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        *("", "<>", "<sip:a@h", "sip:a@h>", "< sip:a@h >", '"x <sip:a@h>', 'x" <sip:a@h>', "a, b <sip:a@h>"),
        *("sip:a@h?x=y", "<sip:a@h>;;", "<sip:a@h>;tag=1;tag=2", "<sip:a@h>;tag=1;TAG=2", "<sip:a@h>tag=1"),
        "<sip:a@h> ;tag=1 ;tag=2",
        *("<sip:a@h>;tag=", '<sip:a@h>;t="x', "<sip:a@h>,<sip:b@h>", "<sip:a@h>;tag=a b"),
    ],
)
def test_malformed_name_addr_is_400(text: str) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_name_addr(text)
    assert caught.value.status_hint == 400


def test_printed_name_addr_cannot_be_broken_out_of() -> None:
    address = NameAddr('x" <sip:evil@h>\r\nEvil: 1', SipUri(user="a>b", host="h"), {"tag": '1"\r\n;x'})
    printed = str(address)
    assert "\r" not in printed
    assert "\n" not in printed
    again = parse_name_addr(printed)
    assert (again.uri.user, again.display) == ("a>b", 'x" <sip:evil@h>Evil: 1')
    assert again.params == {"tag": '1";x'}


def test_name_addr_list_splits_at_the_right_commas() -> None:
    addresses = parse_name_addr_list('"a, b" <sip:a@h;x=1>;q=1 , <sip:c,d@h>,sip:e@h')
    assert [address.uri.user for address in addresses] == ["a", "c,d", "e"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("0", 0), ("99999999999999999999999", 2**32 - 1), ("x", 3600), ("-1", 3600), ("\u0661", 3600)],
)
def test_contact_expires(text: str, seconds: int) -> None:
    assert NameAddr("", SipUri(host="h"), {"expires": text}).expires == seconds


def test_contact_without_expires() -> None:
    assert parse_name_addr("<sip:a@h>").expires is None


@pytest.mark.parametrize(
    ("text", "via"),
    [
        ("SIP/2.0/UDP h", Via("UDP", "h")),
        ("SIP/2.0/UDP h:5062;branch=z9;rport", Via("UDP", "h", 5062, {"branch": "z9", "rport": None})),
        ("SIP / 2.0 /tcp   h : 5062 ; branch = z9", Via("TCP", "h", 5062, {"branch": "z9"})),
        ("SIP/2.0/TLS [2001:db8::1]:5061", Via("TLS", "2001:db8::1", 5061)),
        ('SIP/2.0/UDP h;x="a;b"', Via("UDP", "h", None, {"x": "a;b"})),
    ],
)
def test_via(text: str, via: Via) -> None:
    assert parse_via(text) == via
    assert parse_via(str(via)) == via


@pytest.mark.parametrize(
    "text",
    [
        *("", "SIP/2.0/UDP", "SIP/3.0/UDP h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;;", "SIP/2.0/UDP h;a;a"),
        *("SIP/2.0/UDP 1.2.3.999", "SIP/2.0/UDP [::g]", "SIP/2.0/UDP h i", "HTTP/2.0/UDP h", "SIP/2.0/UDP h,"),
    ],
)
def test_malformed_via_is_400(text: str) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_via_list(text)
    assert caught.value.status_hint == 400


def test_via_parts_for_a_look_up() -> None:
    via = parse_via("SIP/2.0/UDP Host.Example:5062;branch=z9hG4bKa;rport=1025;received=[2001:db8::1]")
    assert (via.branch, via.rport, via.received, via.sent_by) == ("z9hG4bKa", 1025, "2001:db8::1", "host.example:5062")
    assert via.has_magic_cookie
    assert not parse_via("SIP/2.0/UDP h;branch=z9hG4bK").has_magic_cookie
    assert not parse_via("SIP/2.0/UDP h").has_magic_cookie
    assert parse_via("SIP/2.0/UDP h").sent_by == "h:"


def test_source_is_noted_as_rfc_3261_18_2_1_and_rfc_3581_want_it() -> None:
    plain = parse_via("SIP/2.0/UDP 10.0.0.1:5060;branch=z9")
    assert plain.with_source("10.0.0.1", 5060) is plain
    assert plain.with_source("192.0.2.1", 1025).params == {"branch": "z9", "received": "192.0.2.1"}
    asked = parse_via("SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9")
    assert asked.with_source("10.0.0.1", 1025).params == {"rport": "1025", "branch": "z9", "received": "10.0.0.1"}


@pytest.mark.parametrize(
    ("text", "cseq"),
    [
        ("1 INVITE", CSeq(1, "INVITE")),
        ("0 INVITE", CSeq(0, "INVITE")),
        ("2147483647 BYE", CSeq(2**31 - 1, "BYE")),
        ("0000000000007 \t OPTIONS", CSeq(7, "OPTIONS")),
        ("3 a%20b", CSeq(3, "a%20b")),
    ],
)
def test_cseq(text: str, cseq: CSeq) -> None:
    assert parse_cseq(text) == cseq


@pytest.mark.parametrize(
    "text",
    ["", "1", "INVITE", "-1 INVITE", "2147483648 INVITE", "1 IN VITE", "1 @", "\u0661 INVITE", "1" * 5000 + " BYE"],
)
def test_malformed_cseq_is_400(text: str) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_cseq(text)
    assert caught.value.status_hint == 400


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("a", ["a"]),
        ("a,b , c", ["a", "b", "c"]),
        ('"a,b",<c,d>', ['"a,b"', "<c,d>"]),
        ('"a\\",b",c', ['"a\\",b"', "c"]),
        ('x <y>;z="1,2", w', ['x <y>;z="1,2"', "w"]),
    ],
)
def test_split_list(text: str, elements: list[str]) -> None:
    assert split_list(text) == elements


@pytest.mark.parametrize("text", ["", ",", "a,", ",a", "a,,b", 'a, "b', "<a,b", '<a>,"b', "a,>b<"])
def test_split_list_refuses(text: str) -> None:
    with pytest.raises(RemoteSipError):
        split_list(text)


def test_tokens() -> None:
    assert parse_tokens("INVITE,ACK ,\tBYE") == ("INVITE", "ACK", "BYE")
    assert parse_tokens("") == ()
    for text in ("a b", "a,,b", '"a"', "a,"):
        with pytest.raises(RemoteSipError):
            parse_tokens(text)


def test_media_type() -> None:
    assert parse_media_type("Application/SDP ; Charset=utf-8") == ("application/sdp", {"charset": "utf-8"})
    for text in ("", "application", "application/", "a/b c", "a/b;"):
        with pytest.raises(RemoteSipError):
            parse_media_type(text)


def test_params_are_printed_so_that_they_can_be_read() -> None:
    assert print_params({}) == ""
    assert print_params({"a": None, "b": "c", "d": "e f", "g": ""}) == ';a;b=c;d="e f";g=""'
    with pytest.raises(LocalSipError):
        print_params({"a b": "c"})


@given(
    st.dictionaries(
        st.text("abc-.!%*_+`'~09", min_size=1, max_size=5),
        st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8),
        max_size=4,
    )
)
def test_params_survive_printing(params: dict[str, str | None]) -> None:
    assert parse_params(print_params(params)) == params


def test_auth_parameters() -> None:
    auth = parse_auth('Digest realm="a, \\"b\\"",nonce = abc==, stale=TRUE , qop="auth,auth-int"')
    assert auth.scheme == "digest"
    assert auth.params == {"realm": 'a, "b"', "nonce": "abc==", "stale": "TRUE", "qop": "auth,auth-int"}
    for text in ("", "Digest", 'Digest realm="x', "Digest a=1,a=2", "Digest a=1 b=2", "Negotiate YII="):
        with pytest.raises(RemoteSipError):
            parse_auth(text + " ")


def test_read_number() -> None:
    assert read_number("0005", 255) == 5
    assert read_number("999", 255) == 255
    assert read_number("9" * 10_000, 255) == 255
    for text in ("", "-1", "+1", "1.0", "\u00b2", " 1"):
        assert read_number(text, 255) is None


def test_a_tab_is_white_space_in_a_name_without_quotes() -> None:
    # RFC 3261 25.1: display-name = *( token LWS ), and LWS may be a tab.
    address = parse_name_addr("Ann\tCaller\t<sip:a@h>")
    assert address.display == "Ann Caller"
    assert parse_name_addr(str(address)) == address


def test_an_event_is_its_package_and_its_id() -> None:
    assert parse_event("refer") == ("refer", "")
    assert parse_event(" Refer ;a=b; ID = 93809823") == ("refer", "93809823")
    with pytest.raises(RemoteSipError):
        parse_event("refer;;id=1")
