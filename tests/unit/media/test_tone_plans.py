"""Every tone of every country: frequencies, level and cadence, as they come out."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.media.commands import Tone
from engine.media.tone_plans import BY_COUNTRY, COUNTRIES, LEVEL_DBM0, Part, parts
from engine.media.tones import render

EVERY = [(country, tone) for country in COUNTRIES for tone in BY_COUNTRY]
FULL_SCALE = 32768 * 10 ** (-3.14 / 20)
"""Peak of 0 dBm0."""


def dbm0(sound: NDArray[np.float64]) -> float:
    return float(20 * np.log10(np.sqrt(2 * np.mean(sound**2)) / FULL_SCALE))


def cadence(sound: NDArray[np.float64], rate: int) -> list[tuple[bool, float]]:
    """(sounding, seconds) by turns, to within 2.5 ms."""
    piece = rate // 400
    on = np.abs(sound[: len(sound) // piece * piece]).reshape(-1, piece).max(axis=1) > 20
    return [(sounds, len(list(each)) / 400) for sounds, each in groupby(on.tolist())]


def expected(plan: tuple[Part, ...], rounds: int) -> list[tuple[bool, float]]:
    """The same by the plan; parts that sound one after the other are one."""
    turns = [(bool(part.frequencies), part.seconds) for part in plan] * rounds
    return [(sounds, sum(seconds for _, seconds in each)) for sounds, each in groupby(turns, key=lambda turn: turn[0])]


@pytest.mark.parametrize("rate", [8000, 16000])
@pytest.mark.parametrize(("country", "tone"), EVERY)
def test_a_tone_comes_out_as_its_plan_has_it(country: str, tone: Tone, rate: int) -> None:
    plan = COUNTRIES[country].tones[tone]
    sound = render(tone, rate, country).astype(np.float64)
    length = sum(part.seconds for part in plan)
    rounds = round(len(sound) / rate / length)

    assert len(sound) / rate == pytest.approx(rounds * length, abs=0.0001 * rounds)
    assert len(sound) % (rate // 50) == 0, "whole frames, that it may be repeated"
    for (on, seconds), (is_on, lasts) in zip(cadence(sound, rate), expected(plan, rounds), strict=True):
        assert on is is_on
        assert seconds == pytest.approx(lasts, abs=0.006)
    begin = 0.0
    for part in plan:
        if part.frequencies:
            edge = 0.006 if len(plan) > 1 else 0.0
            one = sound[round((begin + edge) * rate) : round((begin + part.seconds - edge) * rate)]
            _sounds_like(one, rate, part, COUNTRIES[country].levels.get(tone))
        begin += part.seconds


def _sounds_like(sound: NDArray[np.float64], rate: int, part: Part, each: float | None) -> None:
    together = LEVEL_DBM0 if each is None else each + 10 * np.log10(len(part.frequencies))
    assert dbm0(sound) == pytest.approx(together, abs=0.35)
    window = np.hanning(len(sound))
    spectrum = np.abs(np.fft.rfft(sound * window, 8 * rate)) / window.sum() * 2
    for frequency in part.frequencies:
        around = spectrum[round((frequency - 8) * 8) : round((frequency + 8) * 8)]
        assert np.argmax(around) / 8 - 8 == pytest.approx(0, abs=1.0)
        alone = 20 * np.log10(around.max() / FULL_SCALE)
        swing = 10 * np.log10(1 + 0.85**2 / 2) if part.swing_hz else 0.0
        assert alone == pytest.approx(together - 10 * np.log10(len(part.frequencies)) - swing, abs=0.6)
    if part.swing_hz:
        (carrier,) = part.frequencies
        for side in (carrier - part.swing_hz, carrier + part.swing_hz):
            assert 20 * np.log10(spectrum[round(side * 8)] / spectrum[round(carrier * 8)]) == pytest.approx(-7.4, abs=1)


@pytest.mark.parametrize(("country", "tone"), EVERY)
def test_a_tone_that_is_repeated_does_not_click_at_the_seam(country: str, tone: Tone) -> None:
    sound = render(tone, 8000, country).astype(np.float64)
    seam = np.concatenate((sound[-400:], sound[:400]))
    steps = np.abs(np.diff(seam, 2))
    inside = np.abs(np.diff(sound, 2))

    assert steps.max() <= max(inside.max() * 1.02, 4)
    assert np.abs(np.diff(sound)).max() < 2 * np.pi * 1850 / 8000 * FULL_SCALE * 10 ** (-9.5 / 20)


def test_no_country_is_missing_that_was_promised() -> None:
    promised = "us uk gb de fr nl es it pl se ch at au nz jp in br za mx ru il cn tr be dk no fi"

    assert set(promised.split()) <= set(COUNTRIES)
    assert COUNTRIES["uk"] is COUNTRIES["gb"]
    assert all(set(plan.tones) == set(BY_COUNTRY) for plan in COUNTRIES.values())


@pytest.mark.parametrize("country", list(COUNTRIES))
def test_busy_congestion_and_ringing_can_be_told_apart(country: str) -> None:
    tones = COUNTRIES[country].tones

    assert tones[Tone.RINGBACK] not in (tones[Tone.BUSY], tones[Tone.CONGESTION], tones[Tone.DIAL])
    assert tones[Tone.DIAL] not in (tones[Tone.BUSY], tones[Tone.CONGESTION])
    assert [part.frequencies for part in tones[Tone.SPECIAL_INFORMATION]] == [(950,), (1400,), (1800,), ()]


def test_tones_that_everybody_knows() -> None:
    assert COUNTRIES["us"].tones[Tone.RINGBACK] == parts("440+480/2 -/4")
    assert COUNTRIES["us"].tones[Tone.DIAL] == parts("350+440")
    assert COUNTRIES["uk"].tones[Tone.RINGBACK] == parts("400+450/0.4 -/0.2 400+450/0.4 -/2")
    assert COUNTRIES["de"].tones[Tone.BUSY] == parts("425/0.48 -/0.48")
    assert COUNTRIES["fr"].tones[Tone.RINGBACK] == parts("440/1.5 -/3.5")
    assert COUNTRIES["jp"].tones[Tone.RINGBACK] == parts("400*16/1 -/2")
    assert parts("400*25/0.4 -/2") == (
        Part(frequencies=(400,), seconds=0.4, swing_hz=25),
        Part(frequencies=(), seconds=2),
    )
