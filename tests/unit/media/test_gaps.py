"""Gaps of a recording: merged while nothing is kept, told when they begin and end."""

from __future__ import annotations

from engine.media.events import Gap
from engine.media.gaps import MAX_GAPS, Gaps, comment


def test_losses_on_end_are_one_gap() -> None:
    gaps = Gaps(1000)
    assert gaps.lose(2000, 1000, "full") == Gap(at_s=2.0, seconds=1.0, reason="full")
    assert gaps.open
    assert gaps.lose(3000, 500, "full") is None
    assert gaps.all() == [Gap(at_s=2.0, seconds=1.5, reason="full")]
    assert gaps.over() == Gap(at_s=2.0, seconds=1.5, reason="full")
    assert gaps.over() is None
    assert not gaps.open
    assert gaps.lost == 1500


def test_a_loss_elsewhere_is_another_gap() -> None:
    gaps = Gaps(1000)
    gaps.lose(0, 1000, "full")
    assert gaps.lose(5000, 1000, "slow") == Gap(at_s=5.0, seconds=1.0, reason="slow")
    assert [gap.at_s for gap in gaps.all()] == [0.0, 5.0]


def test_the_list_is_bounded_and_the_sum_is_not() -> None:
    gaps = Gaps(1000)
    for index in range(MAX_GAPS + 20):
        gaps.lose(index * 2000, 1000, "full")
        gaps.over()
    assert len(gaps.all()) == MAX_GAPS
    assert gaps.lost == (MAX_GAPS + 20) * 1000


def test_the_comment_names_every_gap() -> None:
    assert comment([]) == ""
    gaps = [Gap(at_s=2.0, seconds=1.5, reason="no space"), Gap(at_s=9.0, seconds=1, reason="slow")]
    assert comment(gaps) == "Silence where sound was lost: 2.00+1.50 s (no space), 9.00+1.00 s (slow)"
