"""The harness itself: what is played into a null sink is what its monitor records."""

from __future__ import annotations

import os

import pytest

from tests.support.pulse import RATE, Pulse
from tests.support.tones import SILENCE_DBFS, dominant_frequency, gaps, onset_s, rms_dbfs, sine, tone_dbfs

pytestmark = [pytest.mark.integration, pytest.mark.audio]


@pytest.mark.timing
def test_a_tone_played_into_a_sink_is_recorded_from_its_monitor(pulse: Pulse) -> None:
    ear, other = pulse.record("ear"), pulse.record("mouth")
    pulse.play("ear", sine(1004, seconds=2, rate=RATE, dbfs=-12)).wait()
    heard, elsewhere = ear.stop(), other.stop()
    begin = onset_s(heard, 1004)
    assert begin is not None
    middle = heard.between(begin + 0.1, begin + 1.8)
    assert dominant_frequency(middle) == pytest.approx(1004, abs=0.5)
    assert tone_dbfs(middle, 1004) == pytest.approx(-12, abs=0.2)
    assert gaps(middle, 1004) == []
    assert rms_dbfs(elsewhere) == SILENCE_DBFS


def test_a_playback_can_be_cut_off(pulse: Pulse) -> None:
    recording = pulse.record("ear")
    playback = pulse.play("ear", sine(440, seconds=30, rate=RATE))
    pulse.record("ear").stop()
    playback.stop()
    assert recording.stop().seconds < 10


def test_the_server_keeps_to_its_own_directory(pulse: Pulse) -> None:
    assert f"Server String: unix:{pulse.directory}/native" in pulse.control("info")
    directory = pulse.directory
    pulse.stop()
    assert not directory.exists()
    assert "PULSE_SERVER" not in os.environ
