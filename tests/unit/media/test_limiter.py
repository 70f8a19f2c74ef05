"""Golden audio of the soft knee: transparent below, no wrap, little distortion above."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.limiter import KNEE, limit
from tests.support.tones import sine

EVERYTHING = np.arange(-70_000, 70_001, dtype=np.int32)


def distortion_db(samples: np.ndarray, frequency: float) -> float:
    """THD+N: what is left besides the tone, against the tone. One second at 8 kHz, whole periods."""
    spectrum = np.abs(np.fft.rfft(samples.astype(float))) ** 2
    tone = spectrum[round(frequency)]
    return float(10 * np.log10((spectrum[1:].sum() - tone) / tone + 1e-20))


def test_sums_below_the_knee_pass_bit_by_bit() -> None:
    quiet = np.arange(-KNEE, KNEE + 1, dtype=np.int32)

    assert np.array_equal(limit(quiet), quiet)


def test_louder_in_is_never_softer_out_and_never_wraps() -> None:
    out = limit(EVERYTHING).astype(int)

    assert (np.diff(out) >= 0).all()
    assert np.array_equal(np.sign(out), np.sign(EVERYTHING))
    assert np.array_equal(out, -out[::-1])
    assert limit(np.array([2**30, -(2**30)], np.int32)).tolist() == [32767, -32767]


def test_the_curve_is_the_one_that_is_told() -> None:
    over = np.maximum(np.abs(EVERYTHING) - KNEE, 0)
    told = np.sign(EVERYTHING) * (KNEE + (32767 - KNEE) * over / (32767 - KNEE + over))

    assert np.abs(limit(EVERYTHING) - np.where(over > 0, told, EVERYTHING)).max() <= 0.5


@pytest.mark.parametrize(("dbfs", "at_most_db"), [(-6.0, -90.0), (-2.6, -90.0), (0.0, -25.0), (6.0, -12.9)])
def test_distortion_of_a_tone(dbfs: float, at_most_db: float) -> None:
    """Under the knee what is left is the rounding to 16 bits; clipping would give -12.7 dB at +6 dBFS."""
    tone = np.rint(32768 * sine(997, seconds=1.0, dbfs=dbfs)).astype(np.int32)

    assert distortion_db(limit(tone), 997) < at_most_db


def test_keeps_the_shape_and_what_it_was_given() -> None:
    sums = np.array([[1, 40_000], [-40_000, 5]], np.int32)
    before = sums.copy()

    assert limit(sums).shape == (2, 2)
    assert np.array_equal(sums, before)
    assert limit(np.zeros((0, 160), np.int32)).shape == (0, 160)
