from __future__ import annotations

import pytest

from engine.sip.flow import Address, Flow, Transport
from engine.sip.ladder import ladder
from engine.sip.recorder import Kind, Trace
from engine.sip.trace_text import describe, masked, passed
from tests.support.sip_phone import SDP

US = Address("192.0.2.1", 5060)
PBX = Flow(Transport.UDP, Address("0.0.0.0", 5060), Address("192.0.2.2", 5060))
PHONE = Flow(Transport.TLS, Address("0.0.0.0", 5061), Address("2001:db8::7", 40001), 4)
OTHER = Flow(Transport.TCP, Address("0.0.0.0", 5060), Address("192.0.2.8", 40002), 5)

MEDIA = "  sendrecv PCMU 192.0.2.1:4000"


def sip(start: str, cseq: str, *fields: str, body: bytes = b"") -> bytes:
    lines = [start, "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1", "From: <sip:a@x>;tag=1", "To: <sip:b@y>"]
    lines += ["Call-ID: one", f"CSeq: {cseq}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


INVITE = sip("INVITE sip:600@192.0.2.1 SIP/2.0", "1 INVITE", "Content-Type: application/sdp", body=SDP)
TRYING = sip("SIP/2.0 100 Trying", "1 INVITE")
BUSY = sip("SIP/2.0 486 Busy Here", "1 INVITE")


def trace(call_id: str, *entries: tuple[float, str, Flow, bytes]) -> Trace:
    made = Trace(call_id, Kind.CALL, 10)
    made.extend(entries)
    return made


def two_legs() -> list[Trace]:
    return [
        trace("out", (100.5, "out", PHONE, INVITE), (101.25, "in", PHONE, BUSY)),
        trace("in", (100.0, "in", PBX, INVITE), (100.002, "out", PBX, TRYING), (100.6, "in", PBX, INVITE)),
    ]


def shown(traces: list[Trace], left: str = "in", *, full: bool = False) -> str:
    return ladder(passed(traces), left=left, ours=lambda flow: US._replace(port=flow.local.port), full=full)


def test_both_legs_stand_in_the_order_of_time_each_on_its_side() -> None:
    lines = shown(two_legs()).splitlines()
    assert lines == [
        "1970-01-01 00:01:40.000 UTC; secrets are masked",
        "",
        "  A  192.0.2.2:5060 UDP  (here 192.0.2.1:5060)  Call-ID in",
        "  B  [2001:db8::7]:40001 TLS  (here 192.0.2.1:5061)  Call-ID out",
        "",
        "           A                                  engine                             others",
        "    +0.000 |-- INVITE 1 --------------------->|                                  |" + MEDIA,
        "    +0.002 |<- 100 Trying (INVITE 1) ---------|                                  |",
        "    +0.500 |                                  |-- INVITE 1 --------------------->|" + MEDIA,
        "    +0.600 |-- INVITE 1 again --------------->|                                  |" + MEDIA,
        "    +1.250 |                                  |<- 486 Busy Here (INVITE 1) ------|",
    ]


def test_several_on_the_right_have_names_and_a_call_of_ours_has_nobody_on_the_left() -> None:
    lines = shown([*two_legs(), trace("third", (102.0, "out", OTHER, INVITE))]).splitlines()
    assert lines[4].startswith("  C  192.0.2.8:40002 TCP")
    assert lines[-2].endswith("------| B")
    assert lines[-1].endswith(">| C  sendrecv PCMU 192.0.2.1:4000")
    alone = shown(two_legs()[:1]).splitlines()
    assert alone[2].startswith("  B  ")
    assert alone[4] == "                                              engine                             others"


def test_whole_messages_follow_their_lines_without_control_characters() -> None:
    evil = INVITE.replace(b"<sip:a@x>", b'"\x1b[2J" <sip:a@x>')
    text = shown([trace("in", (100.0, "in", PBX, evil))], full=True)
    assert "\x1b" not in text
    assert f"    1970-01-01 00:01:40.000 UTC from 192.0.2.2:5060 UDP, {len(evil)} octets\n" in text
    assert '    | From: "?[2J" <sip:a@x>;tag=1\n' in text
    assert "    | m=audio 4000 RTP/AVP 0\n" in text
    assert shown([]) == "no messages\n"
    out = shown([trace("x", (1.0, "out", PBX, TRYING))], full=True)
    assert " to 192.0.2.2:5060 UDP" in out


def test_a_title_that_is_long_is_cut() -> None:
    long = sip("SIP/2.0 500 " + "long " * 30, "1 INVITE")
    (line,) = [line for line in shown([trace("in", (1.0, "in", PBX, long))]).splitlines() if "+0.000" in line]
    assert line == "    +0.000 |-- 500 long long long long lo.. ->|                                  |"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ((b"RTP/AVP 0", b"RTP/AVP 8 0 101 96\r\na=rtpmap:101 telephone-event/8000\r\na=sendonly"), "sendonly"),
        ((b"RTP/AVP 0", b"RTP/AVP 8 0 101 96\r\na=rtpmap:101 telephone-event/8000"), "PCMA,PCMU,telephone-event,96"),
        ((b"audio 4000", b"audio 0"), "audio refused"),
        ((b"m=audio", b"m=video"), "video sendrecv"),
        ((b"IN IP4 192.0.2.1\r\nt", b"IN IP6 2001:db8::1\r\nt"), "[2001:db8::1]:4000"),
        ((b"c=IN IP4 192.0.2.1\r\n", b""), "?:4000"),
        ((b"m=audio 4000 RTP/AVP 0\r\n", b""), "SDP without streams"),
        ((b"m=audio 4000", b"m=audio x"), "SDP: malformed media port"),
    ],
)
def test_sdp_in_a_few_words(change: tuple[bytes, bytes], told: str) -> None:
    body = SDP.replace(*change)
    assert body != SDP
    assert told in describe(sip("INVITE sip:x SIP/2.0", "1 INVITE", "Content-Type: application/sdp", body=body))[1]


def test_what_cannot_be_read_says_so() -> None:
    assert describe(b"\r\n\r\n") == ("keep-alive", "")
    title, _ = describe(sip("INVITE sip:x SIP/2.0", "1 BYE"))
    assert title == "malformed: 'INVITE sip:x SIP/2.0': CSeq is of BYE, the request of INVITE"
    assert describe(b"\x16\x03\x01\x1b junk")[0].startswith("malformed: '???? junk'")


def test_a_content_type_that_cannot_be_read_is_told_not_raised() -> None:
    assert describe(sip("INVITE sip:x SIP/2.0", "1 INVITE", "Content-Type: ;;"))[0].startswith("malformed")


@pytest.mark.parametrize(
    ("clear", "hidden"),
    [
        ('Authorization: Digest username="ada", response="abc123", uri="sip:x"', "abc123"),
        ('Proxy-Authorization: Digest response = "abc123",nonce="n"', "abc123"),
        ("authorization : Digest response=abc123, cnonce=1", "abc123"),
        ('Authorization: Digest username="ada",\r\n  response="abc123"', "abc123"),
        ('Authentication-Info: rspauth="abc123", nextnonce="n"', "abc123"),
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc123|2^20|1:32", "abc123"),
    ],
)
def test_secrets_are_masked_and_nothing_changes_its_length(clear: str, hidden: str) -> None:
    data = f"INVITE sip:x SIP/2.0\r\n{clear}\r\nUser-Agent: response=x\r\n".encode()
    safe = masked(data)
    assert safe == data.replace(hidden.encode(), b"******")
    assert len(safe) == len(data)


@pytest.mark.parametrize(
    ("kind", "body", "hidden"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", b"Signal=*\r\nDuration=160\r\n"),
        ("application/dtmf-relay", b"Duration=160\r\nsignal = 11", b"Duration=160\r\nsignal = **"),
        ("application/dtmf", b"7\r\n", b"*\r\n"),
        ("Application/DTMF", b"d", b"*"),
        ("application/media_control+xml", b"7\r\n", b"7\r\n"),
    ],
)
def test_what_a_caller_presses_is_masked(kind: str, body: bytes, hidden: bytes) -> None:
    data = sip("INFO sip:x SIP/2.0", "2 INFO", f"Content-Type: {kind}", body=body)
    assert masked(data) == sip("INFO sip:x SIP/2.0", "2 INFO", f"Content-Type: {kind}", body=hidden)
    other = sip("MESSAGE sip:x SIP/2.0", "2 MESSAGE", f"Content-Type: {kind}", body=body)
    assert masked(other) == other


def test_what_is_passed_on_has_no_secret() -> None:
    data = sip("REGISTER sip:x SIP/2.0", "1 REGISTER", 'Authorization: Digest response="feed"')
    (message,) = passed([trace("r", (1.0, "in", PBX, data))])
    assert b"feed" not in message.data
    assert (message.title, message.way, message.call_id, message.flow) == ("REGISTER 1", "in", "r", PBX)


def test_the_same_bytes_the_other_way_are_no_repetition() -> None:
    again = [
        each.again for each in passed([trace("a", (1, "in", PBX, BUSY), (2, "out", PBX, BUSY), (3, "in", PBX, BUSY))])
    ]
    assert again == [False, False, True]
