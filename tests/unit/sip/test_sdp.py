from __future__ import annotations

import pytest

from engine.sip.errors import RemoteSipError
from engine.sip.limits import MAX_SDP_BYTES, MAX_SDP_MEDIA
from engine.sip.sdp import Connection, Direction, Origin, parse_sdp

FULL = b"""v=0\r
o=ann 42 7 IN IP4 192.0.2.1\r
s=A call\r
i=about\r
u=http://example.com\r
e=ann@example.com\r
p=+49 30 123\r
c=IN IP4 192.0.2.1\r
b=AS:64\r
t=0 0\r
r=604800 3600 0 90000\r
z=0 0\r
k=prompt\r
a=tool:x y\r
a=recvonly\r
m=audio 30000 RTP/AVP 0 96\r
i=voice\r
c=IN IP4 192.0.2.2\r
b=TIAS:64000\r
a=rtpmap:96 opus/48000/2\r
a=fmtp:96 useinbandfec=1\r
a=ptime:20\r
a=rtcp:30009 IN IP4 192.0.2.3\r
a=sendonly\r
a=x-unknown\r
m=video 30010/2 RTP/AVP 31\r
"""


def sdp(*lines: str) -> bytes:
    return "\r\n".join(("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", *lines, "")).encode()


def test_every_line_is_read() -> None:
    session = parse_sdp(FULL)
    assert session.origin == Origin("ann", "42", "7", "IP4", "192.0.2.1")
    assert (session.name, session.times) == ("A call", ("0 0",))
    audio, video = session.media
    assert (audio.kind, audio.port, audio.proto, audio.formats) == ("audio", 30000, "RTP/AVP", ("0", "96"))
    assert (audio.ptime, audio.rtcp_port, audio.direction) == (20, 30009, Direction.SENDONLY)
    assert audio.fmtp(96) == "useinbandfec=1"
    assert audio.fmtp(0) is None
    assert (audio.rtpmap()[96].encoding, audio.rtpmap()[96].clock_rate, audio.rtpmap()[96].channels) == (
        "opus",
        48000,
        2,
    )
    assert audio.attribute("x-unknown") == ""
    assert audio.attribute("nothing") is None
    assert (video.port, video.port_count) == (30010, 2)
    assert session.connection_of(audio) == Connection(family="IP4", address="192.0.2.2")
    assert session.connection_of(video) == Connection(family="IP4", address="192.0.2.1")
    assert session.direction_of(audio) is Direction.SENDONLY
    assert session.direction_of(video) is Direction.RECVONLY


def test_line_feeds_alone_and_missing_last_line_end_are_read() -> None:
    assert parse_sdp(FULL.replace(b"\r\n", b"\n")) == parse_sdp(FULL)
    assert parse_sdp(FULL.rstrip()) == parse_sdp(FULL)
    assert parse_sdp(FULL + b"\r\n\r\n") == parse_sdp(FULL)


def test_missing_s_and_t_are_forgiven() -> None:
    session = parse_sdp(b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\n")
    assert (session.name, session.times, session.media) == ("-", ("0 0",), ())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"v=1\r\no=- 1 1 IN IP4 h\r\n",
        b"o=- 1 1 IN IP4 h\r\n",
        b"v=0\r\n",
        b"v=0\r\no=- 1 1 IN IP4\r\n",
        b"v=0\r\no=- 1 1 IN IP4 h\r\no=- 1 1 IN IP4 h\r\n",
        sdp("c=IN IP4"),
        sdp("c=ATM IP4 h"),
        sdp("m=audio"),
        sdp("m=audio 1 RTP/AVP"),
        sdp("m=audio x RTP/AVP 0"),
        sdp("m=audio -1 RTP/AVP 0"),
        sdp("m=audio 65536 RTP/AVP 0"),
        sdp("m=audio 99999999 RTP/AVP 0"),
        sdp("m=audio 1/x RTP/AVP 0"),
        sdp("m=audio / RTP/AVP 0"),
        sdp("m=audio \u0661 RTP/AVP 0"),
        sdp("m =audio 1 RTP/AVP 0"),
        sdp("", "a=x"),
        sdp("a"),
        sdp("1=x"),
        sdp("a=x\ry"),
        sdp("a=x\r"),
        sdp("m=audio 1 RTP/AVP 0", "", "a=x"),
        sdp("m=audio 1 RTP/AVP 0", "a"),
        sdp("m=audio 1/1000 RTP/AVP 0"),
        sdp(*["m=audio 0 RTP/AVP 0"] * (MAX_SDP_MEDIA + 1)),
        sdp("m=audio 1 RTP/AVP " + "0 " * 129),
    ],
)
def test_malformed_descriptions_are_400(data: bytes) -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_sdp(data)
    assert caught.value.status_hint == 400


def test_a_description_over_the_limit_is_413() -> None:
    with pytest.raises(RemoteSipError) as caught:
        parse_sdp(sdp("a=" + "x" * MAX_SDP_BYTES))
    assert caught.value.status_hint == 413


@pytest.mark.parametrize(
    "value",
    ["0", "0 ", "x PCMU/8000", "0 PCMU", "0 PCMU/", "0 PCMU/x", "0 PCMU/8000/", "1 2 3", "0 PCMU/" + "8" * 5000],
)
def test_an_rtpmap_that_cannot_be_read_is_none(value: str) -> None:
    media = parse_sdp(sdp("m=audio 1 RTP/AVP 0", f"a=rtpmap:{value}")).media[0]
    assert media.rtpmap().get(0, None) is None or value == "0 PCMU/8000/"


@pytest.mark.parametrize(
    ("line", "port"), [("a=rtcp:5", 5), ("a=rtcp:x", 4001), ("a=rtcp:0", 4001), ("a=rtcp:70000", 4001), ("a=y", 4001)]
)
def test_rtcp_port(line: str, port: int) -> None:
    assert parse_sdp(sdp("m=audio 4000 RTP/AVP 0", line)).media[0].rtcp_port == port


@pytest.mark.parametrize(("value", "ptime"), [("30", 30), ("x", None), ("", None), ("9999", 9999), ("99999", None)])
def test_ptime(value: str, ptime: int | None) -> None:
    assert parse_sdp(sdp("m=audio 4000 RTP/AVP 0", f"a=ptime:{value}")).media[0].ptime == ptime


def test_refused_stream_has_no_rtcp_port() -> None:
    assert parse_sdp(sdp("m=audio 0 RTP/AVP 0")).media[0].rtcp_port is None


def test_latin_1_names_are_read() -> None:
    assert parse_sdp(b"v=0\r\no=J\xf6rg 1 1 IN IP4 h\r\n").origin.username == "Jörg"


@pytest.mark.parametrize(
    ("one", "mirrored"),
    [("sendrecv", "sendrecv"), ("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")],
)
def test_directions_mirrored(one: str, mirrored: str) -> None:
    assert Direction(one).mirrored is Direction(mirrored)


def test_directions_narrowed() -> None:
    for one in Direction:
        assert one.narrowed(Direction.SENDRECV) is one
        assert one.narrowed(Direction.INACTIVE) is Direction.INACTIVE
    assert Direction.SENDONLY.narrowed(Direction.RECVONLY) is Direction.INACTIVE


def test_a_section_that_was_read_before_is_read_alike_in_another_description() -> None:
    one = parse_sdp(sdp("c=IN IP4 192.0.2.9", "m=audio 4000 RTP/AVP 0", "a=ptime:30"))
    other = parse_sdp(sdp("c=IN IP4 192.0.2.9", "m=audio 5000 RTP/AVP 8", "a=ptime:30", "m=video 0 RTP/AVP 31"))
    assert (one.media[0].ptime, other.media[0].ptime, other.media[1].ptime) == (30, 30, None)
    assert (one.connection, other.media[0].port, other.media[0].formats) == (other.connection, 5000, ("8",))


def test_a_section_longer_than_what_is_remembered_is_read() -> None:
    media = parse_sdp(sdp("m=audio 4000 RTP/AVP 0", f"a=x:{'y' * 4000}", "a=ptime:30")).media[0]
    assert media.ptime == 30
