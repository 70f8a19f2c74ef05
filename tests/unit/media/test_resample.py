"""The resampler beside scipy's: the same filter run the plain way, ideal sines, and what must not come through."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from engine.media.codecs import FRAME, WIDE_FRAME
from engine.media.resample import DELAY, Resampler, doubled

RATES = {FRAME: 8000, WIDE_FRAME: 16000}


def run(sound: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
    """One row through a resampler, frame by frame."""
    resampler, to = Resampler(frame, ["row"]), FRAME + WIDE_FRAME - frame
    pcm = np.clip(np.rint(sound), -32768, 32767).astype(np.int16).reshape(-1, frame)
    out = np.zeros((1, to), np.int16)
    made = []
    for each in pcm:
        resampler.run(each[np.newaxis], out)
        made.append(out[0].copy())
    return np.concatenate(made).astype(float)


def sine(frequency: float, rate: int, *, peak: float = 16000, seconds: float = 1.0, delay: float = 0) -> np.ndarray:
    """`delay` in samples of 16 kHz."""
    times = np.arange(round(seconds * rate)) / rate - delay / 16000
    return np.asarray(peak * np.sin(2 * np.pi * frequency * times))


def db(power: float) -> float:
    return float(10 * np.log10(max(power, 1e-12)))


@pytest.mark.parametrize("frame", [FRAME, WIDE_FRAME])
@pytest.mark.parametrize("frequency", [50, 300, 1004, 2000, 3000, 3400])
def test_a_tone_of_the_telephone_band_comes_out_the_same_and_exactly_so_much_later(frame: int, frequency: int) -> None:
    rate, to = RATES[frame], RATES[FRAME + WIDE_FRAME - frame]
    heard = run(sine(frequency, rate), frame)[to // 10 :]
    ideal = sine(frequency, to, delay=DELAY)[to // 10 :]

    gain = np.dot(heard, ideal) / np.dot(ideal, ideal)
    assert 20 * np.log10(gain) == pytest.approx(0, abs=0.02)
    assert db(np.mean(ideal**2) / np.mean((heard - ideal) ** 2)) > 57
    for slip in (-1, 1):  # a slip of one sample is seen at once
        other = np.roll(ideal, slip)[10:-10]
        assert db(np.mean(ideal**2) / np.mean((heard[10:-10] - other) ** 2)) < 36


@pytest.mark.parametrize("frequency", [4000, 4100, 4600, 5000, 6000, 7900])
def test_what_8_khz_cannot_hold_does_not_come_back_as_something_else(frequency: int) -> None:
    heard = run(sine(frequency, 16000), WIDE_FRAME)[800:]

    assert db(np.mean(heard**2) / (16000**2 / 2)) < -60


@pytest.mark.parametrize("frequency", [300, 1000, 3000, 3400])
def test_the_mirror_image_of_narrow_sound_is_not_heard_at_16_khz(frequency: int) -> None:
    heard = run(sine(frequency, 8000), FRAME)[1600:]
    window = np.hanning(len(heard))
    spectrum = np.abs(np.fft.rfft(heard * window)) / window.sum() * 2
    bins = np.fft.rfftfreq(len(heard), 1 / 16000)

    assert db(np.max(spectrum[bins > 4200]) ** 2 / 16000**2) < -60
    assert db(np.max(spectrum[np.abs(bins - frequency) < 5]) ** 2 / 16000**2) == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("frame", [FRAME, WIDE_FRAME])
def test_frames_join_as_if_filtered_in_one_piece(frame: int) -> None:
    rate, to = RATES[frame], RATES[FRAME + WIDE_FRAME - frame]
    times = np.arange(rate * 2) / rate
    sweep = np.rint(12000 * signal.chirp(times, 60, 2, 3400, method="logarithmic"))
    taps = signal.firwin(2 * DELAY + 1, 3700, window=("kaiser", 6.0), fs=16000)
    plain = signal.upfirdn(taps * (to / rate if to > rate else 1), sweep, max(1, to // rate), max(1, rate // to))

    heard = run(sweep, frame)
    assert np.abs(heard - plain[: len(heard)]).max() <= 1.0


def test_agrees_with_scipys_own_resampler_on_a_sweep() -> None:
    times = np.arange(16000 * 2) / 16000
    sweep = 12000 * signal.chirp(times, 60, 2, 3400, method="logarithmic")
    down = run(sweep, WIDE_FRAME)
    ideal = signal.resample_poly(sweep, 1, 2, window=("kaiser", 8.0))

    late = DELAY // 2
    error = (down[late:] - ideal[: len(down) - late])[200:-400]
    assert db(np.mean(ideal**2) / np.mean(error**2)) > 38  # scipy's filter is 6 dB down at 4 kHz


def test_full_scale_does_not_wrap() -> None:
    square = np.tile(np.repeat([32767.0, -32768.0], 20), 80)
    for frame in (FRAME, WIDE_FRAME):
        heard = run(square, frame)
        assert heard.max() == 32767
        assert heard.min() == -32768
        assert np.mean(np.abs(np.diff(heard)) > 60000) < 0.01


def test_rows_are_apart_and_what_stays_goes_on() -> None:
    times = np.arange(4 * FRAME) / 8000
    tone = np.rint(8000 * np.sin(2 * np.pi * 700 * times)).astype(np.int16).reshape(-1, FRAME)
    whole = run(tone.reshape(-1).astype(float), FRAME)
    out = np.zeros((2, WIDE_FRAME), np.int16)
    first = Resampler(FRAME, ["tone", "quiet"])
    for frame in tone[:2]:
        first.run(np.stack([frame, np.zeros(FRAME, np.int16)]), out)
        assert not out[1].any()
    second = Resampler(FRAME, ["new", "tone"], first)
    second.run(np.stack([np.zeros(FRAME, np.int16), tone[2]]), out)

    assert not out[0].any()
    assert np.array_equal(out[1].astype(float), whole[2 * WIDE_FRAME : 3 * WIDE_FRAME])
    assert np.array_equal(Resampler(WIDE_FRAME, ["tone"], second)._sound, np.zeros((1, 2 * DELAY + WIDE_FRAME)))


@pytest.mark.parametrize("begin", [0, 160, 1600, 7840])
def test_a_frame_of_a_clip_is_doubled_without_delay(begin: int) -> None:
    clip = np.rint(sine(1004, 8000)).astype(np.int16)
    heard = doubled(clip, begin).astype(float)
    ideal = sine(1004, 16000)[2 * begin : 2 * begin + WIDE_FRAME]

    inner = slice(DELAY if begin == 0 else 0, -DELAY if begin == 7840 else None)
    assert np.abs(heard - ideal)[inner].max() < 20
