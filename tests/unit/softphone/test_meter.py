from __future__ import annotations

import numpy as np
import pytest

from softphone.audio.meter import SILENCE_DBFS, LevelMeter
from softphone.audio.sources import Tone


@pytest.mark.parametrize("level", [0.0, -20.0, -45.0])
def test_a_sine_reads_its_own_level(level: float) -> None:
    meter = LevelMeter()
    meter.add(Tone(hz=1000, level_dbfs=level, rate=16000).read(16000))
    assert meter.take_dbfs() == pytest.approx(level, abs=0.1)


def test_silence_reads_the_floor() -> None:
    meter = LevelMeter()
    assert meter.take_dbfs() == SILENCE_DBFS
    meter.add(np.zeros(320, dtype=np.int16))
    assert meter.take_dbfs() == SILENCE_DBFS


def test_each_reading_starts_anew() -> None:
    meter = LevelMeter()
    meter.add(np.full(320, 20000, dtype=np.int16))
    meter.take_dbfs()
    meter.add(np.zeros(320, dtype=np.int16))
    assert meter.take_dbfs() == SILENCE_DBFS


def test_half_the_time_silent_is_three_decibels_less() -> None:
    meter = LevelMeter()
    meter.add(Tone(hz=1000, level_dbfs=-10, rate=16000).read(16000))
    meter.add(np.zeros(16000, dtype=np.int16))
    assert meter.take_dbfs() == pytest.approx(-13.0, abs=0.1)
