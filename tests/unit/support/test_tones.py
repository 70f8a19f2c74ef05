from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.media.codecs import decode, encode
from engine.media.commands import Codec
from tests.support.tones import (
    SILENCE_DBFS,
    Audio,
    away_s,
    dominant_frequency,
    from_pcm16,
    gaps,
    held_dbfs,
    line_dbfs,
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


def beside(loud: Audio, faint: Audio, *, start_s: float = 0.0) -> Audio:
    """Both together, `faint` from `start_s` on."""
    samples = loud.samples.copy()
    begin = round(start_s * loud.rate)
    samples[begin : begin + len(faint.samples)] += faint.samples
    return Audio(rate=loud.rate, samples=samples)


def as_telephones_send_it(audio: Audio) -> Audio:
    """Through mu-law and back."""
    pcm = np.rint(audio.samples * 32767).astype(np.int16)
    return Audio(rate=audio.rate, samples=decode(encode(pcm, Codec.PCMU), Codec.PCMU).astype(np.float64) / 32768)


def with_clicks(audio: Audio, count: int, *, seed: int) -> Audio:
    """What stalls of a machine leave: packets that are missing, that were left out, that came twice."""
    chance = np.random.default_rng(seed)
    samples = audio.samples
    for _ in range(count):
        at = int(chance.integers(2000, len(samples) - 2000))
        length = round(float(chance.choice([0.02, 0.04, 0.0487, 0.1])) * audio.rate)
        before, after = samples[:at], samples[at:]
        pieces = [
            (before, np.zeros(length), after[length:]),
            (before, after[length:]),
            (before, before[-length:], after),
        ]
        samples = np.concatenate(pieces[int(chance.integers(3))])
    return Audio(rate=audio.rate, samples=samples)


def test_a_faint_tone_is_a_line_beside_a_loud_one_with_two_gaps() -> None:
    talk = beside(tone(440, dbfs=-20, seconds=10), tone(700, dbfs=-75, seconds=10))
    gapped = with_silence(with_silence(talk, start_s=3.0, length_s=0.02), start_s=7.1, length_s=0.02)
    assert line_dbfs(gapped, 700) == pytest.approx(-75, abs=1)
    assert line_dbfs(as_telephones_send_it(gapped), 700) > -80


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("loud", "absent"), [(440, 700), (1004, 700), (440, 2100)])
def test_clicks_are_no_line(loud: int, absent: int, seed: int) -> None:
    clean = tone(loud, dbfs=-20, seconds=10)
    clicks = with_clicks(as_telephones_send_it(clean), 1 + seed, seed=seed)
    assert line_dbfs(clicks, absent) < -80


def test_a_click_that_another_measure_takes_for_a_tone_is_no_line() -> None:
    stalled = with_silence(tone(440, dbfs=-20, seconds=10), start_s=4.23, length_s=0.0487)
    assert tone_dbfs(stalled, 700) > -80
    assert line_dbfs(stalled, 700) == SILENCE_DBFS


@pytest.mark.parametrize("seconds", [3.0, 0.5, 0.1, 0.02])
@pytest.mark.parametrize("start_s", [0.3, 4.91, 6.75])
def test_a_tone_that_leaks_in_for_a_moment_is_a_line_in_spite_of_clicks(seconds: float, start_s: float) -> None:
    leaking = beside(tone(440, dbfs=-20, seconds=10), tone(700, dbfs=-20, seconds=seconds), start_s=start_s)
    talk = with_clicks(as_telephones_send_it(leaking), 2, seed=3)
    assert line_dbfs(talk, 700) > -20 + min(0.0, 20 * np.log10(seconds / 0.5)) - 6


def test_a_faint_tone_of_two_seconds_is_a_line_of_its_own_level_not_of_the_average() -> None:
    leaking = beside(tone(440, dbfs=-20, seconds=10), tone(700, dbfs=-75, seconds=2), start_s=4)
    assert line_dbfs(leaking, 700) == pytest.approx(-75, abs=0.5)
    assert tone_dbfs(leaking, 700) < -80


@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_line_has_the_level_of_its_tone_and_silence_has_none(rate: int) -> None:
    assert line_dbfs(tone(1004, dbfs=-30, rate=rate), 1004) == pytest.approx(-30, abs=0.05)
    assert line_dbfs(tone(1004, dbfs=0, rate=rate), 700) == SILENCE_DBFS
    assert line_dbfs(Audio(rate=rate, samples=np.zeros(0)), 700) == SILENCE_DBFS
    assert line_dbfs(Audio(rate=rate, samples=np.zeros(rate)), 700) == SILENCE_DBFS


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


def test_what_is_held_is_not_lowered_by_turned_phases_as_the_projection_is() -> None:
    jumping = tone(1004, dbfs=-12, seconds=2)
    jumping.samples[:] = np.concatenate(
        [np.roll(part, 3 * index) for index, part in enumerate(jumping.samples.reshape(20, -1))]
    )
    assert held_dbfs(jumping, 1004) == pytest.approx(-12, abs=0.1)
    assert tone_dbfs(jumping, 1004) < -14


def test_how_long_a_tone_is_away_is_the_sum_of_its_gaps() -> None:
    once = with_silence(tone(440), start_s=1.2, length_s=0.1)
    assert away_s(once, 440) == pytest.approx(0.1, abs=0.004)
    assert away_s(with_silence(once, start_s=2.0, length_s=0.2), 440) == pytest.approx(0.3, abs=0.008)
    assert away_s(tone(440), 440) == 0
