from __future__ import annotations

import pytest

from engine.sip.errors import RemoteSipError
from engine.sip.limits import MAX_HEAD_BYTES, MAX_HEADER_FIELDS
from engine.sip.message import Request, Response
from engine.sip.parser import KeepAlive, ParseError, parse_datagram

HEAD = (
    b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
    b"Call-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
)
START = b"OPTIONS sip:b@h SIP/2.0\r\n"


def request(data: bytes) -> Request:
    message = parse_datagram(data)
    assert isinstance(message, Request)
    return message


def refused(data: bytes) -> ParseError:
    with pytest.raises(ParseError) as caught:
        parse_datagram(data)
    return caught.value


def test_request() -> None:
    message = request(START + HEAD + b"Content-Length: 2\r\n\r\nhi")
    assert (message.method, message.request_uri, message.body) == ("OPTIONS", "sip:b@h", b"hi")
    assert message.call_id == "c1"
    assert "Content-Length" not in message.headers


def test_response() -> None:
    message = parse_datagram(b"SIP/2.0 404 Not Here\r\n" + HEAD + b"\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason) == (404, "Not Here")


@pytest.mark.parametrize("line", [b"sip/2.0 200 OK", b"SIP/2.0 200 ", b"SIP/2.0 699 x", b"SIP/2.0 100 x"])
def test_status_lines(line: bytes) -> None:
    assert isinstance(parse_datagram(line + b"\r\n" + HEAD + b"\r\n"), Response)


@pytest.mark.parametrize(
    "line",
    [b"SIP/2.0 200", b"SIP/2.0 20 OK", b"SIP/2.0 2000 OK", b"SIP/2.0 099 x", b"SIP/2.0 700 x", b"SIP/2.0  200 OK"],
)
def test_malformed_status_line(line: bytes) -> None:
    assert refused(line + b"\r\n" + HEAD + b"\r\n").status_hint == 400


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"OPTIONS sip:b@h SIP/3.0", 505),
        (b"OPTIONS sip:b@h SIP/1.0", 505),
        (b"OPTIONS sip:b@h HTTP/1.1", 400),
        (b"OPTIONS sip:b@h", 400),
        (b"OPTIONS", 400),
        (b"OPTIONS  sip:b@h SIP/2.0", 400),
        (b"OPTIONS sip:b@h  SIP/2.0", 400),
        (b"OPTIONS sip:b@h SIP/2.0 ", 400),
        (b"OPTIONS sip:b@h;a b SIP/2.0", 400),
        (b"OPT IONS sip:b@h SIP/2.0", 400),
        (b"OPT@ONS sip:b@h SIP/2.0", 400),
        (b"OPTIONS\tsip:b@h SIP/2.0", 400),
        (b"OPTIONS sip:b\t@h SIP/2.0", 400),
        (b"OPTIONS sip:b@h\t SIP/2.0", 400),
        (b" sip:b@h SIP/2.0", 400),
        (b"SIP/7.0 200 OK", 505),
    ],
)
def test_start_lines_that_cannot_be_used(line: bytes, status: int) -> None:
    error = refused(line + b"\r\n" + HEAD + b"\r\n")
    assert error.status_hint == status
    assert error.message is not None
    assert error.message.call_id == "c1"


def test_version_is_compared_without_regard_to_case() -> None:
    assert request(b"OPTIONS sip:b@h sip/2.0\r\n" + HEAD + b"\r\n").method == "OPTIONS"


def test_leading_line_ends_are_passed_over() -> None:
    assert request(b"\r\n\r\n\r\n" + START + HEAD + b"\r\n").call_id == "c1"


@pytest.mark.parametrize(
    ("data", "ping"),
    [(b"", False), (b"\r\n", False), (b"\r\n\r\n", True), (b"\0", False), (b"jaK\0", False), (b"\r\n" * 5, True)],
)
def test_keep_alives(data: bytes, ping: bool) -> None:
    assert parse_datagram(data) == KeepAlive(ping=ping)


def test_body_longer_than_content_length_is_cut() -> None:
    assert request(START + HEAD + b"Content-Length: 2\r\n\r\nhi and more").body == b"hi"


def test_body_without_content_length_is_the_rest() -> None:
    assert request(START + HEAD + b"\r\nhi").body == b"hi"


def test_body_shorter_than_content_length_is_400_and_answerable() -> None:
    error = refused(START + HEAD + b"Content-Length: 3\r\n\r\nhi")
    assert error.status_hint == 400
    assert isinstance(error.message, Request)


@pytest.mark.parametrize(
    "value", [b"", b"-1", b"+2", b"2,2", b"0x2", b"2 2", b"9" * 11, b"9" * 5000, "\u0662".encode()]
)
def test_content_length_that_is_no_number(value: bytes) -> None:
    assert refused(START + HEAD + b"Content-Length: " + value + b"\r\n\r\nhi").status_hint == 400


@pytest.mark.parametrize(
    "line",
    [
        *(b"Content-Length: 2", b"l: 2", b"CSeq: 1 OPTIONS", b"cseq: 2 OPTIONS", b"CALL-ID: c1", b"i: c2"),
        *(b"f: <sip:a@h>;tag=1", b"t: <sip:b@h>", b"Max-Forwards: 69", b"max-forwards : 69"),
    ],
)
def test_a_second_field_where_one_is_allowed_is_400_before_any_access(line: bytes) -> None:
    data = START + HEAD + b"Max-Forwards: 70\r\nContent-Length: 2\r\n" + line + b"\r\n\r\nhi"
    error = refused(data)
    assert error.status_hint == 400
    assert error.message is not None


@pytest.mark.parametrize("name", [b"Via", b"From", b"To", b"Call-ID", b"CSeq"])
def test_a_missing_field_is_400_and_not_answerable(name: bytes) -> None:
    head = b"".join(line + b"\r\n" for line in HEAD.split(b"\r\n")[:-1] if not line.startswith(name))
    error = refused(START + head + b"\r\n")
    assert error.status_hint == 400
    assert error.message is None
    assert refused(b"SIP/2.0 200 OK\r\n" + head + b"\r\n").message is None


def test_compact_forms() -> None:
    message = request(
        START + b"v: SIP/2.0/UDP h\r\nf: <sip:a@h>;tag=1\r\nT: <sip:b@h>\r\ni: c1\r\nCSeq: 1 OPTIONS\r\n"
        b"m: <sip:a@x>\r\nk: path\r\ns: hello\r\nl: 0\r\n\r\n"
    )
    assert (message.via.host, message.from_tag, message.to.uri.user, message.call_id) == ("h", "1", "b", "c1")
    assert (message.contacts[0].uri.host, message.supported, message.headers.get("Subject")) == (
        "x",
        ("path",),
        "hello",
    )


def test_folding_joins_with_one_space() -> None:
    message = request(START + HEAD + b"Subject: a\r\n  b\r\n\t c  \r\nX-Next: d\r\n\r\n")
    assert message.headers.get("Subject") == "a b c"
    assert message.headers.get("X-Next") == "d"


def test_a_fold_cannot_hide_a_field() -> None:
    message = request(START + HEAD + b"Subject: a\r\n Max-Forwards: 0\r\n\r\n")
    assert message.max_forwards is None


def test_folding_right_after_the_start_line_is_400() -> None:
    assert refused(START + b" x: y\r\n" + HEAD + b"\r\n").status_hint == 400


@pytest.mark.parametrize(
    "line", [b"no colon", b": no name", b"two words: x", b"Via", b"Subject", b"na\xc3\xafve: x", b"a\0b: x"]
)
def test_a_line_that_is_no_field_is_400(line: bytes) -> None:
    error = refused(START + HEAD + line + b"\r\n\r\n")
    assert error.status_hint == 400
    assert error.message is not None


@pytest.mark.parametrize("evil", [b"Subject: a\nEvil: 1", b"Subject: a\rEvil: 1", b"Subject: a\n"])
def test_a_bare_line_end_is_400(evil: bytes) -> None:
    assert refused(START + HEAD + evil + b"\r\n\r\n").status_hint == 400


def test_cseq_method_must_be_the_request_s() -> None:
    assert refused(b"INFO sip:b@h SIP/2.0\r\n" + HEAD + b"\r\n").status_hint == 400
    assert parse_datagram(b"SIP/2.0 200 OK\r\n" + HEAD + b"\r\n").cseq == (1, "OPTIONS")  # type: ignore[union-attr]


def test_malformed_cseq_is_400_before_any_access() -> None:
    assert refused(START + HEAD.replace(b"1 OPTIONS", b"4294967296 OPTIONS") + b"\r\n").status_hint == 400


def test_malformed_values_of_other_fields_wait_for_access() -> None:
    message = request(START + HEAD + b"Contact: <<>>\r\nExpires: never\r\n\r\n")
    for name in ("contacts", "expires"):
        with pytest.raises(RemoteSipError) as caught:
            getattr(message, name)
        assert caught.value.status_hint == 400


def test_missing_empty_line_is_400_and_answerable() -> None:
    for data in (START + HEAD, (START + HEAD)[:-2]):
        error = refused(data)
        assert error.status_hint == 400
        assert error.message is not None


def test_a_head_over_the_limit_is_513() -> None:
    assert refused(START + HEAD + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n").status_hint == 513
    error = refused(START + HEAD + b"X: y\r\n" * MAX_HEADER_FIELDS + b"\r\n")
    assert error.status_hint == 513


def test_a_head_of_the_limit_is_taken_and_one_octet_more_is_not() -> None:
    head = START + HEAD + b"X: "
    fill = b"x" * (MAX_HEAD_BYTES - len(head) - 4)
    assert request(head + fill + b"\r\n\r\n").headers.get("X") == fill.decode()
    assert refused(head + fill + b"x\r\n\r\n").status_hint == 513


def test_latin_1_is_read_where_utf_8_fails() -> None:
    message = request(START + HEAD + b"Subject: J\xf6rg \x80\r\n\r\n")
    assert message.headers.get("Subject") == "Jörg \x80"
    assert parse_datagram(message.to_bytes()) == message


def test_unicode_line_separators_do_not_end_a_line() -> None:
    message = request(START + HEAD + "Subject: a\u2028b\x85c\x0bd\r\n\r\n".encode())
    assert message.headers.get("Subject") == "a\u2028b\x85c\x0bd"


@pytest.mark.parametrize(
    "line", [b"Subject:  x", b"Subject: x ", b"Subject: \tx", b"Subject:x", b"Subject: x\t", b"Subject :  x"]
)
def test_white_space_about_a_value_is_no_part_of_it(line: bytes) -> None:
    for data in (START + HEAD + line + b"\r\n\r\n", START + line + b"\r\n" + HEAD + b"\r\n"):
        message = parse_datagram(data)
        assert isinstance(message, Request)
        assert message.headers.get("Subject") == "x"
