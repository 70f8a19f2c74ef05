from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.leg import Leg
from engine.media.rtcp import Bye, ReportBlock, RtcpSession, SenderReport, ntp, parse, report_delay
from engine.media.transmission import Transmission

WALL = 1_700_000_000.25


@pytest.fixture
def leg() -> Leg:
    tx = Transmission(ssrc=0xA1, seq=2, stamp=1000)
    tx.send = len
    return Leg(name="a", tag="", port=20002, tx=tx, rtcp=RtcpSession(b"opaque"), opened_at=0.0)


def sent(leg: Leg, *, now: float, bye: bool = False) -> bytes:
    return leg.rtcp.compound(leg.tx, leg.rx, now, WALL, bye=bye)


def types(compound: bytes) -> list[int]:
    """Packet types of a compound packet whose lengths add up."""
    found, at = [], 0
    while at < len(compound):
        assert compound[at] >> 6 == 2
        found.append(compound[at + 1])
        at += 4 * (int.from_bytes(compound[at + 2 : at + 4]) + 1)
    assert at == len(compound)
    return found


def test_who_has_sent_nothing_gives_a_receiver_report_with_sdes(leg: Leg) -> None:
    compound = sent(leg, now=10.0)

    assert types(compound) == [201, 202]
    assert b"\x01\x06opaque\x00" in compound


def test_who_has_sent_gives_a_sender_report(leg: Leg) -> None:
    leg.tx.frame(bytes(160), 10.0)
    leg.tx.frame(bytes(160), 10.02)
    compound = sent(leg, now=10.12)

    assert types(compound) == [200, 202]
    ssrc, seconds, fraction, stamp, packets, octets = struct.unpack_from("!IIIIII", compound, 4)
    assert (ssrc, packets, octets) == (0xA1, 2, 320)
    assert (seconds, fraction >> 28) == (1_700_000_000 + 2_208_988_800, 4)
    assert stamp == leg.tx.stamp + 800


def test_who_has_sent_nothing_since_gives_a_receiver_report_again(leg: Leg) -> None:
    leg.tx.frame(bytes(160), 10.0)
    sent(leg, now=10.1)

    # RFC 3550 6.3.8: who sent since the report before the last is a sender.
    assert types(sent(leg, now=15.0)) == [200, 202]
    assert types(sent(leg, now=20.0)) == [201, 202]


def test_only_who_was_heard_since_the_last_report_has_a_block(leg: Leg) -> None:
    """RFC 3550 6.4.1; that there is none tells the peer that nothing comes."""
    leg.rx.sequence(7, 1)
    leg.rx.received += 1
    with_block = parse(sent(leg, now=1.0)) or []
    assert [type(report) for report in with_block] == [ReportBlock]
    assert parse(sent(leg, now=6.0)) == []


def test_only_the_report_of_who_is_heard_is_answered(leg: Leg) -> None:
    """LSR is of the source that the block is about (RFC 3550 6.4.1)."""
    leg.rx.sequence(7, 1)
    leg.rx.received += 1
    leg.rtcp.heard([SenderReport(ssrc=8, ntp_middle=5)], 0xA1, 0.5, WALL)
    (block,) = parse(sent(leg, now=1.0)) or []
    assert isinstance(block, ReportBlock)
    assert (block.last_sr, block.delay) == (0, 0)

    leg.rx.received += 1
    leg.rtcp.heard([SenderReport(ssrc=7, ntp_middle=5)], 0xA1, 1.5, WALL)
    (block,) = parse(sent(leg, now=2.0)) or []
    assert isinstance(block, ReportBlock)
    assert (block.last_sr, block.delay) == (5, 32768)


def test_bye_ends_the_compound_packet(leg: Leg) -> None:
    leg.tx.frame(bytes(160), 10.0)
    sent(leg, now=10.1)
    compound = sent(leg, now=10.2, bye=True)

    assert types(compound) == [200, 202, 203]
    assert parse(compound) is not None
    assert Bye(ssrc=0xA1) in (parse(compound) or [])


def test_two_sides_measure_loss_jitter_and_round_trip() -> None:
    """A reports to B, which answers 0.5 s later; the way there takes 30 ms, the way back 50 ms."""
    a, b = (
        Leg(
            name=name,
            tag="",
            port=1,
            tx=Transmission(ssrc=ssrc, seq=0, stamp=0),
            rtcp=RtcpSession(b"c"),
            opened_at=0.0,
        )
        for name, ssrc in (("a", 0xA1), ("b", 0xB2))
    )
    a.tx.send = len
    a.tx.frame(bytes(160), 0.0)
    for seq in (0, 1, 4):
        b.rx.sequence(0xA1, seq)
        b.rx.received += 1
    b.rx.jitter = 24.0

    report = parse(a.rtcp.compound(a.tx, a.rx, 1.0, WALL))
    assert report is not None
    b.rtcp.heard(report, 0xB2, 1.03, WALL + 0.03)
    answer = parse(b.rtcp.compound(b.tx, b.rx, 1.53, WALL + 0.53))
    assert answer is not None
    a.rtcp.heard(answer, 0xA1, 1.58, WALL + 0.58)

    assert a.rtcp.remote_lost == 2
    assert a.rtcp.remote_jitter == 24
    assert a.rtcp.round_trip == pytest.approx(0.08, abs=0.001)
    assert b.rtcp.round_trip is None


def test_each_of_several_blocks_is_read() -> None:
    """As a mixer sends them: ours need not be the first."""
    first = struct.pack("!IIIIII", 1, 5, 3, 0, 0, 0)
    ours = struct.pack("!IIIIII", 0xA1, 7, 0, 24, 0, 0)
    found = parse(struct.pack("!BBHI", 0x82, 201, 13, 9) + first + ours)
    assert found == [
        ReportBlock(ssrc=1, lost=5, highest=3, jitter=0, last_sr=0, delay=0),
        ReportBlock(ssrc=0xA1, lost=7, highest=0, jitter=24, last_sr=0, delay=0),
    ]


def test_a_report_about_another_stream_is_not_ours(leg: Leg) -> None:
    leg.rtcp.heard([ReportBlock(ssrc=1, lost=9, highest=9, jitter=9, last_sr=9, delay=0)], 0xA1, 0.0, WALL)

    assert leg.rtcp.remote_lost is None


def test_nonsense_times_give_no_round_trip(leg: Leg) -> None:
    seconds, _ = ntp(WALL)
    leg.rtcp.heard(
        [ReportBlock(ssrc=0xA1, lost=0, highest=0, jitter=0, last_sr=(seconds & 0xFFFF) << 16, delay=0x7FFFFFFF)],
        0xA1,
        0.0,
        WALL,
    )

    assert leg.rtcp.round_trip is None


def test_negative_loss_is_read_with_its_sign(leg: Leg) -> None:
    for seq in (1, 1, 1):
        leg.rx.sequence(7, seq)
        leg.rx.received += 1
    reports = parse(sent(leg, now=1.0))

    assert isinstance((reports or [])[0], ReportBlock)
    assert [report.lost for report in reports or [] if isinstance(report, ReportBlock)] == [-2]


RR = struct.pack("!BBHI", 0x80, 201, 1, 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        RR[:7],
        b"\x40" + RR[1:],
        b"\xa0" + RR[1:],
        struct.pack("!BBHI", 0x81, 202, 1, 5),
        struct.pack("!BBHI", 0x80, 201, 2, 5),
        struct.pack("!BBHI", 0x81, 201, 1, 5),
        struct.pack("!BBHI", 0x80, 200, 1, 5),
        RR + b"\x80",
        RR + struct.pack("!BBHI", 0x80, 203, 9, 5),
    ],
)
def test_what_is_not_a_compound_packet_is_refused_whole(data: bytes) -> None:
    assert parse(data) is None


def test_other_packet_types_are_stepped_over() -> None:
    app = struct.pack("!BBHI4s", 0x80, 204, 2, 5, b"name")
    sr = struct.pack("!BBHIIIIII", 0x80, 200, 6, 5, 0x11112222, 0x33334444, 0, 0, 0)

    assert parse(sr + app + RR) == [SenderReport(ssrc=5, ntp_middle=0x22223333)]


@given(st.binary(max_size=200), st.integers(0, 3))
def test_any_octets_are_reports_or_nothing(data: bytes, front: int) -> None:
    parse((RR * front) + data)


@given(st.data())
def test_a_changed_octet_does_no_harm(data: st.DataObject) -> None:
    tx = Transmission(ssrc=0xA1, seq=0, stamp=0)
    leg = Leg(name="a", tag="", port=1, tx=tx, rtcp=RtcpSession(b"c"), opened_at=0.0)
    leg.rx.sequence(9, 9)
    packet = bytearray(leg.rtcp.compound(tx, leg.rx, 5.0, WALL, bye=True))
    packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    leg.rtcp.heard(parse(bytes(packet)) or [], 0xA1, 5.0, WALL)


def test_reports_are_spread_around_the_interval() -> None:
    """RFC 3550 6.2: 5 s, or 360 s over the bandwidth in kbit/s where that is less."""
    assert report_delay(lambda: 0.0, first=False, kbps=24) == pytest.approx(2.5 / 1.21828)
    assert report_delay(lambda: 1.0, first=False, kbps=24) == pytest.approx(7.5 / 1.21828)
    assert report_delay(lambda: 0.5, first=False, kbps=80) == pytest.approx(4.5 / 1.21828)


def test_the_first_report_comes_soon() -> None:
    assert report_delay(lambda: 0.0, first=True, kbps=80) == 0.0
    assert report_delay(lambda: 0.999, first=True, kbps=80) < 1.0
