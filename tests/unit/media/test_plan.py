"""What goes over from one plan to the next: nobody's sound breaks because somebody else came or went."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.commands import CloseLeg, Codec, Connect, Play, Sound, Tone
from engine.media.matrix import Route
from tests.support.media_fakes import Bench
from tests.support.voices import db, decoded, rate_of, talk, tones

TONE = tones({1004.0: 8000.0})


def noise(samples: np.ndarray, rate: int, pitch: float = 1004.0) -> float:
    """The worst 10 ms: all but the tone, in dB of it."""
    times = np.arange(len(samples)) / rate
    basis = np.stack([np.sin(2 * np.pi * pitch * times), np.cos(2 * np.pi * pitch * times)]).T
    parts = np.linalg.lstsq(basis, samples, rcond=None)[0]
    rest = (samples - basis @ parts).reshape(-1, rate // 100)
    return db(float(np.max(np.mean(rest**2, axis=1)) / (np.sum(parts**2) / 2)))


@pytest.mark.parametrize(
    ("one", "other", "least"),
    [
        (Codec.G722, Codec.G722, -33),
        (Codec.G722, Codec.L16, -33),
        (Codec.L16, Codec.G722, -33),
        (Codec.L16, Codec.L16_16K, -60),
        (Codec.L16_16K, Codec.L16, -60),
    ],
)
def test_a_conversation_sounds_on_while_others_come_and_go(one: Codec, other: Codec, least: float) -> None:
    bench = Bench()
    a, b = bench.leg("a", codec=one), bench.leg("b", codec=other)
    bench.do(Connect(source="a", sink="b", gain_db=-1.0))

    def between() -> None:
        if bench.tick in (30, 50):
            for codec in Codec:
                if codec is not Codec.OPAQUE:
                    name = f"{codec} {bench.tick}"
                    bench.leg(name, codec=codec)
                    bench.do(
                        Connect(source="b", sink=name, gain_db=-2.0), Connect(source=name, sink=name, gain_db=-2.0)
                    )
        if bench.tick == 40:
            bench.do(CloseLeg(leg="G722 30"), CloseLeg(leg="L16 30"))

    talk(bench, {a: TONE}, frames=70, between=between)

    rate = rate_of(other)
    heard = decoded(bench.heard(b), other)
    assert len(heard) == 70 * rate // 50
    assert noise(heard[rate * 3 // 10 :], rate) < least


def test_what_nobody_hears_at_the_other_rate_is_not_taken_there() -> None:
    bench = Bench()
    bench.leg("a", codec=Codec.G722)
    bench.leg("b", codec=Codec.G722)
    bench.leg("c")
    bench.bridge("a", "b", gain_db=-1.0)
    bench.pass_tick()
    step = bench.board.step
    assert step._plan is not None
    assert [(band.samples, band.pcm.shape, band.crossing) for band in step._plan.bands] == [(320, (2, 320), None)]

    bench.do(Connect(source="a", sink="c"))
    bench.pass_tick()
    assert [(band.samples, band.pcm.shape) for band in step._plan.bands] == [(160, (1, 160)), (320, (2, 320))]
    assert [band.crossing is not None for band in step._plan.bands] == [True, False]


def test_a_wide_listener_hears_a_beep_and_narrow_music_beside_a_voice() -> None:
    bench = Bench()
    a, b = bench.leg("a"), bench.leg("b", codec=Codec.L16_16K)
    bench.do(Connect(source="a", sink="b", gain_db=-1.0))
    bench.do(Play(leg="b", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-20.0))
    talk(bench, {a: tones({440.0: 8000.0})}, frames=60)

    assert b.route is Route.MIX
    heard = decoded(bench.heard(b), b.codec)[16000 // 5 :][:16000]
    times = np.arange(len(heard)) / 16000
    levels = [np.abs(np.mean(heard * np.exp(-2j * np.pi * pitch * times))) * 2 for pitch in (440.0, 1004.0)]
    assert 20 * np.log10(levels[0] / 8000) == pytest.approx(-1, abs=0.1)
    assert 20 * np.log10(levels[1] / 22828) == pytest.approx(-20, abs=0.1)
