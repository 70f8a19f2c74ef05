"""What holds for every message: printing and parsing are inverse, and no input has another effect than
RemoteSipError."""

from __future__ import annotations

import contextlib

from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.sip.auth import DigestServer
from engine.sip.errors import RemoteSipError
from engine.sip.headers import NameAddr, Via
from engine.sip.message import Request, Response
from engine.sip.offer_answer import Local, make_answer, make_offer, read_answer
from engine.sip.parser import BrokenStream, Framed, ParseError, StreamFramer, parse_datagram
from engine.sip.sdp import parse_sdp
from engine.sip.uri import SipUri

LOCAL = Local(address="192.0.2.100", port=20002, session_id=1, version=1)

_TEXT = st.text(' ";,<>\\%@:=aZ9é浜\u2028', max_size=10)
_SOME = st.text(' ";,<>\\%@:=aZ9é浜\0', min_size=1, max_size=10)
_TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=10)
_NAME = st.text("abcxyz019-.!%*_+`'~", min_size=1, max_size=10)
_HOST = st.sampled_from(["example.com", "192.0.2.1", "2001:db8::1"])
_PORT = st.none() | st.integers(0, 65535)
_PARAMS = st.dictionaries(_NAME, st.none() | _TEXT, max_size=2)
_URI_PARAMS = st.dictionaries(_NAME, st.none() | _SOME, max_size=2)
_URI = st.builds(SipUri, user=st.none() | _SOME, host=_HOST, port=_PORT, params=_URI_PARAMS)
_ADDRESS = st.builds(NameAddr, _TEXT, _URI, _PARAMS)
_VIA = st.builds(Via, st.sampled_from(["UDP", "TCP", "TLS"]), _HOST, _PORT, _PARAMS)
_SPOKEN_FOR = {"v", "f", "t", "i", "l", "c", "content-length"}
_EXTRA = st.tuples(_TOKEN.filter(lambda name: name.lower() not in _SPOKEN_FOR), _TEXT)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    method = draw(st.sampled_from(["INVITE", "REGISTER", "BYE"]) | _TOKEN)
    fields = [
        *(("Via", str(via)) for via in draw(st.lists(_VIA, min_size=1, max_size=3))),
        ("From", str(draw(_ADDRESS))),
        ("To", str(draw(_ADDRESS))),
        ("Call-ID", draw(_TOKEN)),
        ("CSeq", f"{draw(st.integers(0, 2**31 - 1))} {method}"),
        *draw(st.lists(_EXTRA, max_size=4)),
    ]
    body = draw(st.binary(max_size=40))
    return Request.build(method, draw(_URI), draw(st.permutations(fields)), body, draw(st.sampled_from([None, "a/b"])))


@given(requests())
def test_a_request_survives_printing(request: Request) -> None:
    data = request.to_bytes()
    again = parse_datagram(data)
    assert isinstance(again, Request)
    assert again == request
    assert StreamFramer().feed(data) == [request]
    assert (again.uri, again.from_, again.to, again.vias) == (request.uri, request.from_, request.to, request.vias)
    assert (again.from_tag, again.to_tag) == (again.from_.tag, again.to.tag)
    assert again.via == again.vias[0]


@given(requests(), st.integers(100, 699), st.none() | _TEXT, _TOKEN, st.binary(max_size=20))
def test_a_response_survives_printing(request: Request, status: int, reason: str | None, tag: str, body: bytes) -> None:
    response = Response.build(request, status, reason, tag, [("Contact", "<sip:me@192.0.2.1>")], body)
    assert parse_datagram(response.to_bytes()) == response
    assert response.headers.get_all("Via") == request.headers.get_all("Via")
    assert response.to_tag == (request.to_tag or (None if status == 100 else tag))


INVITE = (
    b"INVITE sip:5000@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKa\r\n"
    b'From: "Ann, A" <sip:ann@h>;tag=1\r\nTo: sip:b@h\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n'
    b"Contact: <sip:a@h;x>;q=0.5, <sip:b@h>\r\nRoute: <sip:r;lr>\r\nMax-Forwards: 70\r\nExpires: 60\r\n"
    b"Allow: INVITE, ACK\r\nSupported: a\r\n b\r\nContent-Type: application/sdp\r\nl: 5\r\n\r\nv=0\r\n"
)
OK = (
    b"SIP/2.0 200 OK\r\nv: SIP/2.0/TCP [2001:db8::1]:5060;received=192.0.2.2, SIP/2.0/UDP h\r\nf: <sip:a@h>;tag=1\r\n"
    b"t: <sip:b@h>;tag=2\r\ni: c\r\nCSeq: 1 INVITE\r\nm: *\r\nRetry-After: 5 (x)\r\nContent-Length: 0\r\n\r\n"
)
PIECES = [
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\t",
    b";",
    b",",
    b'"',
    b"<",
    b">",
    b"\\",
    b"%",
    b"@",
    b":",
    b"=",
    b"\0",
    b"\xff",
]
PIECES += [b"\xc3\xa9", b"[", b"]", b"*", b"-1", b"9" * 30, b"SIP/2.0", b"tag", b"\r\n ", b"\r\n\r\n", b"Via: x\r\n"]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from([INVITE, OK])))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 6))
        data[at : at + cut] = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    return bytes(data)


def force(message: object) -> None:
    """Asks a message for everything it knows."""
    if isinstance(message, Request | Response):
        with contextlib.suppress(RemoteSipError):
            message.check()
        again = parse_datagram(message.to_bytes())
        assert again == message
        if isinstance(message, Request):
            with contextlib.suppress(RemoteSipError):
                message.note_source("192.0.2.77", 1024)
            Response.build(message, 400, to_tag="x").to_bytes()


@settings(max_examples=400)
@given(mutated() | st.binary(max_size=200))
@example(b"\r\n\r\nx")
@example(b"SIP/2.0 200 OK\r\n\r\n")
def test_no_datagram_has_another_effect_than_remote_sip_error(data: bytes) -> None:
    try:
        message = parse_datagram(data)
    except ParseError as error:
        if isinstance(error.message, Request):
            Response.build(error.message, error.status_hint, to_tag="x").to_bytes()
    else:
        force(message)


@settings(max_examples=200)
@given(st.lists(mutated() | st.binary(max_size=60), min_size=1, max_size=4), st.integers(1, 200))
def test_no_stream_has_another_effect_than_remote_sip_error(parts: list[bytes], step: int) -> None:
    framer = StreamFramer()
    stream = b"".join(parts)
    items: list[Framed] = []
    with contextlib.suppress(BrokenStream):
        for at in range(0, len(stream), step):
            items += framer.feed(stream[at : at + step])
    for item in items:
        force(item)


SDP = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
    b"a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=rtcp:4001\r\na=ptime:20\r\na=sendonly\r\n"
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_description_has_another_effect_than_remote_sip_error(data: st.DataObject) -> None:
    body = bytearray(SDP)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(body)))
        body[at : at + data.draw(st.integers(0, 8))] = data.draw(st.sampled_from(PIECES) | st.binary(max_size=4))
    with contextlib.suppress(RemoteSipError):
        parse_sdp(bytes(body))
    with contextlib.suppress(RemoteSipError):
        answer, agreed = make_answer(bytes(body), LOCAL)
        assert read_answer(bytes(body), answer).codec is agreed.codec
    with contextlib.suppress(RemoteSipError):
        read_answer(make_offer(LOCAL), bytes(body))


@given(st.text(max_size=40) | st.text('Digest realm="h",nc=0;response \\', max_size=60))
def test_no_credentials_have_an_effect(text: str) -> None:
    server = DigestServer("h", b"0123456789abcdef", 60.0)
    assert not server.verify(text, "INVITE", "sip:h", b"", lambda *_: None, 1.0).ok
