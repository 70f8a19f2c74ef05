from __future__ import annotations

import pytest

from engine.media.lateness import Lateness


def test_percentiles_of_what_came_since_the_last_time() -> None:
    late = Lateness()
    for number in range(1000):
        late.note(number / 1e6)
    found = late.take()

    assert found.p50 == pytest.approx(499e-6)
    assert found.p999 == pytest.approx(998e-6)
    assert found.worst == pytest.approx(999e-6)
    assert late.take().worst == 0.0


def test_few_ticks_have_their_worst_as_high_percentile() -> None:
    late = Lateness()
    for value in (0.001, 0.005, 0.0):
        late.note(value)

    assert late.take().p999 == 0.005
    assert (late.ticks, late.late) == (3, 1)
