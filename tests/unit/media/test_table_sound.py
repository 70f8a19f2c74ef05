"""Golden audio of the jitter buffer: what drift, loss and silence do to the sound, in numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import signal

from engine.media.codecs import FORMS, FRAME
from engine.media.commands import Codec
from engine.media.conceal import BLEND, SILENT
from engine.media.table import Reading
from tests.support.jitter_rig import Packet, Rig, sine, stream

PEAK = 8000.0


def steepest(frequency: float, rate: int = 8000) -> float:
    """The greatest step between two samples of a sine."""
    return PEAK * 2 * np.sin(np.pi * frequency / rate)


def residue_db(sound: NDArray[np.int16], frequency: float, rate: int = 8000) -> float:
    """Noise and distortion of a sine (THD+N), its harmonics and all else against itself."""
    times = np.arange(len(sound)) / rate
    basis = np.stack([np.sin(2 * np.pi * frequency * times), np.cos(2 * np.pi * frequency * times)], axis=1)
    part, *_ = np.linalg.lstsq(basis, sound.astype(float), rcond=None)
    rest = sound - basis @ part
    return float(10 * np.log10(np.mean(rest**2) / np.mean((basis @ part) ** 2)))


def voice(seconds: float, *, pitch: float = 140, rate: int = 8000) -> NDArray[np.int16]:
    """Something like a vowel: a pulse train through two formants."""
    times = np.arange(round(seconds * rate)) / rate
    pulses = signal.sawtooth(2 * np.pi * (pitch * times + 0.3 * np.sin(2 * np.pi * 3 * times)))
    for formant in (600, 1400):
        pulses = signal.lfilter(*signal.iirpeak(formant, 5, fs=rate), pulses) + 0.05 * pulses
    return np.rint(PEAK * pulses / np.abs(pulses).max()).astype(np.int16)


def lossy(packets: list[Packet], share: float, seed: int) -> list[Packet]:
    chance = np.random.default_rng(seed)
    return [packet for packet in packets if chance.random() >= share]


# --- drift ---


@pytest.mark.parametrize("frequency", [440, 1000, 2500])
@pytest.mark.parametrize("ppm", [200, -200])
def test_drift_is_followed_without_a_click(frequency: float, ppm: int) -> None:
    rig = Rig()
    rig.send(*stream(sine(frequency, 260, peak=PEAK), pace=1 + ppm * 1e-6))
    sound = rig.play(12_900)[FRAME * 3 :].astype(float)

    assert rig.table.late(rig.row) == rig.table.concealed(rig.row) == rig.table.discarded(rig.row) == 0
    assert np.abs(np.diff(sound)).max() < 1.03 * steepest(frequency)
    assert np.abs(np.diff(sound, 2)).max() < 1.15 * steepest(frequency) * 2 * np.sin(np.pi * frequency / 8000)
    # 52 ms of drift: two or three frames, and the sound never leaves the depth that steady senders have.
    assert rig.table.depth_ms(rig.row) < 26
    # While nothing slides the sound is what was sent; where it slides the frequency is half a per cent another.
    seconds = [sound[at : at + 8000] for at in range(0, len(sound) - 8000, 8000)]
    clean = [residue_db(second, frequency) < -65 for second in seconds]
    assert 8 <= clean.count(False) <= 20
    for second in seconds:
        quarters = [second[at : at + 2000] for at in range(0, 8000, 2000)]
        assert min(residue_db(part, frequency * by) for by in (1, 1.005, 0.995) for part in quarters) < -25


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.G722, Codec.L16_16K])
def test_drift_is_followed_in_every_codec(codec: Codec) -> None:
    rate = FORMS[codec].samples * 50
    rig = Rig(codec)
    rig.send(*stream(sine(1000, 130, peak=PEAK, rate=rate), codec, pace=1 - 200e-6, first=1))
    sound = rig.play(6400)[FORMS[codec].samples * 4 :].astype(float)

    assert rig.table.concealed(rig.row) == 0
    assert rig.table._playouts[rig.row].shift == -1
    assert np.abs(np.diff(sound)).max() < 1.1 * steepest(1000, rate)


# --- loss ---


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.L16, Codec.G722, Codec.L16_16K])
def test_a_lost_packet_of_a_tone_is_made_up_for(codec: Codec) -> None:
    form = FORMS[codec]
    rate = form.samples * 50
    said = sine(440, 2, peak=PEAK, rate=rate)
    sent = stream(said, codec)
    rig, whole = Rig(codec), Rig(codec)
    whole.send(*sent)
    rig.send(*(packet for n, packet in enumerate(sent) if n != 50))
    expected, heard = whole.play(100).astype(float), rig.play(100).astype(float)

    assert rig.table.concealed(rig.row) == 20
    assert rig.table.late(rig.row) == 0
    lost = slice(51 * form.samples, 52 * form.samples)
    assert np.array_equal(heard[: lost.start], expected[: lost.start])
    noise = np.mean((heard[lost] - expected[lost])[: form.samples // 2] ** 2)
    assert 10 * np.log10(np.mean(expected[lost] ** 2) / noise) > 20
    assert np.abs(np.diff(heard[form.samples * 3 :])).max() < 1.15 * steepest(440, rate)


def test_ten_per_cent_of_loss_of_a_voice_clicks_nowhere_and_keeps_its_level() -> None:
    said = voice(20)
    rig, whole = Rig(), Rig()
    whole.send(*stream(said))
    rig.send(*lossy(stream(said), 0.1, 4))
    expected, heard = whole.play(990).astype(float), rig.play(990).astype(float)

    step = np.abs(np.diff(expected)).max()
    assert np.abs(np.diff(heard)).max() < 1.1 * step
    level = 10 * np.log10(np.mean(heard**2) / np.mean(expected**2))
    assert -1.5 < level < 0.2
    noise = np.mean((heard - expected) ** 2)
    # Silence in the gaps would leave 10 dB.
    assert 10 * np.log10(np.mean(expected**2) / noise) > 10.8


@pytest.mark.parametrize("frames", [0.5, 1, 2])
def test_what_is_lost_for_long_fades_to_silence_and_comes_back_smoothly(frames: float) -> None:
    said = sine(440, 3, peak=PEAK)
    rig = Rig()
    rig.send(*(packet for packet in stream(said, frames=frames) if not 8000 <= packet.stamp < 16000))
    heard = rig.play(145).astype(float)
    begin = FRAME * 1 + 8000 if frames <= 1 else 8000 + FRAME
    gap = heard[begin : begin + 8000]

    levels = [np.abs(gap[at : at + 80]).max() for at in range(0, 800, 80)]
    assert levels[0] > 0.95 * PEAK
    assert all(after < before + 200 for before, after in pairwise(levels))
    assert not gap[SILENT:].any()
    assert np.abs(np.diff(heard[FRAME * 2 : begin + 8000 - 1])).max() < 1.2 * steepest(440)
    back = heard[begin + 8000 : begin + 8000 + FRAME]
    assert np.abs(np.diff(back)).max() < 1.2 * steepest(440)
    assert np.abs(back[BLEND:]).max() > 0.99 * PEAK
    assert rig.table.concealed(rig.row) == SILENT // 8


def test_losses_of_halves_of_frames_are_filled_one_by_one() -> None:
    rig = Rig()
    sent = stream(sine(500, 2, peak=PEAK), frames=0.5)
    rig.send(*(packet for n, packet in enumerate(sent) if n < 40 or n % 3))
    heard = rig.play(95).astype(float)[FRAME * 4 :]

    assert np.abs(np.diff(heard)).max() < 1.1 * steepest(500)
    assert residue_db(heard, 500) < -20
    assert rig.table.concealed(rig.row) == pytest.approx((190 - 40) / 3 * 10, abs=20)


def test_many_rows_that_lose_at_once_are_all_filled() -> None:
    """More than whose period is looked for: the others repeat their last frame."""
    rig = Rig()
    rows = [rig.row, *(rig.table.add(rig.table.codec(rig.row)) for _ in range(99))]
    sent = stream(sine(400, 1, peak=PEAK))
    out = np.zeros((100, FRAME), np.int16)
    frames = []
    for tick in range(30):
        if tick != 20:
            for row in rows:
                packet = sent[tick]
                rig.table.write(row, packet.stamp, 1, memoryview(packet.payload), False, tick * FRAME)
        rig.table.read([Reading(codec=rig.table.codec(rig.row), rows=np.array(rows), out=out)])
        frames.append(out.copy())
    heard = np.concatenate(frames, axis=1).astype(float)

    assert np.abs(np.diff(heard[:, FRAME:])).max() < 1.15 * steepest(400)
    assert heard[:, 21 * FRAME : 21 * FRAME + 80].max(axis=1).min() > 0.95 * PEAK
    assert rig.table.rows == 100


# --- silence ---


def rms_dbov(sound: NDArray[np.int16]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(sound.astype(float) ** 2)) / 32768))


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.G722])
@pytest.mark.parametrize("level", [40, 60])
def test_announced_silence_is_noise_of_that_level(codec: Codec, level: int) -> None:
    form = FORMS[codec]
    said = sine(300, 1, peak=PEAK, rate=form.samples * 50)
    sent = stream(said, codec)
    rig = Rig(codec)
    rig.send(*sent[:25])
    frames = [rig.tick() for _ in range(25)]
    rig.table.silence(rig.row, sent[25].stamp, 1, level, rig.table.tick * FRAME)
    frames += [rig.tick() for _ in range(100)]
    again = [replace(packet, at=packet.at + 100 * FRAME, stamp=packet.stamp + 100 * FRAME) for packet in sent[25:]]
    rig.send(replace(again[0], marker=True), *again[1:])
    frames += [rig.tick() for _ in range(25)]

    noise = np.concatenate(frames[28:124])
    assert rms_dbov(noise) == pytest.approx(-level, abs=0.7)
    assert rig.table.concealed(rig.row) == 0
    flat = np.abs(np.fft.rfft(noise.reshape(-1, form.samples).astype(float), axis=1)).mean(axis=0)[2:-2]
    assert flat.max() < 1.5 * flat.min()  # no buzz: nothing in it repeats
    assert rms_dbov(frames[-3]) == pytest.approx(20 * np.log10(PEAK / np.sqrt(2) / 32768), abs=0.3)


def test_a_level_that_changes_is_ramped_and_later_loss_is_loss_again() -> None:
    rig = Rig()
    sent = stream(sine(300, 4, peak=PEAK))
    rig.send(*sent[:20])
    rig.play(20)
    rig.table.silence(rig.row, sent[20].stamp, 1, 60, rig.table.tick * FRAME)
    rig.play(20)
    rig.table.silence(rig.row, sent[40].stamp, 1, 30, rig.table.tick * FRAME)
    frame = rig.tick().astype(float)
    assert np.abs(frame[:20]).max() < 400
    assert rms_dbov(rig.play(5)) == pytest.approx(-30, abs=1)

    rig.send(*(packet for packet in sent[46:] if packet.stamp != 60 * FRAME))
    rig.waiting[0] = replace(rig.waiting[0], marker=True)
    heard = rig.play(30)
    assert rig.table.concealed(rig.row) == 20
    assert rms_dbov(heard[-FRAME * 5 :]) > -20


def test_a_sender_that_stops_without_a_word_fades_out_and_is_forgotten() -> None:
    rig = Rig()
    rig.send(*stream(voice(1)))
    rig.play(50)
    heard = rig.play(100)

    assert not heard[SILENT + FRAME :].any()
    assert rig.table.concealed(rig.row) == SILENT // 8


def test_noise_without_a_word_before_is_noise() -> None:
    rig = Rig()
    rig.table.silence(rig.row, 1234, 1, 50, 0)

    assert rms_dbov(rig.play(20)[FRAME * 2 :]) == pytest.approx(-50, abs=1)
