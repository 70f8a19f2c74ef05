from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import PEAK_0DBM0
from engine.media.dtmf import DIGITS, SEGMENT, Digit, DigitDetector
from engine.media.dtmf_out import DigitSender, EventPacket
from engine.media.inband import HIGH_HZ, KEYS, LOW_HZ


def test_sends_100_ms_with_growing_duration_and_the_end_three_times() -> None:
    sender = DigitSender()
    sender.add("9")
    packets = [sender.tick() for _ in range(8)]

    told = [(p.payload[0], p.payload[1] >> 7, int.from_bytes(p.payload[2:]), p.first) for p in packets if p is not None]
    assert told == [
        (9, 0, 160, True),
        (9, 0, 320, False),
        (9, 0, 480, False),
        (9, 0, 640, False),
        (9, 1, 800, False),
        (9, 1, 800, False),
        (9, 1, 800, False),
    ]
    assert packets[7] is None
    assert not sender


@pytest.mark.parametrize("digit", DIGITS)
def test_every_digit_is_sent_to_its_end(digit: str) -> None:
    """The switchboard takes ticks away from a sender that is falsy."""
    sender = DigitSender()
    sender.add(digit)
    packets = []
    while sender:
        packets.append(sender.tick())
    assert len(packets) == 8
    assert {packet.payload[0] for packet in packets if packet is not None} == {DIGITS.index(digit)}


def test_digits_stand_in_line() -> None:
    sender = DigitSender()
    sender.add("1*")
    sender.add("d")
    codes = []
    while sender:
        packet = sender.tick()
        if packet is not None and packet.first:
            codes.append(packet.payload[0])

    assert codes == [1, 10, 15]


def test_a_string_with_anything_else_is_refused_whole() -> None:
    sender = DigitSender()
    with pytest.raises(ValueError, match="substring"):
        sender.add("12x4")

    assert not sender


def stamped(packets: list[EventPacket | None], start: int = 1000) -> list[tuple[int, EventPacket]]:
    """Each packet with its timestamp."""
    stamp, found = start, []
    for packet in packets:
        if packet is not None:
            stamp += packet.advance
            found.append((stamp, packet))
    return found


@pytest.mark.parametrize("duration_ms", [8_180, 8_200, 8_220, 20_000, 60_000])
@pytest.mark.parametrize("clock", [8000, 16000, 48000])
def test_a_long_digit_comes_in_segments_and_is_one_again(duration_ms: int, clock: int) -> None:
    sender, detector = DigitSender(), DigitDetector()
    detector.clock = clock
    sender.add("7", duration_ms)
    packets = []
    while sender:
        packets.append(sender.tick(clock))
    sent = stamped(packets)
    for stamp, packet in sent:
        detector.packet(packet.payload, stamp, 0.0, marker=packet.first)

    assert list(detector.found) == [Digit(digit="7", duration_ms=duration_ms)]
    assert [packet.first for _, packet in sent].count(True) == 1
    assert [packet.payload[1] >> 7 for _, packet in sent].count(1) == 3
    by_segment: dict[int, list[int]] = {}
    for stamp, packet in sent:
        by_segment.setdefault(stamp, []).append(int.from_bytes(packet.payload[2:]))
    assert list(by_segment) == [1000 + at * SEGMENT for at in range(len(by_segment))]
    assert len(by_segment) == 1 + (duration_ms * clock // 1000 - 1) // SEGMENT
    for durations in list(by_segment.values())[:-1]:
        assert durations[-1] == SEGMENT
        assert durations == sorted(durations)


def test_a_key_that_is_held_goes_on_until_it_is_let_go() -> None:
    sender = DigitSender()
    key = sender.hold("#")
    for _ in range(30):
        packet = sender.tick()
        assert packet is not None
        assert not packet.payload[1] & 0x80
    sender.release(key, 0)
    packets = []
    while sender:
        packets.append(sender.tick())

    ends = [packet for packet in packets if packet is not None and packet.payload[1] & 0x80]
    assert [int.from_bytes(packet.payload[2:]) for packet in ends] == [31 * 160] * 3


def test_a_key_that_is_let_go_before_its_turn_is_as_long_as_it_was_held() -> None:
    sender = DigitSender()
    sender.add("1")
    key = sender.hold("2")
    sender.release(key, 200)
    durations = []
    while sender:
        packet = sender.tick()
        if packet is not None and packet.payload[0] == 2 and packet.payload[1] & 0x80:
            durations.append(int.from_bytes(packet.payload[2:]))

    assert durations == [1600] * 3


def sounded(sender: DigitSender, rate: int) -> np.ndarray:
    frames = []
    while sender:
        frames.append(sender.sound(rate))
    return np.concatenate(frames).astype(float)


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize("at", range(16))
def test_a_digit_as_sound_is_its_two_tones_and_a_pause(at: int, rate: int) -> None:
    sender = DigitSender()
    sender.add(KEYS[at])
    made = sounded(sender, rate)

    assert len(made) == rate * 160 // 1000
    assert not made[rate // 10 :].any()
    tone = made[rate // 50 : rate * 4 // 50]
    times = np.arange(len(tone)) / rate
    basis = np.stack(
        [shape(2 * np.pi * hz * times) for hz in (LOW_HZ[at // 4], HIGH_HZ[at % 4]) for shape in (np.sin, np.cos)]
    )
    parts, rest, _, _ = np.linalg.lstsq(basis.T, tone, rcond=None)
    levels = 20 * np.log10(np.hypot(parts[::2], parts[1::2]) / PEAK_0DBM0)
    assert levels == pytest.approx([-10.0, -8.0], abs=0.05)
    assert 10 * np.log10((tone**2).sum() / rest[0]) > 60
    assert np.abs(np.diff(made)).max() < 1.6 * np.abs(np.diff(tone)).max()


def test_a_digit_as_sound_begins_and_ends_softly() -> None:
    sender = DigitSender()
    sender.add("D")
    made = np.abs(sounded(sender, 8000)[:800])

    assert max(made[:3].max(), made[-3:].max()) < 0.35 * made.max()
