from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.media.dtmf import DIGITS, SILENCE_S, Digit, DigitDetector


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


def test_an_update_that_was_overtaken_makes_no_key_shorter() -> None:
    detector = DigitDetector()
    for duration in (160, 800, 480):
        detector.packet(event(2, duration), 1000, 0.0)
    detector.silent(SILENCE_S)

    assert drain(detector) == [Digit(digit="2", duration_ms=100)]


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


def test_a_key_that_is_held_longer_than_the_field_can_say_is_one_digit() -> None:
    """RFC 4733 2.5.1.3: each segment begins where the last one ended, without a marker."""
    detector = DigitDetector()
    detector.packet(event(5, 160), 1000, 0.0, marker=True)
    for segment in range(3):
        stamp = 1000 + segment * 0xFFFF
        for duration in (160, 40_000, 0xFFFF):
            detector.packet(event(5, duration), stamp, 0.0)
    detector.packet(event(5, 801, end=True), 1000 + 3 * 0xFFFF, 0.0)
    detector.packet(event(5, 801, end=True), 1000 + 3 * 0xFFFF, 0.0)

    assert drain(detector) == [Digit(digit="5", duration_ms=(3 * 0xFFFF + 801) // 8)]


def test_a_segment_whose_last_packets_are_lost_goes_on_all_the_same() -> None:
    detector = DigitDetector()
    detector.packet(event(5, 64_000), 0xFFFFFF00, 0.0)
    detector.packet(event(5, 320), (0xFFFFFF00 + 0xFFFF) & 0xFFFFFFFF, 0.0)
    detector.packet(event(5, 800, end=True), (0xFFFFFF00 + 0xFFFF) & 0xFFFFFFFF, 0.0)

    assert drain(detector) == [Digit(digit="5", duration_ms=(0xFFFF + 800) // 8)]


@pytest.mark.parametrize(
    ("code", "stamp", "marker"),
    [(5, 0xFFFF, True), (6, 0xFFFF, False), (5, 0x8000, False), (5, 0x20000, False)],
)
def test_what_is_no_next_segment_is_another_digit(code: int, stamp: int, marker: bool) -> None:
    detector = DigitDetector()
    detector.packet(event(5, 8000), 0, 0.0, marker=True)
    detector.packet(event(code, 800, end=True), stamp, 0.0, marker=marker)

    assert drain(detector) == [
        Digit(digit="5", duration_ms=1000),
        Digit(digit=DIGITS[code], duration_ms=100),
    ]


@pytest.mark.parametrize("clock", [8000, 16000, 48000])
def test_durations_are_in_the_formats_own_clock(clock: int) -> None:
    detector = DigitDetector()
    detector.clock = clock
    detector.packet(event(5, clock // 10, end=True), 0, 0.0)

    assert drain(detector) == [Digit(digit="5", duration_ms=100)]


def test_a_digit_whose_beginning_is_lost_is_told_by_any_of_its_ends() -> None:
    for lost in range(3):
        detector = DigitDetector()
        for _ in range(3 - lost):
            detector.packet(event(9, 800, end=True), 1000, 0.0)
        assert drain(detector) == [Digit(digit="9", duration_ms=100)]
