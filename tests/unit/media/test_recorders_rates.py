"""Recordings of wide-band calls: as wide as the widest leg at the start."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.media.codecs import decode
from engine.media.commands import AimRecording, Beep, Codec, StopRecording
from engine.media.events import RecordingFailed
from tests.support.media_fakes import Bench, Speaker, remote, sine_frames
from tests.support.recordings import level_db, recorded, snr_db, start

FRAMES = 60
"""A bit more than a second."""


def wide_sine(hertz: float, *, frames: int = FRAMES) -> NDArray[np.int16]:
    times = np.arange(frames * 320) / 16000
    return np.rint(8000 * np.sin(2 * np.pi * hertz * times)).astype(np.int16)


def speak(bench: Bench, wide: Speaker, sound: NDArray[np.int16], narrow: Speaker, frames: list[bytes]) -> None:
    wide.payload_type = 96
    for index in range(FRAMES):
        bench.speak(wide, sound[index * 320 : (index + 1) * 320].astype(">i2").tobytes())
        wide.stamp += 160  # its clock runs at 16 kHz
        bench.speak(narrow, frames[index])
        bench.pass_tick()


def test_one_wide_leg_makes_the_file_wide_and_the_other_is_resampled() -> None:
    bench = Bench()
    a, b = Speaker(bench.leg("a", codec=Codec.L16_16K)), Speaker(bench.leg("b"))
    bench.bridge("a", "b")
    bench.do(start())
    high = wide_sine(5000)
    low = sine_frames(700, frames=FRAMES, peak=8000, codec=Codec.PCMU)
    speak(bench, a, high, b, low)
    bench.do(StopRecording(recording="r"))
    tape = recorded(bench)
    assert tape.rate == 16000
    assert len(tape.sound) == FRAMES * 320
    begin = int(np.argmax(tape.sound[:, 0] != 0)) - 1
    whole = slice(begin + 3 * 320, 50 * 320)  # it is faded in
    assert snr_db(tape.sound[whole, 0], high[3 * 320 : 50 * 320 - begin]) > 60
    middle = tape.sound[20 * 320 : 50 * 320, 1]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    hertz = np.fft.rfftfreq(len(middle), 1 / 16000)
    peak = int(np.argmax(spectrum))
    assert hertz[peak] == pytest.approx(700, abs=5)
    images = spectrum[(hertz > 4500)]
    assert 20 * np.log10(images.max() / spectrum[peak]) < -50
    assert level_db(middle) == pytest.approx(
        level_db(decode(np.frombuffer(b"".join(low), np.uint8), Codec.PCMU)), abs=0.2
    )


def test_narrow_legs_stay_narrow_and_a_wide_one_that_joins_fits_in() -> None:
    bench = Bench()
    a, b = Speaker(bench.leg("a", codec=Codec.L16_16K)), Speaker(bench.leg("b"))
    bench.leg("c")
    bench.bridge("c", "b")
    bench.do(start("c", "b"), AimRecording(recording="r", leg="a", other="b"))
    bench.bridge("a", "b")
    low = sine_frames(700, frames=FRAMES, peak=8000, codec=Codec.PCMU)
    speak(bench, a, wide_sine(1000), b, low)
    bench.do(StopRecording(recording="r"))
    tape = recorded(bench)
    assert tape.rate == 8000
    assert len(tape.sound) == FRAMES * 160
    assert level_db(tape.sound[20 * 160 : 50 * 160, 0]) == pytest.approx(level_db(wide_sine(1000)), abs=0.3)


def test_the_beep_is_heard_on_wide_legs_too() -> None:
    bench = Bench()
    bench.leg("a", codec=Codec.G722)
    bench.leg("b")
    bench.bridge("a", "b")
    bench.do(start(other=None, beep=Beep(at_start=True, every_s=0, dbm0=-20)))
    bench.pass_tick(30)
    bench.do(StopRecording(recording="r"))
    tape = recorded(bench)
    assert tape.rate == 16000
    assert level_db(tape.sound[640:2880, 1]) == pytest.approx(-26.1, abs=0.5)


def test_a_codec_that_is_only_passed_through_cannot_be_recorded() -> None:
    bench = Bench()
    bench.leg("a", codec=Codec.OPAQUE, opaque="opus/48000/2")
    bench.leg("b")
    bench.told()
    bench.do(start())
    (event,) = bench.told()
    assert isinstance(event, RecordingFailed)
    assert "only passed through" in event.reason
    assert not bench.board.step.recorders


def test_a_leg_whose_codec_becomes_one_of_those_is_silent_from_then_on() -> None:
    bench = Bench()
    a, b = Speaker(bench.leg("a")), Speaker(bench.leg("b"))
    bench.bridge("a", "b")
    bench.do(start())
    low = sine_frames(700, frames=FRAMES, peak=8000, codec=Codec.PCMU)
    for index in range(20):
        bench.speak(a, low[index])
        bench.speak(b, low[index])
        bench.pass_tick()
    bench.do(remote("a", codec=Codec.OPAQUE, opaque="opus/48000/2"))
    bench.pass_tick(20)
    bench.do(StopRecording(recording="r"))
    sound = recorded(bench).sound
    assert len(sound) == 40 * 160
    assert sound[10 * 160 : 18 * 160, 0].any()
    assert not sound[25 * 160 :, 0].any()
