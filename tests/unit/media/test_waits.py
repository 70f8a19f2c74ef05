from __future__ import annotations

import pytest

from engine.media.waits import BINS, DEEPEST, FRAME_BINS, LATE_BINS, MARGIN, TURN, Waits


def noted(*waits: int, times: int = 100) -> Waits:
    """Two rows, of which the second has seen packets that waited so many milliseconds."""
    known = Waits(2)
    for wait in waits:
        known.flat[BINS + LATE_BINS + wait] += times
    return known


def test_slack_is_what_all_but_a_few_packets_wait_beyond_the_margin() -> None:
    assert noted(30).slack(1) == 30 - MARGIN
    assert noted(30, 10, 50).slack(1) == 10 - MARGIN
    assert noted(-5, 30).slack(1) == -5 - MARGIN
    assert noted(30).slack(0) == 0


def test_three_of_a_thousand_are_given_up() -> None:
    known = noted(30, times=1000)
    known.flat[BINS + LATE_BINS - 10] += 3
    assert known.slack(1) == 30 - MARGIN
    known.flat[BINS + LATE_BINS - 10] += 1
    assert known.slack(1) == -10 - MARGIN


def test_the_bulk_does_not_wait_for_ever_for_the_latest() -> None:
    assert noted(-20, 200).slack(1) == 200 - DEEPEST - MARGIN
    assert noted(-20, 200).spread(1) == DEEPEST


@pytest.mark.parametrize("frames", [1, -1, 3, -3])
def test_a_row_that_is_moved_has_waits_to_match(frames: int) -> None:
    known = noted(70, 100)
    before = known.mean_ms(1)
    known.moved(1, frames)

    assert known.slack(1) == 70 - frames * FRAME_BINS - MARGIN
    assert known.mean_ms(1) == pytest.approx(before - frames * FRAME_BINS)
    known.moved(1, 1000)
    assert known.mean_ms(1) < -20


def test_a_review_tells_who_needs_what_and_forgets_in_two_turns() -> None:
    known = noted(30, times=1000)
    known.flat[LATE_BINS] += 5
    assert known.review() == ([0], [1])
    for _ in range(TURN):
        assert known.review() == ([0], [1])
    for _ in range(TURN):
        known.review()
    assert known.review() == ([], [])
    assert known.mean_ms(0) == known.mean_ms(1) == 0


def test_the_neediest_come_first_and_the_new_are_not_hurried() -> None:
    known = noted(-5)
    known.flat[LATE_BINS + 1] += 50
    assert known.review() == ([1, 0], [])
    assert noted(90).review() == ([], [])
