from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.media.codecs import FRAME
from engine.media.jitter import DEPTH, MAX_AHEAD, MAX_LATE, Placement


def test_the_first_packet_is_played_after_the_depth() -> None:
    assert Placement().place(123_456, 1, 7, empty=False) == (7 + DEPTH) * FRAME


def test_the_next_ones_keep_the_senders_distances() -> None:
    placement = Placement()
    first = placement.place(1000, 1, 0, empty=False)

    assert placement.place(1000 + 160, 1, 1, empty=False) == first + 160
    assert placement.place(1000 + 480, 1, 1, empty=False) == first + 480
    assert placement.place(1000 + 320, 1, 1, empty=False) == first + 320


def test_timestamps_wrap() -> None:
    placement = Placement()
    first = placement.place(0xFFFFFFFF - 79, 1, 0, empty=False)

    assert placement.place(80, 1, 1, empty=False) == first + 160


def test_a_late_packet_is_dropped() -> None:
    placement = Placement()
    placement.place(1000, 1, 0, empty=False)

    assert placement.place(1160, 1, 10, empty=False) == -1
    assert placement.late == 1


def test_a_source_that_is_always_late_gets_a_new_clock() -> None:
    placement = Placement()
    placement.place(0, 1, 0, empty=False)
    places = [placement.place(160 * n, 1, n + 20, empty=False) for n in range(1, MAX_LATE + 2)]

    assert places[:-1] == [-1] * MAX_LATE
    assert places[-1] == (MAX_LATE + 1 + 20 + DEPTH) * FRAME


def test_a_packet_in_time_forgives_the_late_ones() -> None:
    placement = Placement()
    placement.place(0, 1, 0, empty=False)
    for _ in range(3):
        for _ in range(MAX_LATE):
            assert placement.place(160, 1, 10, empty=False) == -1
        assert placement.place(160 * 11, 1, 10, empty=False) == 13 * FRAME


def test_a_jump_ahead_gets_a_new_clock() -> None:
    placement = Placement()
    placement.place(0, 1, 0, empty=False)

    assert placement.place(MAX_AHEAD + 160, 1, 1, empty=False) == (1 + DEPTH) * FRAME
    assert placement.relaid == 1


def test_another_stream_and_an_empty_talkspurt_begin_anew() -> None:
    placement = Placement()
    placement.place(0, 1, 0, empty=False)

    assert placement.place(77, 2, 5, empty=False) == (5 + DEPTH) * FRAME
    assert placement.place(77 + 160 * 3, 2, 9, empty=True) == (9 + DEPTH) * FRAME


@given(
    st.lists(
        st.tuples(st.integers(0, 0xFFFFFFFF), st.integers(0, 2), st.integers(0, 3), st.booleans()),
        max_size=60,
    )
)
def test_a_place_is_never_in_the_past_nor_beyond_the_ring(packets: list[tuple[int, int, int, bool]]) -> None:
    placement, tick = Placement(), 0
    for stamp, ssrc, ticks, empty in packets:
        tick += ticks
        start = placement.place(stamp, ssrc, tick, empty=empty)
        assert start == -1 or tick * FRAME <= start <= tick * FRAME + MAX_AHEAD
