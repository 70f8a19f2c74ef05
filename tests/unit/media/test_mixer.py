from __future__ import annotations

import numpy as np
import pytest

from engine.media.mixer import mix, sums

ROWS = np.array([[1000] * 4, [20] * 4, [-300] * 4, [32000] * 4, [-32000] * 4], np.int16)


def heard(*sinks: list[tuple[int, float]]) -> list[int]:
    return [int(row[0]) for row in mix(ROWS, sums(sinks))]


def test_one_edge_each_is_a_copy() -> None:
    assert heard([(2, 0.0)], [(0, 0.0)]) == [-300, 1000]


def test_sinks_hear_the_sum_of_their_own_edges() -> None:
    assert heard([(0, 0.0), (1, 0.0), (2, 0.0)], [(1, 0.0), (2, 0.0)], [(0, 0.0)]) == [720, -280, 1000]


def test_sums_are_clipped_not_wrapped() -> None:
    assert heard([(3, 0.0), (0, 0.0)], [(4, 0.0), (4, 0.0)]) == [32767, -32768]
    assert heard([(3, 6.0)], [(4, 6.0)]) == [32767, -32768]


def test_gain_is_in_decibels_and_only_on_its_edge() -> None:
    assert heard([(0, 20.0), (1, 0.0)], [(0, -20.0)]) == [10020, 100]


def test_conference_is_mix_minus() -> None:
    everybody = [[(row, 0.0) for row in range(3) if row != sink] for sink in range(3)]

    assert heard(*everybody) == [-280, 700, 1020]


@pytest.mark.parametrize("gain", [0.0, -3.0])
def test_does_not_change_what_it_reads(gain: float) -> None:
    before = ROWS.copy()
    heard([(0, gain), (1, gain)], [(0, gain)])

    assert np.array_equal(ROWS, before)
