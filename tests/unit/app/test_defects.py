from __future__ import annotations

import logging

import pytest

from engine.app.defects import Defects


class StandingClock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 0.0


def raised(kind: type[Exception] = ZeroDivisionError) -> Exception:
    try:
        raise kind("why")
    except Exception as error:
        return error


def test_a_defect_is_counted_always_and_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    clock, counted = StandingClock(), []
    defects = Defects(clock, lambda: counted.append(1))
    for _ in range(5):
        defects.met(raised())
    assert len(counted) == 5
    assert [entry.levelno for entry in caplog.records] == [logging.ERROR]
    assert caplog.records[0].exc_info is not None
    assert "test_defects.py" in caplog.records[0].pairs["place"]  # type: ignore[attr-defined]
    clock.now += 61
    defects.met(raised())
    assert len(caplog.records) == 2


def test_defects_of_another_kind_or_place_are_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    defects = Defects(StandingClock(), lambda: None)
    defects.met(raised())
    defects.met(raised(KeyError))
    defects.met(ValueError("never raised"))
    assert len(caplog.records) == 3
