from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.media.codecs import FRAME
from engine.media.jitter import MAX_AHEAD, MAX_LATE, SAFETY_MS, Playout
from engine.media.ring import Ring
from engine.media.waits import FRAME_BINS, Waits

SAFETY = SAFETY_MS * 8


class Clock:
    """One row's play-out clock, to which packets come when the next tick is due or `early` samples before."""

    def __init__(self, frame: int = FRAME) -> None:
        self.ring = Ring(1, FRAME)
        self.waits = Waits(1)
        self.playout = Playout(0, self.waits, self.ring, frame=frame)
        self.frame = frame

    def place(
        self, stamp: int, tick: int, *, early: int = 0, ssrc: int = 1, units: int = 0, marker: bool = False
    ) -> int:
        start = self.playout.place(
            stamp & 0xFFFFFFFF, ssrc, tick, tick * FRAME - early, units or self.frame, marker=marker
        )
        if start >= 0:
            self.playout.note(start, tick * FRAME - early)
        return start

    @property
    def shift(self) -> int:
        assert self.playout.shift == self.ring.shift[0]
        return self.playout.shift


def test_the_first_packet_is_played_by_the_next_tick_that_it_is_sure_to_reach() -> None:
    assert Clock().place(123_456, 7, early=SAFETY) == 7 * FRAME
    assert Clock().place(123_456, 7, early=FRAME) == 7 * FRAME
    assert Clock().place(123_456, 7, early=SAFETY - 1) == 8 * FRAME
    assert Clock(frame=320).place(123_456, 7, early=SAFETY - 1) == 8 * 320


def test_the_next_ones_keep_the_senders_distances() -> None:
    clock = Clock()
    first = clock.place(1000, 0)

    assert clock.place(1160, 1) == first + 160
    assert clock.place(1480, 1) == first + 480
    assert clock.place(1320, 1) == first + 320


def test_timestamps_wrap() -> None:
    clock = Clock()
    first = clock.place(0xFFFFFFFF - 79, 0)

    assert clock.place(80, 1) == first + 160


def test_late_packets_are_waited_for_at_once_while_little_is_known() -> None:
    clock = Clock()
    first = clock.place(0, 0, early=SAFETY)
    # The second one misses its tick (1) by a tick.
    late = clock.place(160, 2, early=40)

    assert late == first + 160
    assert clock.shift == -1
    assert clock.playout.late == 1
    assert clock.playout.discarded == 0


def test_one_late_packet_in_a_thousand_is_given_up() -> None:
    clock = Clock()
    for number in range(1000):
        assert clock.place(160 * number, number, early=SAFETY) == number * FRAME
    assert clock.place(160 * 1000, 1001) == -1
    assert clock.shift == 0
    assert (clock.playout.late, clock.playout.discarded) == (1, 1)

    # A few more are too many of so few.
    for number in range(1001, 1004):
        clock.place(160 * number, number + 1, early=40)
    assert clock.shift == -1


def test_a_part_that_comes_in_time_is_kept() -> None:
    clock = Clock()
    for number in range(1000):
        clock.place(160 * number, number, early=SAFETY)

    assert clock.place(160 * 1000, 1001, units=480) == 1000 * FRAME
    assert clock.playout.ends == 1003 * FRAME


def test_a_source_that_is_always_far_too_late_gets_a_new_clock() -> None:
    clock = Clock()
    clock.place(0, 0)
    places = [clock.place(160 * number, number + 60) for number in range(1, MAX_LATE + 2)]

    assert places[:-1] == [-1] * MAX_LATE
    due = MAX_LATE + 1 + 60
    assert places[-1] == (due + 1 + clock.shift) * FRAME
    assert clock.playout.relaid == 1


def test_a_burst_after_a_stall_is_no_new_clock() -> None:
    clock = Clock()
    clock.place(0, 0, early=SAFETY)
    for number in range(1, 31):
        clock.place(160 * number, 30)

    assert clock.playout.relaid == 0
    assert clock.place(160 * 31, 31, early=SAFETY) == 31 * FRAME


def test_a_jump_ahead_gets_a_new_clock() -> None:
    clock = Clock()
    clock.place(0, 0)

    assert clock.place((MAX_AHEAD + 2) * 160, 1) == 2 * FRAME
    assert clock.playout.relaid == 1


def test_another_stream_begins_anew_and_keeps_the_depth() -> None:
    clock = Clock()
    for number in range(100):
        clock.place(160 * number, number, early=SAFETY)
        clock.place(160 * number, number + 1)  # as late as that can packets be
    shift = clock.shift

    start = clock.place(77, 100, ssrc=2, early=FRAME)
    waits = start // FRAME - shift - 99
    assert shift < 0
    assert waits == 2
    assert clock.playout.relaid == 0


def test_what_was_played_before_comes_again_as_a_duplicate_not_as_late() -> None:
    clock = Clock()
    clock.place(0, 0, early=SAFETY)
    clock.ring.played[0, 0] = 0xFFFF

    assert clock.place(0, 4) == -1
    assert (clock.playout.late, clock.playout.duplicates, clock.shift) == (0, 1, 0)


def test_a_talkspurt_whose_stamps_stood_still_meanwhile_begins_at_once() -> None:
    clock = Clock()
    clock.place(0, 0, early=SAFETY)

    assert clock.place(160, 500, early=SAFETY, marker=True) == (500 + clock.shift) * FRAME
    assert clock.playout.late == 0


def test_a_talkspurt_that_begins_a_little_late_is_played_whole() -> None:
    clock = Clock()
    clock.place(0, 0, early=SAFETY)

    assert clock.place(160 * 98, 100, marker=True) == 98 * FRAME == (100 + clock.shift) * FRAME


def test_silence_is_used_to_play_sooner() -> None:
    clock = Clock()
    clock.place(0, 0, early=SAFETY)
    for number in range(4, 600):
        clock.place(160 * number, number - 4, early=SAFETY)
    assert clock.shift == 0

    clock.place(160 * 700, 696, early=SAFETY, marker=True)
    assert clock.shift == 4
    assert 0 <= clock.waits.slack(0) < FRAME_BINS


def test_a_marker_within_speech_moves_nothing() -> None:
    clock = Clock()
    for number in range(200):
        clock.place(160 * (number + 4), number, early=SAFETY, marker=number > 0)

    assert clock.shift == 0


@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFFFFFF),
            st.integers(0, 2),
            st.integers(0, 3),
            st.integers(0, FRAME),
            st.sampled_from([80, 160, 480, 960]),
            st.booleans(),
        ),
        max_size=60,
    )
)
def test_a_place_is_never_in_the_past_nor_beyond_the_ring(packets: list[tuple[int, int, int, int, int, bool]]) -> None:
    clock, tick = Clock(), 0
    for stamp, ssrc, ticks, early, units, marker in packets:
        tick += ticks
        start = clock.place(stamp, tick, early=early, ssrc=ssrc, units=units, marker=marker)
        soonest = (tick + clock.shift) * FRAME
        assert start == -1 or soonest - units < start <= soonest + MAX_AHEAD * FRAME


def test_announced_silence_has_its_place_and_begins_now_where_it_can_have_none() -> None:
    clock = Clock()
    first = clock.place(1000, 0, early=SAFETY)
    announced = clock.playout.announced
    assert announced(1000 + 3 * 160, 1, 1, FRAME) == first + 3 * 160
    assert announced(1000 - 160 & 0xFFFFFFFF, 1, 1, FRAME) == first - 160, "late, and over by now"
    for stamp in (1000 + (MAX_AHEAD + 9) * 160, 1000 + 0x80000000, 1000 - 90 * 160 & 0xFFFFFFFF):
        assert announced(stamp, 1, 1, FRAME) == 160, "a clock that has jumped"
    assert announced(77, 2, 5, 5 * FRAME - SAFETY) == 5 * 160, "a stream that begins with silence"
