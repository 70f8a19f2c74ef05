from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import PEAK_0DBM0, encode
from engine.media.commands import Codec
from engine.media.g722 import G722Encoder
from engine.media.loudness import Loudness


def sine(dbm0: float, rate: int, hz: float = 1000.0) -> np.ndarray:
    times = np.arange(rate // 50) / rate
    return np.rint(PEAK_0DBM0 * 10 ** (dbm0 / 20) * np.sin(2 * np.pi * hz * times)).astype(np.int16)


@pytest.mark.parametrize("dbm0", [0, -10, -30])
@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
def test_a_sine_is_as_loud_as_it_is(codec: Codec, dbm0: int) -> None:
    loudness = Loudness()
    loudness.hear(encode(sine(dbm0, 8000), codec).tobytes(), codec, 7.0)
    assert loudness.dbm0 == pytest.approx(dbm0, abs=0.3)
    assert loudness.loud_at == 7.0


@pytest.mark.parametrize(("codec", "rate"), [(Codec.L16, 8000), (Codec.L16_16K, 16000)])
def test_linear_sound_is_read_in_network_byte_order(codec: Codec, rate: int) -> None:
    loudness = Loudness()
    loudness.hear(sine(-20, rate).astype(">i2").tobytes() + b"\x01", codec, 0.0)
    assert loudness.dbm0 == pytest.approx(-20, abs=0.1)


def test_g722_is_nearly_as_loud_as_it_is() -> None:
    encoder, loudness = G722Encoder(), Loudness()
    for second in range(20):
        for _ in range(50):
            payload = encoder.encode(sine(-20, 16000))
        loudness.hear(bytes(payload), Codec.G722, float(second))
    assert loudness.dbm0 == pytest.approx(-20, abs=2.0)


def test_silence_is_not_loud_and_nothing_is_unknown() -> None:
    loudness = Loudness()
    assert loudness.dbm0 is None
    loudness.hear(b"\xff" * 160, Codec.PCMU, 7.0)
    assert loudness.dbm0 == -90.0
    assert loudness.loud_at == 0.0
    loudness.hear(b"", Codec.PCMU, 7.0)
    loudness.hear(b"x" * 160, Codec.OPAQUE, 7.0)
    assert loudness.dbm0 == -90.0


def test_the_figure_is_of_the_last_seconds() -> None:
    loudness = Loudness()
    for at in range(40):
        loudness.hear(encode(sine(-10 if at < 20 else -40, 8000), Codec.PCMU).tobytes(), Codec.PCMU, float(at))
        if at == 22:
            assert -16 < (loudness.dbm0 or 0) < -11
    assert loudness.dbm0 == pytest.approx(-29, abs=3)
