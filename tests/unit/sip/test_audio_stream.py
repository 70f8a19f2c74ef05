"""Codecs, payload numbers, packet time, comfort noise and telephone-event in offers and answers."""

from __future__ import annotations

import pytest

from engine.sip.audio_format import AudioCodec, Passed, format_of
from engine.sip.audio_stream import named
from engine.sip.offer_answer import (
    Agreed,
    Local,
    NotAcceptable,
    Offered,
    answer_to,
    make_answer,
    make_offer,
    read_answer,
    read_offer,
)
from engine.sip.sdp import RtpMap, parse_sdp

PCMU, PCMA, G722, L16, L16_16K = AudioCodec
OPUS = Passed("opus", 48000, 2, "useinbandfec=1", 96, "opus/48000/2")
LOCAL = Local(address="192.0.2.100", port=20002, session_id=77, version=1, codecs=(G722, PCMU, PCMA))


def sdp(*media: str) -> bytes:
    head = ("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "c=IN IP4 192.0.2.1", "t=0 0")
    return "\r\n".join((*head, *media, "")).encode()


def stream(data: bytes) -> list[str]:
    """The m-line and what is below it."""
    text = data.decode()
    return text[text.index("m=audio") :].removesuffix("\r\n").split("\r\n")


def agreed(offer: bytes, local: Local = LOCAL) -> Agreed:
    return make_answer(offer, local)[1]


def test_an_offer_of_everything() -> None:
    everything = LOCAL._replace(codecs=(OPUS, G722, PCMU, L16, L16_16K), noise=True, ptime_ms=30)
    assert stream(make_offer(everything)) == [
        "m=audio 20002 RTP/AVP 96 9 0 97 98 13 102 99 101 100",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:97 L16/8000",
        "a=rtpmap:98 L16/16000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:102 CN/16000",
        "a=rtpmap:99 telephone-event/48000",
        "a=fmtp:99 0-16",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=rtpmap:100 telephone-event/16000",
        "a=fmtp:100 0-16",
        "a=ptime:30",
        "a=sendrecv",
    ]


def test_g722_is_answered_with_its_static_number_and_clock() -> None:
    for offer in (sdp("m=audio 4000 RTP/AVP 9"), sdp("m=audio 4000 RTP/AVP 9", "a=rtpmap:9 g722/8000/1")):
        answer, found = make_answer(offer, LOCAL)
        assert (found.codec, found.payload_type) == (G722, 9)
        assert stream(answer)[:2] == ["m=audio 20002 RTP/AVP 9", "a=rtpmap:9 G722/8000"]


def test_l16_has_the_peers_number() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 10 97 98", "a=rtpmap:97 L16/16000", "a=rtpmap:98 L16/8000")
    found = agreed(offer, LOCAL._replace(codecs=(L16, L16_16K)))
    assert (found.codec, found.payload_type) == (L16_16K, 97)
    stereo = sdp("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 L16/8000/2")
    with pytest.raises(NotAcceptable):
        make_answer(stereo, LOCAL._replace(codecs=(L16,)))


def test_our_order_decides_where_it_is_to() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 8 0 9")
    assert agreed(offer).codec is PCMA
    assert agreed(offer, LOCAL._replace(ours_first=True)).codec is G722
    with pytest.raises(NotAcceptable):
        make_answer(sdp("m=audio 4000 RTP/AVP 18"), LOCAL._replace(ours_first=True))
    assert answer_to(LOCAL._replace(ours_first=True), sdp("m=audio 4000 RTP/AVP 8 9")).codec is PCMA, "his answer is"


def test_each_side_sends_with_the_numbers_of_the_other() -> None:
    local = LOCAL._replace(codecs=(OPUS, PCMU))
    answer = sdp(
        "m=audio 4000 RTP/AVP 111 110",
        *("a=rtpmap:111 OPUS/48000/2", "a=fmtp:111 usedtx=1", "a=rtpmap:110 telephone-event/48000"),
    )
    found = answer_to(local, answer)
    assert (found.payload_type, found.heard_as) == (111, 96)
    assert (found.dtmf_payload_type, found.dtmf_heard_as) == (110, 97)
    assert isinstance(found.codec, Passed)
    assert (found.codec.fmtp, found.codec.key, found.codec.number) == ("usedtx=1", OPUS.key, 111)
    assert found == read_answer(make_offer(local), answer)
    same = sdp("m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000")
    assert (answer_to(local, same).heard_as, answer_to(local, same).dtmf_heard_as) == (None, None)


def test_an_answer_describes_a_passed_codec_as_the_other_leg_does_by_the_offers_number() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 111", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 stereo=1")
    answer, found = make_answer(offer, LOCAL._replace(codecs=(OPUS,)))
    assert stream(answer)[:3] == [
        "m=audio 20002 RTP/AVP 111",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 useinbandfec=1",
    ]
    assert isinstance(found.codec, Passed)
    assert found.codec.fmtp == "stereo=1"


@pytest.mark.parametrize(
    ("codec", "number"), [(PCMU, 100), (G722, 100), (L16_16K, 99), (OPUS, 101)], ids=["8000", "G.722", "16000", "48000"]
)
def test_telephone_event_runs_at_the_codecs_clock(codec: AudioCodec | Passed, number: int) -> None:
    offer = sdp(
        "m=audio 4000 RTP/AVP 96 0 9 98 101 99 100",
        *("a=rtpmap:96 opus/48000/2", "a=rtpmap:98 L16/16000", "a=rtpmap:101 telephone-event/48000"),
        *("a=rtpmap:99 telephone-event/16000", "a=rtpmap:100 telephone-event/8000"),
    )
    answer, found = make_answer(offer, LOCAL._replace(codecs=(codec,)))
    assert found.dtmf_payload_type == number
    assert f"a=rtpmap:{number} telephone-event/{codec.clock_rate}" in stream(answer)


@pytest.mark.parametrize(
    ("attributes", "ms"),
    [
        ((), 20),
        (("a=ptime:10",), 10),
        (("a=ptime:30",), 30),
        (("a=ptime:25",), 20),
        (("a=ptime:60",), 60),
        (("a=ptime:120",), 60),
        (("a=ptime:0",), 20),
        (("a=ptime:1",), 10),
        (("a=ptime:x",), 20),
        (("a=ptime:-20",), 20),
        (("a=maxptime:140",), 20),
        (("a=maxptime:10",), 10),
        (("a=maxptime:0",), 20),
        (("a=ptime:60", "a=maxptime:35"), 30),
        (("a=maxptime:99999", "a=ptime:30"), 30),
    ],
)
def test_packet_time_is_what_the_peer_likes_within_10_to_60(attributes: tuple[str, ...], ms: int) -> None:
    answer, found = make_answer(sdp("m=audio 4000 RTP/AVP 0", *attributes), LOCAL)
    assert found.ptime_ms == ms
    assert f"a=ptime:{ms}" in stream(answer)
    assert answer_to(LOCAL, sdp("m=audio 4000 RTP/AVP 0", *attributes)).ptime_ms == ms


def test_long_packets_of_wide_l16_would_not_fit_a_frame() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 97", "a=rtpmap:97 L16/16000", "a=ptime:60")
    assert agreed(offer, LOCAL._replace(codecs=(L16_16K,))).ptime_ms == 40


def test_comfort_noise_is_answered_where_it_is_offered_at_the_codecs_clock() -> None:
    assert agreed(sdp("m=audio 4000 RTP/AVP 0")).cn_payload_type is None
    for offer in (sdp("m=audio 4000 RTP/AVP 0 13"), sdp("m=audio 4000 RTP/AVP 0 13", "a=rtpmap:13 CN/8000")):
        answer, found = make_answer(offer, LOCAL)
        assert found.cn_payload_type == 13
        assert stream(answer)[0] == "m=audio 20002 RTP/AVP 0 13"
    other = sdp("m=audio 4000 RTP/AVP 97 98", "a=rtpmap:97 L16/16000", "a=rtpmap:98 CN/16000")
    assert agreed(other, LOCAL._replace(codecs=(L16_16K,))).cn_payload_type == 98
    assert agreed(sdp("m=audio 4000 RTP/AVP 0 98", "a=rtpmap:98 CN/16000")).cn_payload_type is None
    passed = sdp("m=audio 4000 RTP/AVP 18 13")
    g729 = Passed("G729", 8000, 1, "", 18, "g729/8000/1")
    assert agreed(passed, LOCAL._replace(codecs=(g729,))).cn_payload_type is None, "its own noise is in its packets"


def test_comfort_noise_that_we_did_not_offer_is_not_agreed() -> None:
    answer = sdp("m=audio 4000 RTP/AVP 0 13")
    assert answer_to(LOCAL, answer).cn_payload_type is None
    assert answer_to(LOCAL._replace(noise=True), answer).cn_payload_type == 13


def test_no_muxed_rtcp_and_no_dtls_is_agreed_to() -> None:
    answer, found = make_answer(sdp("m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:4321"), LOCAL)
    assert not any("rtcp" in line for line in stream(answer))
    assert found.rtcp_port == 4321
    for proto in ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVP"):
        offer = sdp(
            f"m=audio 4000 {proto} 111 0",
            *("a=rtpmap:111 opus/48000/2", "a=fingerprint:sha-256 AB", "a=setup:actpass", "a=ice-ufrag:x"),
        )
        with pytest.raises(NotAcceptable, match="transport"):
            make_answer(offer, LOCAL._replace(codecs=(OPUS, PCMU)))
    both = sdp("m=audio 4000 UDP/TLS/RTP/SAVPF 0", "a=fingerprint:sha-256 AB", "m=audio 4002 RTP/AVP 0")
    answer, found = make_answer(both, LOCAL)
    assert found.port == 4002
    assert stream(answer)[0] == "m=audio 0 UDP/TLS/RTP/SAVPF 0"


def test_what_is_refused_says_what_was_found() -> None:
    with pytest.raises(NotAcceptable) as caught:
        make_answer(sdp("m=audio 4000 RTP/AVP 18 96 8", "a=rtpmap:96 opus/48000/2"), LOCAL._replace(codecs=(PCMU,)))
    assert caught.value.warning == '305 hearthline "no common audio codec; found: G729, opus, PCMA"'


@pytest.mark.parametrize(
    ("number", "encoding", "fmtp", "key"),
    [
        (18, None, "annexb=no", "g729/8000/1"),
        (3, None, "", "gsm/8000/1"),
        (97, "iLBC/8000", "mode=20", "ilbc/8000/1"),
        (97, "AMR/8000", "mode-set=7; octet-align=1", "amr/8000/1;octet-align=1"),
        (97, "AMR/8000", "octet-align=0;crc=0", "amr/8000/1"),
        (97, "AMR-WB/16000/1", "robust-sorting=1;OCTET-ALIGN=1", "amr-wb/16000/1;octet-align=1;robust-sorting=1"),
        (97, "G7221/16000", "bitrate=32000", "g7221/16000/1;bitrate=32000"),
        (97, "PCMU/16000", "", "pcmu/16000/1"),
        (97, "telephone-event/8000", "", None),
        (97, "red/8000", "97/97", None),
        (97, "opus/48000/2", "x" * 300, None),
        (97, "opus/48000/2", "a\x00b", None),
        (97, "o\x7fpus/48000/2", "", None),
        (97, "opus/0/2", "", None),
        (97, "opus/48000/0", "", None),
        (97, "opus/48000/99", "", None),
        (97, "x" * 40 + "/8000", "", None),
        (97, None, "", None),
    ],
)
def test_what_may_be_passed_on_and_what_is_the_same(
    number: int, encoding: str | None, fmtp: str, key: str | None
) -> None:
    mapping = None
    if encoding is not None:
        name, clock, *channels = encoding.split("/")
        mapping = RtpMap(number, name, int(clock), int(channels[0]) if channels else 1)
    found = format_of(number, mapping, fmtp)
    assert found is None if key is None else isinstance(found, Passed) and (found.key, found.fmtp) == (key, fmtp)


def test_an_offer_is_read_for_the_other_leg() -> None:
    offer = sdp(
        *("m=video 4000 RTP/AVP 96", "a=rtpmap:96 VP8/90000", "m=audio 0 RTP/AVP 8"),
        *("m=audio 4002 RTP/AVP 96 0 13 101 0", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 useinbandfec=1", "a=ptime:40"),
        "a=rtpmap:101 telephone-event/8000",
    )
    assert read_offer(parse_sdp(offer)) == Offered((OPUS, PCMU), noise=True, ptime_ms=40)
    assert read_offer(parse_sdp(sdp("m=audio 0 RTP/AVP 8"))) is None


def test_a_wanted_number_that_is_taken_gives_way() -> None:
    amr = Passed("AMR", 8000, 1, "", 101, "amr/8000/1")
    opus = OPUS._replace(number=9)
    g729 = Passed("G729", 8000, 1, "", 18, "g729/8000/1")
    other = Passed("X", 8000, 1, "", 18, "x/8000/1")
    found = named((amr, opus, g729, other, L16), noise=False, spoken_for=())
    assert [number for number, _ in found.formats] == [96, 97, 18, 98, 99]
    assert dict(found.events) == {8000: 101, 48000: 100}
    again = named((PCMU, L16), noise=False, spoken_for=(101, 96))
    assert [number for number, _ in again.formats] == [0, 97]
    assert again.events == ((8000, 98),)


def test_of_endless_codecs_a_few_are_looked_at_and_none_is_repeated() -> None:
    numbers = range(96, 128)
    lines = [f"a=rtpmap:{number} c{number}/8000" for number in numbers]
    offer = sdp(f"m=audio 4000 RTP/AVP {' '.join(map(str, [*numbers, *numbers]))}", *lines)
    found = read_offer(parse_sdp(offer))
    assert found is not None
    assert len(found.codecs) == 16
    assert len(parse_sdp(make_offer(LOCAL._replace(codecs=(*found.codecs, L16)))).media[0].formats) == 18


def test_events_at_8000_are_better_than_none_beside_a_codec_that_is_passed_on() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=rtpmap:101 telephone-event/8000")
    answer, found = make_answer(offer, LOCAL._replace(codecs=(OPUS,)))
    assert (found.dtmf_payload_type, found.dtmf_clock_rate) == (101, 8000)
    assert "a=rtpmap:101 telephone-event/8000" in stream(answer)
    assert agreed(offer, LOCAL._replace(codecs=(OPUS,), events=False)).dtmf_clock_rate is None
    theirs = sdp("m=audio 4000 RTP/AVP 97 98", "a=rtpmap:97 opus/48000/2", "a=rtpmap:98 telephone-event/8000")
    found = answer_to(LOCAL._replace(codecs=(OPUS, PCMU)), theirs)
    assert (found.dtmf_payload_type, found.dtmf_heard_as, found.dtmf_clock_rate) == (98, 101, 8000)
    assert answer_to(LOCAL._replace(codecs=(OPUS,)), theirs).dtmf_payload_type is None, "it was not offered"
    wide = sdp("m=audio 4000 RTP/AVP 98 101", "a=rtpmap:98 L16/16000", "a=rtpmap:101 telephone-event/8000")
    assert agreed(wide, LOCAL._replace(codecs=(L16_16K,))).dtmf_payload_type is None, "tones in the sound do as well"


def test_a_number_that_no_packet_can_have_is_not_taken() -> None:
    offer = sdp("m=audio 4000 RTP/AVP 128 96 200", *(f"a=rtpmap:{number} PCMU/8000" for number in (128, 96)))
    assert agreed(sdp("m=audio 4000 RTP/AVP 0 200", "a=rtpmap:200 telephone-event/8000")).dtmf_payload_type is None
    assert agreed(offer).payload_type == 96
