from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.uri import SipUri, is_host, parse_any_uri, parse_uri


def test_every_part_is_read() -> None:
    uri = parse_uri("SIPS:ann%20b;x=1:pa%3Ass@Example.COM:5061;Transport=TCP;lr;user=%70hone?Subject=a%26b&x=")
    assert uri.scheme == "sips"
    assert uri.user == "ann b;x=1"
    assert uri.password == "pa:ss"
    assert uri.host == "Example.COM"
    assert uri.port == 5061
    assert uri.params == {"transport": "TCP", "lr": None, "user": "phone"}
    assert uri.headers == {"Subject": "a&b", "x": ""}


def test_only_a_host_is_enough() -> None:
    assert parse_uri("sip:10.0.0.1") == SipUri(host="10.0.0.1")
    assert parse_uri("sip:10.0.0.1").user is None


def test_ipv6_reference_loses_and_regains_its_brackets() -> None:
    uri = parse_uri("sip:ann@[2001:db8::1]:5070")
    assert (uri.host, uri.port) == ("2001:db8::1", 5070)
    assert str(uri) == "sip:ann@[2001:db8::1]:5070"


def test_tel_uri_keeps_number_and_parameters() -> None:
    uri = parse_uri("tel:+49-30-123;phone-context=example.com")
    assert (uri.scheme, uri.user, uri.host) == ("tel", "+49-30-123", "")
    assert str(uri) == "tel:+49-30-123;phone-context=example.com"


@pytest.mark.parametrize("text", ["*11", "#9", "a b", "ann@home", 'x"y', "<z>", "ü", "a:b", "100%", "\r\nEvil: 1"])
def test_user_is_escaped_so_that_it_stays_a_user(text: str) -> None:
    printed = str(SipUri(user=text, host="example.com"))
    assert not set(' \r\n<>"') & set(printed)
    again = parse_uri(printed)
    assert (again.user, again.host) == (text, "example.com")


def test_parameters_and_headers_are_escaped() -> None:
    uri = SipUri(host="h", params={"a;b": "c=d", "f": None}, headers={"Sub ject": "x&y=z"}, user="u", password="p@q")
    assert str(uri) == "sip:u:p%40q@h;a%3Bb=c%3Dd;f?Sub%20ject=x%26y%3Dz"
    assert parse_uri(str(uri)) == uri


def test_feature_code_is_read_unescaped_and_written_escaped() -> None:
    assert parse_uri("sip:*11#@example.com").user == "*11#"
    assert str(parse_uri("sip:*11#@example.com")) == "sip:*11%23@example.com"


@pytest.mark.parametrize(
    "text",
    [
        *("", "sip:", "sip:@h", "sip:a@", "sip:a b@h", "sip:a@h h", "<sip:a@h>", "sip:a@h:99999", "sip:a@h:port"),
        *("sip:a@h;=x", "sip:a@h;p=", "sip:a@h;p;p", "sip:%zz@h", "sip:%ff@h", "sip:a@-h", "sip:a@h..b"),
        "sip:a@1.2.3.400",
        *("sip:a@[::1", "sip:a@[::g]", "sip:a@[1.2.3.4]", "sip:2001:db8::1", "sip:a@h?x", "sip:a@h\r\nX: y", "sip:ü@h"),
        *("sip:a@[fe80::1%25eth0]", "sip:a@[:::1]", "plain"),
    ],
)
def test_malformed_uri_is_400(text: str) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_uri(text)
    assert caught.value.status_hint == 400


def test_unknown_scheme_is_416_as_request_uri_and_opaque_elsewhere() -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_uri("mailto:ann@example.com")
    assert (caught.value.status_hint, caught.value.reason) == (416, "Unsupported URI Scheme")
    uri = parse_any_uri("mailto:ann@example.com")
    assert not uri.is_sip
    assert str(uri) == "mailto:ann@example.com"


def test_an_opaque_uri_cannot_be_made_to_hold_a_line_break_or_bracket() -> None:
    for opaque in ("a\r\nb", "a>b", "a b"):
        with pytest.raises(LocalSipError):
            str(SipUri(scheme="urn", user=opaque, host=""))


@pytest.mark.parametrize("host", ["a b", "a;lr", "a>", "", "h\r\n", "1.2.3.4.5", "2001:db8", "fe80::1%eth0", "h" * 256])
def test_a_host_that_is_none_cannot_be_constructed(host: str) -> None:
    with pytest.raises(LocalSipError):
        SipUri(host=host)


@pytest.mark.parametrize("text", ["localhost", "a-b.c_d.example.", "10.0.0.255", "::", "::ffff:1.2.3.4", "1and1.com"])
def test_hosts(text: str) -> None:
    assert is_host(text)


# Pairs of RFC 3261 19.1.4.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:b%40b.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:b%40b.com",
        ),
        ("sip:alice@atlanta.com?subject=x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&Subject=x"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert parse_uri(one).equivalent(parse_uri(other))
    assert parse_uri(other).equivalent(parse_uri(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:ALICE@example.com", "sip:alice@example.com"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob:secret@biloxi.com"),
        ("sip:bob@biloxi.com:6000;transport=tcp", "sip:bob@biloxi.com:6000;transport=udp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next"),
        ("sip:bob@10.0.0.1", "sip:bob@10.0.0.2"),
        *((f"sip:a@h;{name}=x", "sip:a@h") for name in ("user", "ttl", "method", "maddr")),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not parse_uri(one).equivalent(parse_uri(other))
    assert not parse_uri(other).equivalent(parse_uri(one))


def test_uris_can_be_dictionary_keys() -> None:
    assert {parse_uri("sip:a@h;x=1"): 1}[parse_uri("sip:a@h;x=1")] == 1


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(
    user=_TEXT,
    password=st.none() | _TEXT,
    host=st.sampled_from(["example.com", "10.0.0.1", "2001:db8::1", "a_b"]),
    port=st.none() | st.integers(0, 65535),
    params=st.dictionaries(_TEXT.map(str.lower).filter(lambda key: key == key.lower()), st.none() | _TEXT, max_size=3),
    headers=st.dictionaries(_TEXT, _TEXT, max_size=2),
)
def test_parsing_what_was_printed_gives_the_same_uri(
    user: str,
    password: str | None,
    host: str,
    port: int | None,
    params: dict[str, str | None],
    headers: dict[str, str],
) -> None:
    uri = SipUri(user=user, password=password, host=host, port=port, params=params, headers=headers)
    assert parse_uri(str(uri)) == uri
