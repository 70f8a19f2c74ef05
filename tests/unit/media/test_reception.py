from __future__ import annotations

import pytest

from engine.media.leg import Leg
from engine.media.reception import Reception
from engine.media.rtcp import RtcpSession
from engine.media.transmission import Transmission


@pytest.fixture
def rx() -> Reception:
    tx = Transmission(ssrc=1, seq=2, stamp=3)
    return Leg(name="a", tag="", port=20002, tx=tx, rtcp=RtcpSession(b"c"), opened_at=0.0).rx


def hear(rx: Reception, *numbers: int, ssrc: int = 5) -> list[int]:
    """Feed sequence numbers; those that were believed."""
    believed = []
    for seq in numbers:
        if rx.sequence(ssrc, seq & 0xFFFF):
            rx.received += 1
            believed.append(seq)
    return believed


def test_counts_what_is_missing(rx: Reception) -> None:
    hear(rx, 10, 11, 13, 14, 18)

    assert (rx.expected, rx.lost) == (9, 4)


def test_duplicates_make_the_loss_negative(rx: Reception) -> None:
    hear(rx, 10, 10, 10)

    assert rx.lost == -2


def test_reordered_packets_are_not_lost(rx: Reception) -> None:
    hear(rx, 10, 12, 11, 13)

    assert (rx.highest, rx.lost) == (13, 0)


def test_sequence_numbers_wrap(rx: Reception) -> None:
    hear(rx, 65534, 65535, 65536, 65538)

    assert (rx.cycles, rx.highest, rx.lost) == (65536, 2, 1)


def test_a_great_jump_is_believed_when_the_next_packet_follows_it(rx: Reception) -> None:
    assert hear(rx, 10, 11, 30_000, 30_001, 30_002) == [10, 11, 30_001, 30_002]
    assert rx.lost == 0


def test_a_single_stray_number_changes_nothing(rx: Reception) -> None:
    assert hear(rx, 10, 11, 30_000, 12) == [10, 11, 12]
    assert rx.lost == 0


def test_loss_of_an_earlier_stream_stays_in_the_total(rx: Reception) -> None:
    hear(rx, 10, 12, ssrc=5)
    hear(rx, 500, 501, 504, ssrc=6)

    assert rx.lost == 1 + 2


def test_interval_reports_the_fraction_since_the_last_one(rx: Reception) -> None:
    hear(rx, 0, 1, 2, 3)
    assert rx.interval().fraction_lost == 0

    hear(rx, 6, 7)
    second = rx.interval()
    assert second.fraction_lost == (2 << 8) // 4
    assert second.cumulative_lost == 2
    assert second.highest_sequence == 7

    assert rx.interval().fraction_lost == 0


def test_interval_clamps_the_fraction_of_duplicates_to_zero(rx: Reception) -> None:
    hear(rx, 1, 1, 1)

    assert rx.interval().fraction_lost == 0
    assert rx.interval().cumulative_lost == -2


def test_jitter_follows_the_formula_of_a8(rx: Reception) -> None:
    expected, transit = 0.0, None
    for arrival, stamp in [(0, 0), (165, 160), (318, 320), (500, 480), (640, 640)]:
        rx.clock(arrival, stamp)
        if transit is not None:
            expected += (abs(arrival - stamp - transit) - expected) / 16
        transit = arrival - stamp

    assert rx.jitter == pytest.approx(expected)


def test_a_new_time_base_is_no_jitter(rx: Reception) -> None:
    rx.clock(0, 0)
    rx.clock(160, 4_000_000_000)
    rx.clock(320, 4_000_000_160)

    assert rx.jitter == 0.0
