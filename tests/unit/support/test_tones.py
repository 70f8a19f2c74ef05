from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support.tones import (
    SILENCE_DBFS,
    Audio,
    dominant_frequency,
    from_pcm16,
    gaps,
    onset_s,
    read_wav,
    rms_dbfs,
    sine,
    to_pcm16,
    tone_dbfs,
    write_wav,
)


def tone(frequency: float, *, dbfs: float = -10.0, seconds: float = 3.0, rate: int = 8000) -> Audio:
    return Audio(rate=rate, samples=sine(frequency, seconds=seconds, rate=rate, dbfs=dbfs))


def with_silence(audio: Audio, *, start_s: float, length_s: float) -> Audio:
    samples = audio.samples.copy()
    samples[round(start_s * audio.rate) : round((start_s + length_s) * audio.rate)] = 0.0
    return Audio(rate=audio.rate, samples=samples)


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
@pytest.mark.parametrize("dbfs", [0.0, -3.17, -25.0, -60.0])
def test_the_level_of_a_tone_is_what_it_was_made_with(rate: int, dbfs: float) -> None:
    audio = tone(1004, dbfs=dbfs, rate=rate)
    assert tone_dbfs(audio, 1004) == pytest.approx(dbfs, abs=0.01)
    assert rms_dbfs(audio) == pytest.approx(dbfs, abs=0.05)


def test_a_full_scale_square_wave_is_3_db_over_a_sine() -> None:
    audio = Audio(rate=8000, samples=np.sign(sine(1000, seconds=1, dbfs=0.0) + 1e-9))
    assert rms_dbfs(audio) == pytest.approx(3.01, abs=0.05)


def test_another_tone_is_told_apart_by_more_than_80_db() -> None:
    assert tone_dbfs(tone(1004, dbfs=0.0), 700) < -80
    assert tone_dbfs(tone(1004, dbfs=0.0), 1024) < -80


def test_one_tone_is_measured_beside_a_louder_one() -> None:
    mixed = Audio(rate=8000, samples=tone(1004, dbfs=-6).samples + tone(700, dbfs=-50).samples)
    assert tone_dbfs(mixed, 700) == pytest.approx(-50, abs=0.1)
    assert dominant_frequency(mixed) == pytest.approx(1004, abs=0.05)


def test_a_clock_off_by_100_ppm_costs_no_level() -> None:
    assert tone_dbfs(tone(1004 * 1.0001, seconds=20), 1004) == pytest.approx(-10, abs=0.05)


def test_silence_has_the_floor_level_and_no_frequency() -> None:
    silence = Audio(rate=8000, samples=np.zeros(8000))
    assert tone_dbfs(silence, 440) == SILENCE_DBFS
    assert rms_dbfs(silence) == SILENCE_DBFS
    assert dominant_frequency(silence) == 0.0
    assert tone_dbfs(Audio(rate=8000, samples=np.zeros(0)), 440) == SILENCE_DBFS


@pytest.mark.parametrize("frequency", [350.5, 440.0, 1004.0, 3333.3])
def test_the_dominant_frequency_lies_between_the_bins(frequency: float) -> None:
    assert dominant_frequency(tone(frequency, seconds=1)) == pytest.approx(frequency, abs=0.05)


@pytest.mark.parametrize("length_ms", [45, 60, 500])
def test_a_gap_is_found_with_its_place_and_length(length_ms: int) -> None:
    (gap,) = gaps(with_silence(tone(440), start_s=1.2, length_s=length_ms / 1000), 440)
    assert gap.start_s == pytest.approx(1.2, abs=0.002)
    assert gap.length_s == pytest.approx(length_ms / 1000, abs=0.004)


def test_a_gap_that_is_short_enough_is_not_named() -> None:
    interrupted = with_silence(tone(440), start_s=1.2, length_s=0.035)
    assert gaps(interrupted, 440) == []
    assert len(gaps(interrupted, 440, longer_than_ms=20)) == 1


def test_a_tone_that_begins_late_or_ends_early_has_gaps_at_the_ends() -> None:
    ended = with_silence(with_silence(tone(440), start_s=0, length_s=0.1), start_s=2.9, length_s=0.1)
    assert [round(gap.length_s, 2) for gap in gaps(ended, 440)] == [0.1, 0.1]


def test_another_sound_does_not_fill_a_gap() -> None:
    interrupted = with_silence(tone(440), start_s=1, length_s=0.2)
    interrupted.samples[8000:9600] = sine(1004, seconds=0.2)
    assert len(gaps(interrupted, 440)) == 1


def test_of_a_tone_that_is_not_there_everything_is_a_gap_once_its_level_is_known() -> None:
    (gap,) = gaps(tone(1004), 440, expected_dbfs=-10)
    assert gap.length_s == pytest.approx(3.0)


def test_the_onset_is_where_the_tone_begins() -> None:
    late = with_silence(tone(1004), start_s=0, length_s=0.75)
    assert onset_s(late, 1004) == pytest.approx(0.75, abs=0.005)
    assert onset_s(late, 440) is None


def test_a_click_is_no_onset() -> None:
    audio = with_silence(tone(1004, seconds=2), start_s=0, length_s=1)
    audio.samples[4000:4080] = sine(1004, seconds=0.01)
    assert onset_s(audio, 1004) == pytest.approx(1.0, abs=0.005)


def test_wav_files_keep_the_samples(tmp_path: Path) -> None:
    audio = tone(440, seconds=0.5, rate=16000)
    write_wav(tmp_path / "tone.wav", audio)
    read = read_wav(tmp_path / "tone.wav")
    assert read.rate == 16000
    assert read.seconds == 0.5
    assert np.allclose(read.samples, audio.samples, atol=1 / 32767)


def test_pcm_is_clipped_and_not_wrapped() -> None:
    assert list(from_pcm16(to_pcm16(np.array([2.0, -2.0])))) == pytest.approx([1.0, -1.0], abs=1e-4)
    assert len(from_pcm16(b"\x00\x00\x01")) == 1


def test_a_part_of_a_recording_is_cut_by_time() -> None:
    assert tone(440, seconds=2).between(0.5, 1.25).seconds == 0.75
