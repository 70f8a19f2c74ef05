"""Sound brought to the telephone's rates, beside the same by scipy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import resample_poly

from engine.media.rates import RateChange, whole

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 37800, 44100, 48000, 88200, 96000, 192_000)


def changed(sound: NDArray[np.float64], rate: int, to: int, *, block: int = 0) -> NDArray[np.float64]:
    change = RateChange(rate, to)
    given = sound.astype(np.float32)
    parts = np.split(given, range(block, len(given), block)) if block else [given]
    return np.concatenate([*(change.feed(part) for part in parts), change.end()]).astype(np.float64)


def sine(pitch: float, rate: int, seconds: float = 1.0, peak: float = 0.5) -> NDArray[np.float64]:
    return peak * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)


def db(ratio: float) -> float:
    return 20 * np.log10(max(ratio, 1e-9))


def rms(sound: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(sound**2)))


@pytest.mark.parametrize("to", [8000, 16000])
@pytest.mark.parametrize("rate", RATES)
def test_a_voice_is_the_same_but_for_what_nobody_hears(rate: int, to: int) -> None:
    pitches = [pitch for pitch in (100, 310, 1004, 2040, 3400, 6500) if pitch <= 0.425 * min(rate, to)]
    sound = np.sum([sine(pitch, rate, peak=0.1) for pitch in pitches], axis=0)
    ideal = np.sum([sine(pitch, to, peak=0.1) for pitch in pitches], axis=0)
    heard = changed(sound, rate, to)

    assert len(heard) == to
    middle = slice(to // 10, -to // 10)
    assert db(rms((heard - ideal)[middle]) / rms(ideal[middle])) < -68


@pytest.mark.parametrize("to", [8000, 16000])
@pytest.mark.parametrize("rate", [rate for rate in RATES if rate >= 32000])
def test_what_the_lower_rate_cannot_hold_does_not_fold_back(rate: int, to: int) -> None:
    for pitch in (0.51 * to, 0.56 * to, 0.8 * to, 0.97 * rate / 2):
        heard = changed(sine(pitch, rate), rate, to)
        assert db(rms(heard[to // 10 : -to // 10]) / rms(sine(pitch, rate))) < -76, pitch


@pytest.mark.parametrize(("rate", "to"), [(44100, 8000), (22050, 16000), (48000, 8000), (8000, 16000)])
def test_noise_comes_out_as_scipy_has_it(rate: int, to: int) -> None:
    noise = np.random.default_rng(7).normal(0, 0.1, rate)
    spectrum = np.fft.rfft(noise)
    spectrum[int(0.4 * min(rate, to)) :] = 0  # what both let through untouched
    sound = np.fft.irfft(spectrum, rate)
    up, down = to // np.gcd(rate, to), rate // np.gcd(rate, to)
    reference = resample_poly(sound, up, down, window=("kaiser", 12.0), padtype="constant")
    low_pass_of_scipy = db(rms((changed(sound, rate, to) - reference)[400:-400]) / rms(reference))

    assert low_pass_of_scipy < -35  # scipy's own low-pass begins to fall earlier


@pytest.mark.parametrize("to", [8000, 16000])
@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
def test_blocks_of_any_length_make_the_same_sound(rate: int, to: int) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 30_011)
    at_once = changed(noise, rate, to)

    for block in (160, 4096, 22_050):
        parts = changed(noise, rate, to, block=block)
        assert len(parts) == len(at_once) == -(-30_011 * to // rate)
        assert np.abs(parts - at_once).max() < 1e-6


def test_a_rate_that_no_sound_card_has_keeps_pitch_and_length() -> None:
    heard = changed(sine(1004, 44_101, 5.0), 44_101, 8000)

    assert len(heard) == pytest.approx(40_000, abs=1)
    assert db(rms((heard - sine(1004, 8000, 5.0)[: len(heard)])[800:-800]) / rms(heard)) < -45


def test_nothing_of_the_beginning_and_the_end_is_lost() -> None:
    click = np.zeros(48_000)
    click[[0, -1]] = 0.5
    heard = changed(click, 48_000, 8000)

    assert int(np.argmax(heard)) in (0, 7999)
    assert heard[0] == pytest.approx(0.5 * 0.93 / 6, rel=0.01)


def test_louder_than_full_scale_is_clipped() -> None:
    assert whole(np.array([1.5, -1.5, 0.25], np.float32)).tolist() == [32767, -32768, 8192]
