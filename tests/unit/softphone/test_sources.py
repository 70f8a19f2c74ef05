from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from softphone.audio.sources import Loop, Silence, Tone, load_wav
from softphone.errors import AudioFileError
from tests.support.tones import Audio, dominant_frequency, sine, to_pcm16, tone_dbfs, write_wav


def as_audio(samples: np.ndarray, rate: int) -> Audio:
    return Audio(rate=rate, samples=samples / 32767)


@pytest.mark.parametrize("rate", [16000, 48000])
@pytest.mark.parametrize(("hz", "level"), [(440.0, -20.0), (1004.0, -3.0), (1004.0, 0.0), (2500.5, -60.0)])
def test_a_tone_has_its_level_and_frequency(hz: float, level: float, rate: int) -> None:
    heard = as_audio(Tone(hz=hz, level_dbfs=level, rate=rate).read(rate * 2), rate)
    assert tone_dbfs(heard, hz) == pytest.approx(level, abs=0.02)
    assert dominant_frequency(heard) == pytest.approx(hz, abs=0.05)


def test_a_full_scale_tone_peaks_at_full_scale() -> None:
    assert Tone(hz=1000, level_dbfs=0, rate=16000).read(16000).max() == 32767


@given(st.lists(st.integers(0, 700), max_size=30))
def test_a_tone_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    whole = Tone(hz=441.3, level_dbfs=-20, rate=16000).read(sum(cuts))
    source = Tone(hz=441.3, level_dbfs=-20, rate=16000)
    pieces = [source.read(count) for count in cuts]
    assert np.concatenate([np.zeros(0, dtype=np.int16), *pieces]).tolist() == whole.tolist()


def test_a_tone_is_still_in_phase_after_eight_hours() -> None:
    hours = Tone(hz=440, level_dbfs=-20, rate=16000)
    hours._index = 16000 * 3600 * 8
    assert hours.read(320).tolist() == Tone(hz=440, level_dbfs=-20, rate=16000).read(320).tolist()


@pytest.mark.parametrize(("hz", "level"), [(0.0, -20.0), (8000.0, -20.0), (440.0, 1.0)])
def test_an_impossible_tone_is_refused(hz: float, level: float) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Tone(hz=hz, level_dbfs=level, rate=16000)


def test_silence_is_zeros() -> None:
    assert not Silence().read(320).any()


def test_a_loop_starts_over_without_a_seam() -> None:
    loop = Loop(np.arange(7, dtype=np.int16))
    assert loop.read(5).tolist() == [0, 1, 2, 3, 4]
    assert loop.read(12).tolist() == [5, 6, 0, 1, 2, 3, 4, 5, 6, 0, 1, 2]


def test_an_empty_loop_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Loop(np.zeros(0, dtype=np.int16))


@pytest.mark.parametrize("found", [8000, 16000, 44100])
def test_a_file_keeps_level_pitch_and_length_at_another_rate(tmp_path: Path, found: int) -> None:
    path = tmp_path / "prompt.wav"
    write_wav(path, Audio(rate=found, samples=sine(1000, seconds=1, rate=found, dbfs=-12)))
    samples = load_wav(path, rate=16000)
    assert len(samples) == 16000
    heard = as_audio(samples, 16000)
    assert tone_dbfs(heard, 1000) == pytest.approx(-12, abs=0.05)
    assert dominant_frequency(heard) == pytest.approx(1000, abs=0.5)


def test_stereo_becomes_the_mean_of_both(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(np.array([100, 300, -40, 0], dtype="<i2").tobytes())
    assert load_wav(path, rate=16000).tolist() == [200, -20]


def test_a_loud_file_does_not_wrap_around_when_resampled(tmp_path: Path) -> None:
    path = tmp_path / "square.wav"
    square = np.where(np.arange(8000) % 80 < 40, 1.0, -1.0)
    write_wav(path, Audio(rate=8000, samples=square))
    samples = load_wav(path, rate=16000).astype(int)
    assert samples[20:60].min() > 20000


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"gone\.wav.*No such file"):
        load_wav(tmp_path / "gone.wav", rate=16000)


def test_eight_bits_are_refused_with_what_is_allowed(tmp_path: Path) -> None:
    path = tmp_path / "old.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 80)
    with pytest.raises(AudioFileError, match="8 bits a sample; allowed is 16-bit PCM"):
        load_wav(path, rate=16000)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"not a wav file at all", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_what_is_no_wav_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(AudioFileError, match=r"bad\.wav: cannot be read as a 16-bit PCM WAV file \(.+\)"):
        load_wav(path, rate=16000)


def test_a_file_without_samples_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.wav"
    write_wav(path, Audio(rate=8000, samples=np.zeros(0)))
    with pytest.raises(AudioFileError, match=r"0\.0 s long"):
        load_wav(path, rate=16000)


def test_a_file_cut_short_plays_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    write_wav(path, Audio(rate=16000, samples=sine(1000, seconds=1, rate=16000)))
    whole = path.read_bytes()
    path.write_bytes(whole[: 44 + 1001])
    assert len(load_wav(path, rate=16000)) == 500
    assert to_pcm16(sine(1000, seconds=1, rate=16000))[:1000] == whole[44:1044]
