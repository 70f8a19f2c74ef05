from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sip.message import Request
from engine.sip.parser import BrokenStream, Framed, KeepAlive, ParseError, StreamFramer

HEAD = (
    b"Via: SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n"
    b"Call-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
)
START = b"OPTIONS sip:b@h SIP/2.0\r\n"


def options(body: bytes = b"") -> bytes:
    return START + HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body


def bodies(items: list[Framed]) -> list[bytes]:
    return [item.body for item in items if isinstance(item, Request)]


def test_several_messages_of_one_chunk() -> None:
    assert bodies(StreamFramer().feed(options(b"one") + options() + options(b"\r\n\r\n"))) == [b"one", b"", b"\r\n\r\n"]


@given(st.lists(st.integers(1, 60), max_size=40))
def test_any_cut_of_the_stream_gives_the_same_messages(cuts: list[int]) -> None:
    stream = options(b"one\r\n\r\n") + b"\r\n" + options() + b"\r\n\r\n" + options(b"two")
    framer = StreamFramer()
    items: list[Framed] = []
    at = 0
    for cut in [*cuts, len(stream)]:
        items += framer.feed(stream[at : at + cut])
        at += cut
    assert bodies(items) == [b"one\r\n\r\n", b"", b"two"]


def test_octet_by_octet() -> None:
    framer = StreamFramer()
    stream = options(b"one") + options(b"two")
    items = [item for octet in stream for item in framer.feed(bytes([octet]))]
    assert bodies(items) == [b"one", b"two"]


def test_ping_and_pong() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n\r\n") == [KeepAlive(ping=True)]
    assert framer.feed(b"\r\n") == [KeepAlive(ping=False)]


def test_a_ping_in_two_halves_is_seen() -> None:
    framer = StreamFramer()
    assert framer.feed(b"\r\n") == [KeepAlive(ping=False)]
    assert framer.feed(b"\r\n") == [KeepAlive(ping=True)]
    assert framer.feed(b"\r") == []
    assert framer.feed(b"\n\r\n") == [KeepAlive(ping=True)]


def test_a_pong_before_a_message_is_not_half_a_ping() -> None:
    framer = StreamFramer()
    framer.feed(b"\r\n")
    framer.feed(options())
    assert framer.feed(b"\r\n") == [KeepAlive(ping=False)]


def test_a_flood_of_line_ends_is_one_ping() -> None:
    assert StreamFramer().feed(b"\r\n" * 30_000) == [KeepAlive(ping=True)]


def test_a_malformed_message_of_known_length_does_not_end_the_stream() -> None:
    bad = START + HEAD + b"no colon\r\nContent-Length: 3\r\n\r\nbad"
    items = StreamFramer().feed(bad + options(b"good"))
    assert isinstance(items[0], ParseError)
    assert items[0].status_hint == 400
    assert items[0].message is not None
    assert items[0].message.body == b"bad"
    assert bodies(items) == [b"good"]


@pytest.mark.parametrize(
    "bad",
    [
        START + HEAD + b"\r\n",
        START + HEAD + b"Content-Length: x\r\n\r\n",
        START + HEAD + b"Content-Length: 1\r\nl: 2\r\n\r\n",
        START + HEAD + b"Subject: a\nb\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        options(b"x" * 65),
    ],
)
def test_a_stream_without_a_known_length_is_broken(bad: bytes) -> None:
    framer = StreamFramer(max_body=64)
    with pytest.raises(BrokenStream) as caught:
        framer.feed(options(b"before") + bad + options(b"after"))
    assert bodies(caught.value.items) == [b"before"]
    with pytest.raises(BrokenStream) as again:
        framer.feed(options())
    assert again.value.items == []


def test_what_can_be_answered_before_closing_is_given() -> None:
    with pytest.raises(BrokenStream) as caught:
        StreamFramer(max_body=4).feed(options(b"too long"))
    assert caught.value.status_hint == 513
    assert caught.value.message is not None


def test_a_head_without_end_breaks_at_the_limit() -> None:
    framer = StreamFramer(max_head=1000)
    framer.feed(START + b"X: ")
    for _ in range(19):
        framer.feed(b"x" * 50)
    with pytest.raises(BrokenStream) as caught:
        framer.feed(b"x" * 50)
    assert caught.value.status_hint == 513


def test_no_more_than_one_message_is_held() -> None:
    framer = StreamFramer(max_head=1000, max_body=100)
    framer.feed(START + HEAD + b"Content-Length: 100\r\n\r\n")
    for _ in range(99):
        assert framer.feed(b"x") == []
    assert bodies(framer.feed(b"x")) == [b"x" * 100]
