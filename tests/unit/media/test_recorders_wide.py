"""Recordings of legs at 16 kHz."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.commands import Codec, Play, RecordingFormat, Sound, StartRecording, StopRecording, Tone
from engine.media.matrix import Route
from tests.support.media_fakes import Bench
from tests.support.voices import db, talk, tones


def start(leg: str, other: str | None) -> StartRecording:
    return StartRecording(recording="r", leg=leg, other=other, stem="/r", format=RecordingFormat.WAV)


def peak(samples: np.ndarray, pitch: float) -> float:
    times = np.arange(len(samples)) / 16000
    return float(np.abs(np.mean(samples * np.exp(-2j * np.pi * pitch * times))) * 2)


@pytest.mark.parametrize(("one", "other"), [(Codec.G722, Codec.G722), (Codec.PCMU, Codec.L16_16K)])
def test_a_recording_is_as_wide_as_the_widest_leg(one: Codec, other: Codec) -> None:
    bench = Bench()
    a, b = bench.leg("a", codec=one), bench.leg("b", codec=other)
    bench.bridge("a", "b")
    bench.do(start("a", "b"))
    talk(bench, {a: tones({700.0: 6000.0}), b: tones({6100.0: 6000.0})}, frames=80)
    bench.do(StopRecording(recording="r"))

    tape = bench.tapes.tapes["r"]
    assert tape.rate == 16000
    sound = tape.sound[8000:].astype(float)
    assert db(peak(sound[:, 0], 700) ** 2 / 6000**2) == pytest.approx(0, abs=0.2)
    assert db(peak(sound[:, 1], 6100) ** 2 / 6000**2) == pytest.approx(0, abs=0.3)
    assert db(peak(sound[:, 0], 6100) ** 2 / 6000**2) < -45
    assert db(peak(sound[:, 1], 700) ** 2 / 6000**2) < -45


def test_music_that_a_wide_leg_hears_alone_is_recorded_as_it_was_sent() -> None:
    bench = Bench()
    a = bench.leg("a", codec=Codec.G722)
    bench.do(
        Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-10.0), start("a", None)
    )
    bench.pass_tick(60)
    bench.do(StopRecording(recording="r"))

    assert a.route is Route.PLAYER
    sound = bench.tapes.tapes["r"].sound[:, 1].astype(float)[1600:]
    assert db(peak(sound, 1004) ** 2 / 22828**2) == pytest.approx(-10, abs=0.1)
    assert len(bench.heard(a)) == 60
