from __future__ import annotations

import numpy as np
import pytest

from engine.media.mixer import Edge, Hears, Mixer, Rooms, factor

ROWS = np.array([[1000] * 4, [20] * 4, [-300] * 4, [32000] * 4, [-32000] * 4], np.int16)


def heard(*sinks: list[tuple[int, float]]) -> list[int]:
    mixer = Mixer([Hears(edges=tuple(Edge(row=row, gain=factor(db)) for row, db in sink)) for sink in sinks], Rooms(()))
    out = dict(zip(mixer.order, mixer.part(ROWS, 0, len(sinks)), strict=True))
    return [int(out[sink][0]) for sink in range(len(sinks))]


def test_one_edge_each_is_a_copy() -> None:
    assert heard([(2, 0.0)], [(0, 0.0)]) == [-300, 1000]


def test_sinks_hear_the_sum_of_their_own_edges() -> None:
    assert heard([(0, 0.0), (1, 0.0), (2, 0.0)], [(1, 0.0), (2, 0.0)], [(0, 0.0)]) == [720, -280, 1000]


def test_sums_are_limited_not_wrapped() -> None:
    assert heard([(3, 0.0), (0, 0.0)], [(4, 0.0), (4, 0.0)]) == [28729, -31358]
    assert all(abs(value) > 30000 for value in heard([(3, 6.0)], [(4, 6.0)]))


def test_gain_is_in_decibels_and_only_on_its_edge() -> None:
    assert heard([(0, 20.0), (1, 0.0)], [(0, -20.0)]) == [10020, 100]


def test_one_voice_made_softer_is_what_it_is_among_others() -> None:
    """Alone or beside sinks that hear two: the same samples."""
    softer = [[(row, db)] for row in range(5) for db in (-1.0, -6.0, -20.0)]
    expected = [int(np.rint(np.float32(ROWS[row, 0]) * np.float32(factor(db)))) for ((row, db),) in softer]
    assert heard(*softer) == expected
    assert heard(*softer, [(0, 0.0)]) == [*expected, 1000]
    limited = [value for value in heard(*softer, [(0, 0.0), (1, 0.0)])[:-1] if abs(value) < 24576]
    assert limited == [value for value in expected if abs(value) < 24576]


def test_conference_is_mix_minus() -> None:
    everybody = [[(row, 0.0) for row in range(3) if row != sink] for sink in range(3)]

    assert heard(*everybody) == [-280, 700, 1020]


@pytest.mark.parametrize("gain", [0.0, -3.0])
def test_does_not_change_what_it_reads(gain: float) -> None:
    before = ROWS.copy()
    heard([(0, gain), (1, gain)], [(0, gain)])

    assert np.array_equal(ROWS, before)
