"""Keys in the sound, by the figures of ITU-T Q.24, and none where there are none."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import butter, resample_poly, sosfilt

from engine.media.codecs import PEAK_0DBM0, decode, encode
from engine.media.commands import Codec
from engine.media.dtmf_out import DigitSender
from engine.media.inband import HIGH_HZ, KEYS, LOW_HZ, InbandDetector, Toned
from tests.support.parts import require

Sound = NDArray[np.float64]
PAIRS = [(low, high) for low in LOW_HZ for high in HIGH_HZ]


def tones(
    low: float, high: float, ms: float, *, low_db: float = -10.0, high_db: float = -10.0, rate: int = 8000
) -> Sound:
    times = np.arange(round(ms * rate / 1000)) / rate
    made = 10 ** (low_db / 20) * np.sin(2 * np.pi * low * times + 0.3)
    made += 10 ** (high_db / 20) * np.sin(2 * np.pi * high * times + 1.1)
    return np.asarray(PEAK_0DBM0 * made)


def keyboard(ms: float, pause_ms: float, **how: float) -> Sound:
    """All sixteen keys, one after the other."""
    pause = np.zeros(round(pause_ms * 8))
    return np.concatenate([part for low, high in PAIRS for part in (tones(low, high, ms, **how), pause)])  # type: ignore[arg-type]


def hear(sound: Sound, *, lead: int = 0, rate: int = 8000, law: Codec = Codec.PCMU) -> list[Toned]:
    """What is told of a sound that came by G.711."""
    frame = rate // 50
    whole = np.concatenate((np.zeros(lead), sound, np.zeros(6 * frame)))
    whole = whole[: len(whole) // frame * frame].round().clip(-32768, 32767).astype(np.int16)
    pcm = decode(encode(whole, law), law).reshape(-1, frame)
    detector = InbandDetector(rate)
    slots = np.array([detector.add()])
    return [toned for at in range(len(pcm)) for toned in detector.hear(slots, pcm[at : at + 1])]


def hear_each(sounds: list[Sound]) -> list[str]:
    """The keys in each of sounds of one length, all heard at once."""
    pcm = np.stack([np.concatenate((np.zeros(33), sound, np.zeros(1600))) for sound in sounds]).round().astype(np.int16)
    pcm = decode(encode(pcm, Codec.PCMU), Codec.PCMU)
    detector = InbandDetector()
    slots = np.array([detector.add() for _ in sounds])
    told: list[Toned] = []
    for at in range(0, pcm.shape[1] - 159, 160):
        told += detector.hear(slots, pcm[:, at : at + 160])
    return [pressed([toned for toned in told if toned.slot == slot]) for slot in slots]


def pressed(told: list[Toned]) -> str:
    return "".join(toned.key for toned in told if toned.duration_ms is not None)


@pytest.mark.parametrize("law", [Codec.PCMU, Codec.PCMA])
@pytest.mark.parametrize("levels", [(-10, -10), (-25, -25), (0, 0), (-17, -25), (-14, -10)])
def test_every_key_of_40_ms_with_pauses_of_40_ms_is_known(levels: tuple[int, int], law: Codec) -> None:
    for lead in (0, 31, 77, 101):
        told = hear(keyboard(40, 40, low_db=levels[0], high_db=levels[1]), lead=lead, law=law)
        assert pressed(told) == KEYS
        assert [toned.duration_ms is None for toned in told] == [True, False] * 16


@pytest.mark.parametrize("ms", [5, 15, 20, 23])
def test_shorter_tones_are_no_keys(ms: int) -> None:
    for lead in (0, 31, 77, 101):
        assert pressed(hear(keyboard(ms, 40), lead=lead)) == ""


@pytest.mark.parametrize("ms", [40, 75, 100, 333, 1000])
def test_how_long_a_key_was_pressed_is_told(ms: int) -> None:
    (_, ended) = hear(tones(770, 1336, ms), lead=50)
    assert ended.duration_ms == pytest.approx(ms, abs=8)


@pytest.mark.parametrize("off", [-0.015, 0.015])
def test_frequencies_a_little_off_are_taken(off: float) -> None:
    for lows, highs in ((1, 1), (1, 0), (0, 1), (1, -1)):
        assert hear_each([tones(low * (1 + lows * off), high * (1 + highs * off), 50) for low, high in PAIRS]) == [
            *KEYS
        ]


@pytest.mark.parametrize("off", [-0.035, 0.035, -0.06, 0.06])
def test_frequencies_far_off_are_not(off: float) -> None:
    for lows, highs in ((1, 1), (1, 0), (0, 1), (1, -1)):
        sounds = [tones(low * (1 + lows * off), high * (1 + highs * off), 100) for low, high in PAIRS]
        assert hear_each(sounds) == [""] * 16


@pytest.mark.parametrize(("twist", "known"), [(4, True), (-8, True), (6, False), (-10, False)])
def test_the_groups_may_differ_by_so_much_only(twist: int, known: bool) -> None:
    told = hear(keyboard(60, 60, low_db=-12, high_db=-12 + twist))
    assert pressed(told) == (KEYS if known else "")


def test_what_is_too_soft_is_no_key() -> None:
    assert pressed(hear(keyboard(80, 60, low_db=-34, high_db=-34))) == ""


@pytest.mark.parametrize("hole_ms", [10, 20])
def test_a_short_break_does_not_make_two_keys_of_one(hole_ms: int) -> None:
    sound = tones(852, 1477, 200)
    sound[800 : 800 + hole_ms * 8] = 0
    assert pressed(hear(sound)) == "9"


def test_the_same_key_twice_is_two_and_keys_may_follow_at_once() -> None:
    pause = np.zeros(320)
    assert pressed(hear(np.concatenate((tones(697, 1209, 40), pause, tones(697, 1209, 40))))) == "11"
    assert pressed(hear(np.concatenate((tones(697, 1209, 60), tones(770, 1336, 60))))) == "15"


def test_noise_on_the_line_does_not_hide_keys() -> None:
    sound = keyboard(50, 50)
    noise = np.random.default_rng(1).normal(0, PEAK_0DBM0 * 10 ** (-7 / 20) / np.sqrt(2) * 10 ** (-15 / 20), len(sound))
    assert pressed(hear(sound + noise)) == KEYS


def test_a_tone_with_more_to_it_is_no_key() -> None:
    """A second harmonic or a third tone: a voice, an instrument, a data tone."""
    times = np.arange(1600) / 8000
    key = tones(770, 1336, 200)
    for more_hz, level in ((2 * 770, -18), (2 * 1336, -20), (1700, -13), (400, -13)):
        assert pressed(hear(key)) == "5"
        other = PEAK_0DBM0 * 10 ** (level / 20) * np.sin(2 * np.pi * more_hz * times)
        assert pressed(hear(key + other)) == ""


@pytest.mark.parametrize("hz", [*LOW_HZ, *HIGH_HZ, 440.0, 1004.0, 2100.0])
def test_one_tone_alone_is_no_key(hz: float) -> None:
    times = np.arange(8000) / 8000
    assert pressed(hear(PEAK_0DBM0 * 0.3 * np.sin(2 * np.pi * hz * times))) == ""


def test_what_we_send_is_understood_at_both_rates() -> None:
    for rate in (8000, 16000):
        sender = DigitSender()
        sender.add(KEYS)
        frames = []
        while sender:
            frames.append(sender.sound(rate))
        assert pressed(hear(np.concatenate(frames).astype(float), rate=rate)) == KEYS


def test_many_legs_are_heard_at_once_each_for_itself() -> None:
    detector = InbandDetector()
    slots = np.array([detector.add() for _ in range(16)])
    pcm = np.stack([np.concatenate((tones(low, high, 60), np.zeros(1120))) for low, high in PAIRS])
    pcm[3] = 0
    told = []
    for at in range(0, 1600, 160):
        told += detector.hear(slots[::-1], pcm[::-1, at : at + 160].astype(np.int16))

    found = {toned.slot: toned.key for toned in told if toned.duration_ms is not None}
    assert found == {slot: KEYS[slot] for slot in range(16) if slot != 3}


def test_a_slot_that_is_given_back_remembers_nothing() -> None:
    detector = InbandDetector()
    slot = detector.add()
    for _ in range(3):
        detector.hear(np.array([slot]), tones(697, 1209, 20)[None].astype(np.int16))
    detector.remove(slot)
    assert detector.add() == slot
    assert detector.hear(np.array([slot]), np.zeros((1, 160), np.int16)) == []


def voice(seed: int) -> Sound:
    """Half a minute of something like speech: gliding harmonics through formants, with breaks and hisses."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(120):
        size = int(chance.integers(800, 3200))
        pitch = np.linspace(*chance.uniform(80, 320, 2), size)
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        buzz = sum(np.sin(k * phase) / k for k in range(1, 12))
        middle, wide = chance.uniform(400, 2000), chance.uniform(80, 300)
        formant = butter(2, [max(50, middle - wide), min(3900, middle + wide)], "band", fs=8000, output="sos")
        shaped = sosfilt(formant, buzz + chance.normal(0, chance.uniform(0, 0.3), size))
        parts.append(shaped / np.abs(shaped).max() * chance.uniform(500, 25000))
    return np.concatenate(parts)


@pytest.mark.parametrize("seed", range(3))
def test_a_voice_presses_no_keys(seed: int) -> None:
    assert hear(voice(seed)) == []


@pytest.mark.parametrize("level", [100, 4000, 12000])
def test_noise_presses_no_keys(level: int) -> None:
    assert hear(np.random.default_rng(level).normal(0, level, 20 * 8000)) == []


@pytest.mark.parametrize("speaker", ["en", "en+f3", "de+m3"])
def test_minutes_of_words_press_no_keys(speaker: str) -> None:
    require("espeak-ng")
    words = "Please hold the line. Your call is number seven in the queue, for invoices press three. " * 20
    made = subprocess.run(["espeak-ng", "-v", speaker, "--stdout", words], capture_output=True, check=True).stdout
    samples = np.frombuffer(made[44 : len(made) // 2 * 2], np.int16).astype(float)
    spoken = resample_poly(samples, 160, 441)
    assert len(spoken) > 60 * 8000
    assert hear(spoken) == []
