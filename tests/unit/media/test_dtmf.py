from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.dtmf import DIGITS, SILENCE_S, Digit, DigitDetector, DigitSender


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", code, (0x80 if end else 0) | 10, duration)


def drain(detector: DigitDetector) -> list[Digit]:
    found = list(detector.found)
    detector.found.clear()
    return found


def test_a_digit_is_told_at_its_end_once() -> None:
    detector = DigitDetector()
    for duration in (160, 320, 480):
        detector.packet(event(7, duration), 1000, 0.0)
    assert drain(detector) == []
    for _ in range(3):
        detector.packet(event(7, 640, end=True), 1000, 0.0)

    assert drain(detector) == [Digit(digit="7", duration_ms=80)]


def test_the_same_key_twice_is_two_digits() -> None:
    detector = DigitDetector()
    for stamp in (1000, 3000):
        for _ in range(3):
            detector.packet(event(1, 400, end=True), stamp, 0.0)

    assert drain(detector) == [Digit(digit="1", duration_ms=50)] * 2


def test_a_digit_whose_end_is_lost_is_told_after_silence() -> None:
    detector = DigitDetector()
    detector.packet(event(0, 800), 1000, 5.0)
    detector.silent(5.0 + SILENCE_S / 2)
    assert drain(detector) == []
    detector.silent(5.0 + SILENCE_S)
    detector.silent(9.0)

    assert drain(detector) == [Digit(digit="0", duration_ms=100)]


def test_a_digit_whose_end_is_lost_is_told_when_the_next_begins() -> None:
    detector = DigitDetector()
    detector.packet(event(2, 800), 1000, 0.0)
    detector.packet(event(3, 160), 2000, 0.0)

    assert [digit.digit for digit in drain(detector)] == ["2"]


def test_stragglers_of_an_earlier_digit_are_ignored() -> None:
    detector = DigitDetector()
    detector.packet(event(2, 800, end=True), 1000, 0.0)
    detector.packet(event(3, 160), 2000, 0.0)
    detector.packet(event(2, 800, end=True), 1000, 0.0)
    detector.packet(event(3, 800, end=True), 2000, 0.0)

    assert [digit.digit for digit in drain(detector)] == ["2", "3"]


def test_stamps_wrap_between_digits() -> None:
    detector = DigitDetector()
    detector.packet(event(2, 800, end=True), 0xFFFFFF00, 0.0)
    detector.packet(event(3, 800, end=True), 400, 0.0)

    assert [digit.digit for digit in drain(detector)] == ["2", "3"]


@given(st.lists(st.tuples(st.binary(max_size=6), st.integers(0, 0xFFFFFFFF)), max_size=30))
def test_any_octets_give_digits_or_nothing(packets: list[tuple[bytes, int]]) -> None:
    detector = DigitDetector()
    for payload, stamp in packets:
        detector.packet(payload, stamp, 0.0)
    detector.silent(1.0)

    assert all(digit.digit in DIGITS for digit in drain(detector))


def test_flash_and_short_payloads_are_no_digits() -> None:
    detector = DigitDetector()
    detector.packet(event(16, 800, end=True), 1, 0.0)
    detector.packet(b"\x05\x8a\x03", 2, 0.0)

    assert drain(detector) == []


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
