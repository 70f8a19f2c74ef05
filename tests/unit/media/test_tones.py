from __future__ import annotations

import numpy as np
import pytest

from engine.media.commands import Tone
from engine.media.tone_plans import BY_COUNTRY
from engine.media.tones import EVERYWHERE, render
from tests.support.tones import Audio, gaps, tone_dbfs


def audio(tone: Tone, *, rounds: int = 1) -> Audio:
    return Audio(rate=8000, samples=np.tile(render(tone), rounds).astype(float) / 32768)


def test_every_tone_has_a_shape() -> None:
    assert {*EVERYWHERE, *BY_COUNTRY} == set(Tone)


@pytest.mark.parametrize("tone", list(Tone))
def test_a_round_is_whole_frames_so_that_it_repeats_without_a_hole(tone: Tone) -> None:
    assert len(render(tone)) % 160 == 0


def test_milliwatt_is_1004_hz_at_0_dbm0_without_a_seam() -> None:
    sound = audio(Tone.MILLIWATT, rounds=3)

    assert tone_dbfs(sound, 1004) == pytest.approx(-3.14, abs=0.01)
    assert gaps(sound, 1004, longer_than_ms=2) == []
    assert np.max(np.abs(np.diff(sound.samples, 2))) < 0.5


def test_ringback_rings_two_seconds_in_six() -> None:
    sound = audio(Tone.RINGBACK)

    assert sound.seconds == 6
    for frequency in (440, 480):
        assert tone_dbfs(sound.between(0.2, 1.8), frequency) == pytest.approx(-3.14 - 19, abs=0.1)
    assert not sound.between(2, 6).samples.any()


@pytest.mark.parametrize(("tone", "on"), [(Tone.BUSY, 0.5), (Tone.CONGESTION, 0.25)])
def test_busy_and_congestion_differ_in_their_pace(tone: Tone, on: float) -> None:
    sound = audio(tone)

    assert sound.seconds == 2 * on
    assert sound.between(0, on).samples.any()
    assert not sound.between(on, 2 * on).samples.any()


@pytest.mark.parametrize("tone", [Tone.RINGBACK, Tone.BUSY, Tone.CONFIRM, Tone.DENY])
def test_bursts_do_not_click(tone: Tone) -> None:
    samples = audio(tone).samples

    assert abs(samples[0]) < 0.01
    assert np.max(np.abs(np.diff(samples))) < 0.2
