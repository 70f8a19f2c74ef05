"""Which packets from an unsignalled address belong together."""

from __future__ import annotations

import struct

import pytest

from engine.media.probation import CANDIDATES, PATIENCE_S, RUN, Probation

HEADER = struct.Struct("!BBHII")
ONE, OTHER = ("198.51.100.8", 4000), ("198.51.100.9", 4000)


class Stream:
    """Packets of one source, each 20 ms after the last unless told otherwise."""

    def __init__(self, probation: Probation, source: tuple[str, int] = ONE, *, seq: int = 7, rate: int = 8000) -> None:
        self.probation, self.source = probation, source
        self.seq, self.stamp, self.ssrc, self.now = seq, 0xFFFFFF00, 5, 100.0
        self.step = rate // 50

    def passes(self, *, seq: int = 1, stamp: int | None = None, after_s: float = 0.02, ssrc: int = 5) -> bool:
        self.seq = self.seq + seq & 0xFFFF
        self.stamp = self.stamp + (self.step if stamp is None else stamp) & 0xFFFFFFFF
        self.now += after_s
        return self.probation.passed(self.source, HEADER.pack(0x80, 0, self.seq, self.stamp, ssrc), self.now)

    def until_passed(self) -> int:
        """How many more packets it takes."""
        return next(count for count in range(1, 50) if self.passes())


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_stream_as_phones_send_it_passes(rate: int) -> None:
    stream = Stream(Probation(rate), rate=rate, seq=0xFFFE)
    assert [stream.passes() for _ in range(RUN)] == [False] * (RUN - 1) + [True]


@pytest.mark.parametrize(
    "odd",
    [
        {"seq": 2},
        {"seq": 0},
        {"seq": -1},
        {"stamp": 0},
        {"stamp": -160},
        {"stamp": 1601},
        {"ssrc": 6},
        {"after_s": 1.1},
    ],
)
def test_whatever_does_not_follow_begins_a_new_run(odd: dict[str, int]) -> None:
    stream = Stream(Probation(8000))
    for _ in range(RUN - 1):
        assert not stream.passes()
    assert not stream.passes(**odd)  # type: ignore[arg-type]
    assert stream.until_passed() == (RUN if "ssrc" in odd else RUN - 1)


def test_a_burst_has_no_cadence() -> None:
    stream = Stream(Probation(8000))
    assert not any(stream.passes(after_s=0.0005) for _ in range(500))
    stream.passes(seq=100)
    assert stream.until_passed() == RUN - 1, "of which nothing is held against an honest beginning"


def test_packets_that_gathered_on_their_way_pass_when_their_time_has_come() -> None:
    stream = Stream(Probation(8000))
    assert not any(stream.passes(after_s=0.0) for _ in range(RUN))
    assert not stream.passes(after_s=0.03)
    assert stream.passes(after_s=0.05)


def test_each_source_has_a_run_of_its_own() -> None:
    probation = Probation(8000)
    one, other = Stream(probation), Stream(probation, OTHER)
    for _ in range(RUN - 1):
        assert not one.passes()
        assert not other.passes()
    assert one.passes()


def test_few_are_watched_at_a_time_and_those_who_fell_silent_make_room() -> None:
    probation = Probation(8000)
    for number in range(CANDIDATES):
        Stream(probation, (f"198.51.100.{number}", 1)).passes()
    late = Stream(probation, ("198.51.100.99", 1))
    assert not any(late.passes() for _ in range(RUN + 1))
    assert len(probation._candidates) == CANDIDATES
    late.now += PATIENCE_S
    assert late.until_passed() == RUN
