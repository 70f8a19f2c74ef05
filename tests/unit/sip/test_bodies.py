"""Session descriptions, alone and among the parts of a body (RFC 3261 8.2.3, RFC 5621)."""

from __future__ import annotations

import pytest

from engine.sip.bodies import check_body, sdp_of
from engine.sip.errors import RemoteSipError
from engine.sip.events import InviteReceived
from engine.sip.identity import ACCEPT
from engine.sip.message import Headers, Request
from engine.sip.refusal import Refusal
from tests.support.sip_phone import SDP, SDP_ANSWER
from tests.support.sip_raw import Fields, pair, session_of

ISUP = b"\x01\x00\r\n\r\n\xff"


def parts(*each: tuple[str, bytes], end: bytes = b"--b--\r\n") -> bytes:
    return b"".join(b"--b\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n" for head, body in each) + end


def message(kind: str, body: bytes, *fields: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:a@b", Headers([("Content-Type", kind), *fields]), body)


PLAIN = ("Content-Type: application/sdp", SDP)
OPTIONAL = ("Content-Type: application/ISUP;version=x\r\nContent-Disposition: signal;handling=optional", ISUP)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/sdp", SDP),
        ("Application/SDP; charset=x", SDP),
        ("multipart/mixed;boundary=b", parts(PLAIN, OPTIONAL)),
        ('multipart/mixed; boundary="b"', b"preamble\r\n" + parts(OPTIONAL, PLAIN) + b"epilogue"),
        (
            "multipart/mixed;boundary=b",
            parts(PLAIN, ("content-type: application/sdp\r\nContent-Disposition: x;handling=optional", SDP_ANSWER)),
        ),
        ("multipart/alternative;boundary=b", parts(("Content-Type: text/plain", b"call me"), PLAIN)),
    ],
)
def test_a_description_is_found(kind: str, body: bytes) -> None:
    request = message(kind, body)
    check_body(request)
    assert sdp_of(request) == SDP


@pytest.mark.parametrize(
    ("request_", "status", "header"),
    [
        (message("text/plain", b"x"), 415, ("Accept", ACCEPT)),
        (message("application/sdp", SDP, ("Content-Encoding", "gzip")), 415, ("Accept-Encoding", "identity")),
        (message("multipart/mixed;boundary=b", parts(PLAIN, ("Content-Type: a/b", b"x"))), 415, ("Accept", ACCEPT)),
        (message("multipart/mixed;boundary=b", parts(("", b"hello"), PLAIN)), 415, ("Accept", ACCEPT)),
        (
            message(
                "multipart/mixed;boundary=b", parts(("Content-Type: application/sdp\r\nContent-Encoding: gzip", SDP))
            ),
            415,
            ("Accept", ACCEPT),
        ),
        (message("text/x", b"x", ("Content-Disposition", "session;handling=required")), 415, ("Accept", ACCEPT)),
        (message("application/pkcs7-mime", b"x"), 493, None),
        (message("multipart/mixed", parts(PLAIN)), 400, None),
        (message("multipart/mixed;boundary=" + "b" * 71, parts(PLAIN)), 400, None),
        (message("multipart/mixed;boundary=b", parts(PLAIN, end=b"")), 400, None),
        (message("multipart/mixed;boundary=b", parts(*([PLAIN] * 9))), 400, None),
        (message("multipart/mixed;boundary=b", b"--b\r\nContent-Type: application/sdp\r\n--b--"), 400, None),
        (message("multipart/mixed;boundary=b", b"--bc\r\n\r\nx\r\n--b--"), 400, None),
        (message("nothing", b"x"), 400, None),
    ],
)
def test_a_body_that_cannot_be_read(request_: Request, status: int, header: tuple[str, str] | None) -> None:
    with pytest.raises(RemoteSipError) as caught:
        check_body(request_)
    assert caught.value.status_hint == status
    if header is not None:
        assert isinstance(caught.value, Refusal)
        assert caught.value.headers == (header,)


@pytest.mark.parametrize(
    "request_",
    [
        message("application/sdp", b""),
        message("application/sdp", SDP, ("Content-Encoding", "gzip")),
        message("text/plain", b"x", ("Content-Disposition", "render;handling=optional")),
        message("not a type", SDP),
        message("multipart/mixed", parts(PLAIN)),
        message("multipart/mixed;boundary=b", parts(OPTIONAL)),
    ],
)
def test_where_there_is_no_description(request_: Request) -> None:
    assert sdp_of(request_) is None


def test_an_encoding_that_is_none_is_fine() -> None:
    request = message("application/sdp", SDP, ("Content-Encoding", "identity"))
    check_body(request)
    assert sdp_of(request) == SDP


def test_a_part_that_may_be_passed_over_leaves_a_call_without_offer() -> None:
    station, raw, wire = pair()
    fields = [("Content-Type", "text/plain"), ("Content-Disposition", "render;handling=optional")]
    raw.ask("INVITE", fields=fields, body=b"hello")
    wire.run(0.1)
    session = session_of(station)
    told = station.told(InviteReceived)[0]
    assert isinstance(told, InviteReceived)
    assert told.sdp is None
    station.endpoint.accept(session, SDP, now=wire.now)
    wire.run(0.1)
    ok = raw.responses()[-1]
    raw.ask("ACK", to_tag=ok.to_tag, body=SDP_ANSWER, fields=[("Content-Type", "application/sdp")])
    wire.run(0.1)
    assert [getattr(each, "sdp", b"") for each in station.told()[1:]] == [SDP_ANSWER]
    station.endpoint.bye(session, now=wire.now)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("Accept", "text/plain")], 406),
        ([("Accept", "")], 406),
        ([("Accept", "application/sdp;q=0")], 406),
        ([("Accept", "application/sdp;q=0.0, text/plain")], 406),
        ([("Accept", "text/plain, Application/SDP;level=1")], 100),
        ([("Accept", "application/*;q=0.1")], 100),
        ([("Accept", "text/html"), ("Accept", "*/*")], 100),
    ],
)
def test_whoever_takes_no_description_cannot_be_answered(fields: Fields, status: int) -> None:
    _, raw, wire = pair()
    raw.ask("INVITE", fields=fields)
    wire.run(0.1)
    assert raw.statuses() == [status]
