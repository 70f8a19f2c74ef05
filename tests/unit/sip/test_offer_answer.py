from __future__ import annotations

import gc
import tracemalloc

import pytest

from engine.sip.errors import LocalSipError, RemoteSipError
from engine.sip.offer_answer import (
    Agreed,
    AudioCodec,
    Direction,
    Local,
    NotAcceptable,
    answer_to,
    make_answer,
    make_offer,
    read_answer,
)
from engine.sip.sdp import parse_sdp

LOCAL = Local(address="192.0.2.100", port=20002, session_id=77, version=1)
PCMU, PCMA = AudioCodec.PCMU, AudioCodec.PCMA


def sdp(*media: str, c: str = "c=IN IP4 192.0.2.1") -> bytes:
    return "\r\n".join(("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", c, "t=0 0", *media, "")).encode()


def lines(data: bytes) -> list[str]:
    text = data.decode()
    assert text.endswith("\r\n")
    return text[:-2].split("\r\n")


def test_offer_text() -> None:
    assert lines(make_offer(LOCAL)) == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.100",
        "s=-",
        "c=IN IP4 192.0.2.100",
        "t=0 0",
        "m=audio 20002 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=sendrecv",
    ]


def test_offer_of_one_codec_on_hold_over_ipv6() -> None:
    local = LOCAL._replace(address="2001:db8::5", version=2, codecs=(PCMA,))
    text = lines(make_offer(local, Direction.SENDONLY))
    assert text[1] == "o=- 77 2 IN IP6 2001:db8::5"
    assert text[3] == "c=IN IP6 2001:db8::5"
    assert text[5] == "m=audio 20002 RTP/AVP 8 101"
    assert text[-1] == "a=sendonly"


@pytest.mark.parametrize("address", ["192.0.2.1\r\na=evil", "192.0.2.1\n", "\r"])
def test_no_line_break_gets_out(address: str) -> None:
    with pytest.raises(LocalSipError):
        make_offer(LOCAL._replace(address=address))


def test_answer_text() -> None:
    answer, agreed = make_answer(sdp("m=audio 4000 RTP/AVP 8 0"), LOCAL)
    assert lines(answer) == [
        "v=0",
        "o=- 77 1 IN IP4 192.0.2.100",
        "s=-",
        "c=IN IP4 192.0.2.100",
        "t=0 0",
        "m=audio 20002 RTP/AVP 8",
        "a=rtpmap:8 PCMA/8000",
        "a=ptime:20",
        "a=sendrecv",
    ]
    assert agreed == Agreed(
        address="192.0.2.1",
        port=4000,
        rtcp_port=4001,
        codec=PCMA,
        payload_type=8,
        dtmf_payload_type=None,
        direction=Direction.SENDRECV,
    )


def test_the_offer_s_order_decides_among_our_codecs() -> None:
    for formats, codecs, chosen in (
        ("0 8", (PCMU, PCMA), PCMU),
        ("8 0", (PCMU, PCMA), PCMA),
        ("8 0", (PCMU,), PCMU),
        ("18 9 8", (PCMU, PCMA), PCMA),
    ):
        local = LOCAL._replace(codecs=codecs)
        assert make_answer(sdp(f"m=audio 4000 RTP/AVP {formats}"), local)[1].codec is chosen


def test_numbers_of_the_offer_are_kept() -> None:
    answer, agreed = make_answer(
        sdp("m=audio 4000 RTP/AVP 97 98", "a=rtpmap:97 pcma/8000/1", "a=rtpmap:98 Telephone-Event/8000"), LOCAL
    )
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == (PCMA, 97, 98)
    assert "m=audio 20002 RTP/AVP 97 98" in lines(answer)
    assert "a=rtpmap:97 PCMA/8000" in lines(answer)
    assert "a=rtpmap:98 telephone-event/8000" in lines(answer)
    assert "a=fmtp:98 0-16" in lines(answer)


@pytest.mark.parametrize("mapping", ["0 opus/48000/2", "0 PCMU/16000", "0 PCMU/8000/2"])
def test_a_static_number_that_is_mapped_to_something_else_is_not_taken(mapping: str) -> None:
    with pytest.raises(NotAcceptable):
        make_answer(sdp("m=audio 4000 RTP/AVP 0", f"a=rtpmap:{mapping}"), LOCAL)


def test_telephone_event_of_another_clock_is_not_taken() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/48000")
    assert make_answer(offer, LOCAL)[1].dtmf_payload_type is None


def test_first_of_several_audio_streams_is_taken_and_everything_else_refused() -> None:
    offer = sdp(
        *("m=video 4000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", "m=audio 0 RTP/AVP 0", "m=audio 4010 RTP/SAVP 0"),
        *("m=audio 4020 RTP/AVP 18", "m=audio 4030 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"),
        *("m=audio 4040 RTP/AVP 8", "m=image 4050 udptl t38", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"),
    )
    answer, agreed = make_answer(offer, LOCAL)
    assert agreed.port == 4030
    assert [line for line in lines(answer) if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/AVP 0",
        "m=audio 0 RTP/SAVP 0",
        "m=audio 0 RTP/AVP 18",
        "m=audio 20002 RTP/AVP 0 101",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel",
    ]


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        (sdp(), 304),
        (sdp("m=video 4000 RTP/AVP 31"), 304),
        (sdp("m=audio 0 RTP/AVP 0"), 304),
        (sdp("m=audio 4000 RTP/SAVP 0"), 302),
        (sdp("m=audio 4000 UDP/TLS/RTP/SAVPF 0"), 302),
        (sdp("m=audio 4000 RTP/AVP 9 18 96 x 300"), 305),
        (sdp("m=audio 4000 RTP/AVP 0", c="b=AS:1"), 301),
        (sdp("m=audio 4000 RTP/AVP 0", c="c=IN IP4 host.example.com"), 301),
        (sdp("m=audio 4000 RTP/AVP 0", c="c=IN IP6 2001:db8::1"), 301),
        (sdp("m=audio 4000 RTP/AVP 0", c="c=IN IP4 224.2.1.1/127"), 301),
        (sdp("m=audio 4000 RTP/AVP 0", c="c=IN IP4 255.255.255.255"), 301),
    ],
)
def test_not_acceptable_says_why_in_a_warning(offer: bytes, code: int) -> None:
    with pytest.raises(NotAcceptable) as caught:
        make_answer(offer, LOCAL)
    assert (caught.value.status_hint, caught.value.reason) == (488, "Not Acceptable Here")
    assert caught.value.warning.startswith(f'{code} hearthline "')


def test_malformed_offer_is_400() -> None:
    with pytest.raises(RemoteSipError) as caught:
        make_answer(b"hello", LOCAL)
    assert caught.value.status_hint == 400


# RFC 3264 6.1, every pair: what the peer offers, what we want, what comes of it on our side.
@pytest.mark.parametrize(
    ("offered", "want", "ours"),
    [
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "sendonly", "sendonly"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendrecv", "inactive", "inactive"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("sendonly", "recvonly", "recvonly"),
        ("recvonly", "sendrecv", "sendonly"),
        ("recvonly", "sendonly", "sendonly"),
        ("recvonly", "recvonly", "inactive"),
        ("inactive", "sendrecv", "inactive"),
        ("inactive", "inactive", "inactive"),
    ],
)
def test_answer_direction(offered: str, want: str, ours: str) -> None:
    for offer in (
        sdp("m=audio 4000 RTP/AVP 0", f"a={offered}"),
        sdp(f"a={offered}", "m=audio 4000 RTP/AVP 0"),
    ):
        answer, agreed = make_answer(offer, LOCAL, Direction(want))
        assert agreed.direction is Direction(ours)
        assert lines(answer)[-1] == f"a={ours}"


def test_times_of_the_offer_are_repeated() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 0").replace(b"t=0 0", b"t=3724394400 3724398000")
    assert "t=3724394400 3724398000" in lines(make_answer(offer, LOCAL)[0])


def test_answer_is_read_from_our_side() -> None:
    offer = make_offer(LOCAL)
    answer = sdp("m=audio 4000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", "a=rtcp:4009", "a=recvonly")
    assert answer_to(LOCAL, answer) == read_answer(offer, answer)
    assert read_answer(offer, answer) == Agreed(
        address="192.0.2.1",
        port=4000,
        rtcp_port=4009,
        codec=PCMA,
        payload_type=8,
        dtmf_payload_type=101,
        direction=Direction.SENDONLY,
    )


def test_answer_to_a_hold_cannot_widen_it() -> None:
    offer = make_offer(LOCAL, Direction.SENDONLY)
    assert read_answer(offer, sdp("m=audio 4000 RTP/AVP 0")).direction is Direction.SENDONLY
    assert read_answer(offer, sdp("m=audio 4000 RTP/AVP 0", "a=inactive")).direction is Direction.INACTIVE
    assert answer_to(LOCAL, sdp("m=audio 4000 RTP/AVP 0"), Direction.SENDONLY).direction is Direction.SENDONLY


@pytest.mark.parametrize(
    "answer",
    [
        sdp(),
        sdp("m=audio 0 RTP/AVP 0"),
        sdp("m=video 4000 RTP/AVP 31"),
        sdp("m=audio 4000 RTP/SAVP 0"),
        sdp("m=audio 4000 RTP/AVP 9"),
        sdp("m=audio 4000 RTP/AVP 0", c="c=IN IP6 2001:db8::1"),
    ],
)
def test_answers_that_agree_to_nothing(answer: bytes) -> None:
    with pytest.raises(NotAcceptable):
        read_answer(make_offer(LOCAL), answer)
    with pytest.raises(NotAcceptable):
        answer_to(LOCAL, answer)


def test_a_codec_that_was_not_offered_is_not_agreed() -> None:
    offer = make_offer(LOCAL._replace(codecs=(PCMU,)))
    with pytest.raises(NotAcceptable):
        read_answer(offer, sdp("m=audio 4000 RTP/AVP 8"))


def test_our_answer_to_our_offer_agrees_on_both_sides() -> None:
    other = Local(address="192.0.2.200", port=30000, session_id=1, version=1, codecs=(PCMA, PCMU))
    offer = make_offer(LOCAL)
    answer, theirs = make_answer(offer, other)
    ours = read_answer(offer, answer)
    assert (ours.codec, ours.payload_type, ours.dtmf_payload_type) == (PCMU, 0, 101)
    assert (ours.codec, ours.direction.mirrored) == (theirs.codec, theirs.direction)
    assert (ours.address, ours.port, theirs.address, theirs.port) == ("192.0.2.200", 30000, "192.0.2.100", 20002)


def peer(text: str) -> bytes:
    return text.strip().replace("\n", "\r\n").encode() + b"\r\n"


def agree(offer: bytes) -> tuple[list[str], Agreed]:
    answer, agreed = make_answer(offer, LOCAL)
    parse_sdp(answer)
    return lines(answer), agreed


def test_asterisk_22() -> None:
    # chan_pjsip, allow=alaw,ulaw,g722.
    text, agreed = agree(
        peer("""
v=0
o=- 1429284841 1429284841 IN IP4 192.0.2.20
s=Asterisk
c=IN IP4 192.0.2.20
t=0 0
m=audio 12752 RTP/AVP 8 0 9 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:9 G722/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=ptime:20
a=maxptime:140
a=sendrecv
""")
    )
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == (PCMA, 8, 101)
    assert (agreed.address, agreed.port, agreed.rtcp_port) == ("192.0.2.20", 12752, 12753)
    assert "m=audio 20002 RTP/AVP 8 101" in text


def test_pjsua2_2_15() -> None:
    # As sent by the softphone's wheel with its default codecs: c= and a direction in the media, three telephone-events.
    text, agreed = agree(
        peer("""
v=0
o=- 4004312753 4004312753 IN IP4 192.0.2.2
s=pjmedia
b=AS:84
t=0 0
a=X-nat:0
m=audio 4000 RTP/AVP 96 97 98 99 3 0 8 9 120 121 122
c=IN IP4 192.0.2.2
b=TIAS:64000
a=rtcp:4001 IN IP4 192.0.2.2
a=sendrecv
a=rtpmap:96 speex/16000
a=rtpmap:97 speex/8000
a=rtpmap:98 speex/32000
a=rtpmap:99 iLBC/8000
a=fmtp:99 mode=30
a=rtpmap:3 GSM/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:9 G722/8000
a=rtpmap:120 telephone-event/16000
a=fmtp:120 0-16
a=rtpmap:121 telephone-event/8000
a=fmtp:121 0-16
a=rtpmap:122 telephone-event/32000
a=fmtp:122 0-16
a=ssrc:1667490430 cname:5f28437e7a53af06
""")
    )
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == (PCMU, 0, 121)
    assert (agreed.address, agreed.port, agreed.rtcp_port) == ("192.0.2.2", 4000, 4001)
    assert "m=audio 20002 RTP/AVP 0 121" in text


def test_baresip() -> None:
    text, agreed = agree(
        peer("""
v=0
o=- 1140145081 1649997976 IN IP4 192.0.2.15
s=-
c=IN IP4 192.0.2.15
t=0 0
m=audio 16906 RTP/AVP 96 0 8 101
a=rtpmap:96 opus/48000/2
a=fmtp:96 stereo=1;sprop-stereo=1
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=sendrecv
a=label:1
a=rtcp-rsize
a=ssrc:1613256890 cname:sip:ann@example.com
a=ptime:20
m=video 16926 RTP/AVP 97
a=rtpmap:97 H264/90000
a=fmtp:97 packetization-mode=0;profile-level-id=42801f
a=sendrecv
a=label:2
a=rtcp-fb:* nack pli
""")
    )
    assert (agreed.codec, agreed.dtmf_payload_type, agreed.port) == (PCMU, 101, 16906)
    assert text[-1] == "m=video 0 RTP/AVP 97"


def test_linphone() -> None:
    # No rtpmap for the static numbers, and telephone-event at 48 kHz before the one at 8 kHz.
    text, agreed = agree(
        peer("""
v=0
o=ann 3357 3332 IN IP4 192.0.2.42
s=Talk
c=IN IP4 192.0.2.42
t=0 0
a=rtcp-xr:rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics
a=record:off
m=audio 7076 RTP/AVP 96 97 98 0 8 18 101 99 100
a=rtpmap:96 opus/48000/2
a=fmtp:96 useinbandfec=1
a=rtpmap:97 speex/16000
a=fmtp:97 vbr=on
a=rtpmap:98 speex/8000
a=fmtp:98 vbr=on
a=fmtp:18 annexb=yes
a=rtpmap:101 telephone-event/48000
a=rtpmap:99 telephone-event/16000
a=rtpmap:100 telephone-event/8000
a=rtcp:7077
a=rtcp-fb:* trr-int 1000
a=rtcp-fb:* ccm tmmbr
m=video 9078 RTP/AVP 96
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 nack pli
""")
    )
    assert (agreed.codec, agreed.payload_type, agreed.dtmf_payload_type) == (PCMU, 0, 100)
    assert agreed.rtcp_port == 7077
    assert text[-1] == "m=video 0 RTP/AVP 96"


def test_sipp() -> None:
    # The scenario that SIPp has built in.
    text, agreed = agree(
        peer("""
v=0
o=user1 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
""")
    )
    assert (agreed.codec, agreed.dtmf_payload_type, agreed.address) == (PCMU, None, "127.0.0.1")
    assert "m=audio 20002 RTP/AVP 0" in text


def test_a_long_description_is_not_remembered() -> None:
    """Else whoever may send one would choose how much we hold."""
    filler = ["a=x"] * 2000
    far = "9" * 20_000
    tracemalloc.start()
    try:
        for number in range(20):
            offer = sdp("m=audio 4000 RTP/AVP 0", f"a=y:{number}", *filler)
            make_answer(offer, LOCAL)
            with pytest.raises(NotAcceptable):
                make_answer(sdp("m=audio 4000 RTP/AVP 0", c=f"c=IN IP4 {number}{far}"), LOCAL)
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < 150_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("media", [(), ("m=video 4 RTP/AVP 31",), ("m=video 4 RTP/AVP 31", "m=audio 0 RTP/AVP 0")])
def test_no_answer_agrees_to_what_was_not_offered(media: tuple[str, ...]) -> None:
    with pytest.raises(NotAcceptable, match="the offer has no audio stream"):
        read_answer(sdp(*media), sdp("m=audio 4000 RTP/AVP 0", "m=audio 4000 RTP/AVP 0"))
