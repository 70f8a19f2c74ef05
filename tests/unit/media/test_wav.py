from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from engine.media.wav import SoundError, read_wav, resample
from tests.support.tones import Audio, rms_dbfs, sine, tone_dbfs


def wav(samples: np.ndarray, *, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    """A WAV file of floats in [-1, 1]."""
    scaled = np.rint(samples * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    raw = (
        (scaled + 128).astype(np.uint8).tobytes()
        if width == 1
        else b"".join(int(value).to_bytes(width, "little", signed=True) for value in scaled)
    )
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return out.getvalue()


def audio(samples: np.ndarray) -> Audio:
    return Audio(rate=8000, samples=samples.astype(float) / 32768)


def test_8_khz_mono_16_bit_is_taken_as_it_is() -> None:
    tone = sine(440, seconds=0.1)

    assert np.array_equal(read_wav(wav(tone)), np.rint(tone * 32767).astype(np.int16))


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_any_width_has_the_same_level(width: int) -> None:
    assert tone_dbfs(audio(read_wav(wav(sine(440, seconds=0.5), width=width))), 440) == pytest.approx(-10, abs=0.1)


def test_channels_are_averaged() -> None:
    left, right = sine(440, seconds=0.5), sine(1100, seconds=0.5)
    heard = audio(read_wav(wav(np.column_stack((left, right)).reshape(-1), channels=2)))

    assert tone_dbfs(heard, 440) == pytest.approx(-16, abs=0.1)
    assert tone_dbfs(heard, 1100) == pytest.approx(-16, abs=0.1)


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000, 6000])
def test_other_rates_keep_pitch_level_and_length(rate: int) -> None:
    heard = audio(read_wav(wav(sine(1004, seconds=1.0, rate=rate), rate=rate)))

    assert len(heard.samples) == pytest.approx(8000, abs=1)
    level = tone_dbfs(heard.between(0.1, 0.9), 1004)
    assert level == pytest.approx(-10, abs=0.1)
    rest = 10 ** (rms_dbfs(heard.between(0.1, 0.9)) / 10) - 10 ** (level / 10)
    assert rest < 10 ** ((level - 55) / 10)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_what_8_khz_cannot_hold_does_not_fold_back(rate: int) -> None:
    heard = audio(read_wav(wav(sine(5000, seconds=1.0, rate=rate), rate=rate)))

    assert rms_dbfs(heard.between(0.1, 0.9)) < -70


def test_the_telephone_band_is_flat() -> None:
    for frequency in (100, 300, 1000, 2000, 3000, 3400):
        heard = resample(sine(frequency, seconds=0.5, rate=16000), 16000, 8000)
        assert tone_dbfs(Audio(rate=8000, samples=heard).between(0.05, 0.45), frequency) == pytest.approx(-10, abs=0.1)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "PCM WAV"),
        (b"RIFF....WAVEfmt ", "PCM WAV"),
        (b"\x00" * 100, "PCM WAV"),
        (wav(np.zeros(0)), "no sound"),
        (wav(np.zeros(10), rate=300_000), "out of range"),
    ],
)
def test_says_why_a_file_cannot_be_played(data: bytes, reason: str) -> None:
    with pytest.raises(SoundError, match=reason):
        read_wav(data)


def test_a_file_that_was_cut_off_is_played_as_far_as_it_goes() -> None:
    data = wav(sine(440, seconds=0.1))

    assert 0 < len(read_wav(data[:-801])) < 800
