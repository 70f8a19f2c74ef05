"""Golden audio: every codec to every other through packets, ring, resampler, mixer and packets again, against the ideal
sound at the ideal time. A frame or a sample that slips, a gain that is off by a few hundredths, a wrong table or a
mirror image costs 10 dB or more of what is asserted here."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import signal

from engine.media import g722, resample
from engine.media.commands import Codec, Connect
from engine.media.leg import Leg
from tests.support.media_fakes import Bench
from tests.support.voices import Sound, db, decoded, later, rate_of, talk, tones

CODECS = [Codec.PCMU, Codec.PCMA, Codec.G722, Codec.L16, Codec.L16_16K]
PAIRS = [(one, other) for one in CODECS for other in CODECS]

FRAMES = 80
SETTLED_S = 0.3
"""The ring's depth, and what adaptive coders and filters need to settle."""

NARROW = {310.0: 2600.0, 697.0: 2600.0, 1004.0: 2600.0, 1815.0: 2600.0, 2603.0: 2600.0, 3397.0: 2600.0}
WIDE = NARROW | {5003.0: 2000.0, 6701.0: 1000.0}

NOISE_DB = {Codec.PCMU: -36.5, Codec.PCMA: -36.5, Codec.G722: -30.0, Codec.L16: -75.0, Codec.L16_16K: -75.0}
"""Quantizing noise of each codec under the sounds used here, at most."""
UPPER_BAND_DB = -21.5
"""Of G.722, whose upper band has two bits a sample, where there is sound above 4 kHz."""
CROSSING_DB = -57.0


def wide(codec: Codec) -> bool:
    return rate_of(codec) == 16000


def extra_delay(one: Codec, other: Codec) -> int:
    """Samples at 16 kHz beyond the ring's own delay."""
    coders = [one, other].count(Codec.G722) * g722.DELAY
    return coders + (resample.DELAY if wide(one) is not wide(other) else 0)


def noise_of(*codecs: Codec, crossing: bool, upper: bool = False) -> float:
    """Noise under the sound in dB when all of these add theirs."""
    shares = [UPPER_BAND_DB if upper and codec is Codec.G722 else NOISE_DB[codec] for codec in codecs]
    shares += [CROSSING_DB] if crossing else []
    return db(sum(10 ** (share / 10) for share in shares))


def path(one: Codec, other: Codec, sound: Sound, *, gain_db: float = -0.5, frames: int = FRAMES) -> np.ndarray:
    """What the far end hears of a sound that passed through the mixer, undone the gain that keeps it off the relay."""
    bench = Bench()
    bench.leg("a", codec=one)
    b = bench.leg("b", codec=other)
    bench.do(Connect(source="a", sink="b", gain_db=gain_db))
    talk(bench, {bench.board.legs["a"]: sound}, frames=frames)
    return decoded(bench.heard(b), other) / 10 ** (gain_db / 20)


@cache
def ring_delay() -> int:
    """Samples at 16 kHz that packets wait in the ring: what linear 16 kHz sound, untouched, is late by."""
    sound = tones({441.7: 8000.0})
    heard = path(Codec.L16_16K, Codec.L16_16K, sound)
    times = np.arange(len(heard)) / 16000
    settled = slice(round(SETTLED_S * 16000), None)
    errors = [float(np.sum((heard - sound(times - late / 16000))[settled] ** 2)) for late in range(0, 2400, 160)]
    return int(np.argmin(errors)) * 160


def compare(heard: np.ndarray, sound: Sound, rate: int, late: int) -> tuple[float, float]:
    """(level error in dB, noise under the sound in dB) against the ideal sound, `late` samples of 16 kHz later."""
    times = np.arange(len(heard)) / rate
    ideal = later(sound, late / 16000)(times)
    settled = slice(round(SETTLED_S * rate), None)
    got, want = heard[settled], ideal[settled]
    gain = float(np.dot(got, want) / np.dot(want, want))
    return 20 * np.log10(gain), db(float(np.mean((got - gain * want) ** 2) / np.mean((gain * want) ** 2)))


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_many_tones_arrive_at_their_level_at_their_time(one: Codec, other: Codec) -> None:
    upper = wide(one) and wide(other)
    sound = tones(WIDE if upper else NARROW)
    heard = path(one, other, sound)
    crossing = wide(one) is not wide(other)
    late = ring_delay() + extra_delay(one, other)

    level, noise = compare(heard, sound, rate_of(other), late)
    assert level == pytest.approx(0, abs=0.06)
    assert noise < noise_of(one, other, crossing=crossing, upper=upper)
    step = 16000 // rate_of(other)
    for slip in (-step, step):
        assert compare(heard, sound, rate_of(other), late + slip)[1] > -15


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if pair[0] is not pair[1]])
@pytest.mark.parametrize("frequency", [1004.0, 3017.0])
def test_a_tone_keeps_its_level_and_little_else_is_heard(one: Codec, other: Codec, frequency: float) -> None:
    """THD+N: everything but the tone, by a notch as in ITU-T O.132."""
    peak = 10000.0
    heard = path(one, other, tones({frequency: peak}))[round(SETTLED_S * rate_of(other)) :]
    times = np.arange(len(heard)) / rate_of(other)
    basis = np.stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)])
    parts = np.linalg.lstsq(basis.T, heard, rcond=None)[0]
    rest = heard - parts @ basis

    assert 20 * np.log10(np.hypot(*parts) / peak) == pytest.approx(0, abs=0.1)
    assert db(float(np.mean(rest**2)) / (peak**2 / 2)) < noise_of(one, other, crossing=wide(one) is not wide(other)) + 1


@pytest.mark.parametrize(("one", "other"), [pair for pair in PAIRS if wide(pair[0]) is not wide(pair[1])])
def test_a_sweep_crosses_the_rates_as_scipy_would_take_it(one: Codec, other: Codec) -> None:
    rate, to, seconds = rate_of(one), rate_of(other), FRAMES / 50

    def sweep(times: np.ndarray) -> np.ndarray:
        return np.where(times < 0, 0, 9000 * signal.chirp(times, 100, seconds, 3300, method="logarithmic"))

    heard = path(one, other, sweep)
    said = sweep(np.arange(round(seconds * rate)) / rate)
    taps = signal.firwin(601, 3750, window=("kaiser", 8.0), fs=16000)
    ideal = signal.resample_poly(said, max(1, to // rate), max(1, rate // to), window=taps)
    late = (ring_delay() + extra_delay(one, other)) * to // 16000
    settled = round(SETTLED_S * to)
    got, want = heard[settled + late :], ideal[settled : len(heard) - late]

    error = float(np.mean((got - want[: len(got)]) ** 2) / np.mean(want**2))
    assert db(error) < noise_of(one, other, crossing=True) + 2


def test_wide_sound_stays_wide_and_narrow_ears_hear_no_ghost_of_it() -> None:
    bench = Bench()
    a, b, c = bench.leg("a", codec=Codec.G722), bench.leg("b", codec=Codec.L16_16K), bench.leg("c", codec=Codec.L16)
    bench.do(Connect(source="a", sink="b"), Connect(source="a", sink="c"))
    talk(bench, {a: tones({5013.0: 8000.0})}, frames=FRAMES)
    both, narrow = (decoded(bench.heard(leg), leg.codec)[5000:] for leg in (b, c))

    assert db(float(np.mean(both**2)) / (8000**2 / 2)) == pytest.approx(0, abs=0.1)
    # 5,013 Hz would come back as 2,987; what the coder itself adds below 4 kHz is allowed for.
    times = np.arange(len(narrow)) / 8000
    ghost = np.abs(np.mean(narrow * np.exp(-2j * np.pi * 2987 * times))) * 2
    assert db(ghost**2 / 8000**2) < -57


def test_one_talker_in_four_codecs_is_one_conversation() -> None:
    bench = Bench()
    legs = [bench.leg(codec.value, codec=codec) for codec in CODECS]
    for source, sink in [(x, y) for x in legs for y in legs if x is not y]:
        bench.do(Connect(source=source.name, sink=sink.name))
    pitches = dict(zip(legs, (450.0, 700.0, 1100.0, 1700.0, 2600.0), strict=True))
    talk(bench, {leg: tones({pitch: 4000.0}) for leg, pitch in pitches.items()}, frames=FRAMES)

    for leg in legs:
        rate = rate_of(leg.codec)
        heard = decoded(bench.heard(leg), leg.codec)[round(SETTLED_S * rate) :][:rate]
        times = np.arange(len(heard)) / rate
        for other, pitch in pitches.items():
            peak = np.abs(np.mean(heard * np.exp(-2j * np.pi * pitch * times))) * 2
            if other is leg:
                assert db(peak**2 / 4000**2) < -45
            else:
                assert db(peak**2 / 4000**2) == pytest.approx(0, abs=0.15)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    codecs=st.lists(st.sampled_from(CODECS), min_size=2, max_size=6),
    gains=st.lists(st.integers(-12, 3), min_size=36, max_size=36),
    edges=st.lists(st.booleans(), min_size=36, max_size=36),
)
def test_any_plan_keeps_the_level_of_every_edge(codecs: list[Codec], gains: list[int], edges: list[bool]) -> None:
    bench = Bench()
    legs: list[Leg] = [bench.leg(f"{at}", codec=codec) for at, codec in enumerate(codecs)]
    pitches = [400.0, 600.0, 900.0, 1300.0, 1900.0, 2700.0]
    plan = {}
    for at, source in enumerate(legs):
        for to, sink in enumerate(legs):
            if at != to and edges[at * 6 + to]:
                plan[at, to] = gains[at * 6 + to]
                bench.do(Connect(source=source.name, sink=sink.name, gain_db=float(plan[at, to])))
    talk(bench, {leg: tones({pitches[at]: 2000.0}) for at, leg in enumerate(legs)}, frames=40)

    for to, sink in enumerate(legs):
        sent = bench.heard(sink)
        heard_edges = {at: gain for (at, other), gain in plan.items() if other == to}
        if not heard_edges:
            assert sent == []
            continue
        assert all((two.seq - one.seq) & 0xFFFF == 1 for one, two in pairwise(sent))
        heard = decoded(sent, sink.codec)
        rate = rate_of(sink.codec)
        heard = heard[-rate * 2 // 5 :]
        times = np.arange(len(heard)) / rate
        for at, pitch in enumerate(pitches[: len(legs)]):
            level = db((np.abs(np.mean(heard * np.exp(-2j * np.pi * pitch * times))) * 2 / 2000) ** 2)
            if at in heard_edges:
                assert level == pytest.approx(heard_edges[at], abs=0.4)
            else:
                assert level < -35
