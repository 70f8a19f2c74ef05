from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import DECODE, INDEX, PEAK_0DBM0, SILENCE, decode, encode
from engine.media.commands import G711, Codec

KNOWN_MULAW = {0x00: -32124, 0x7F: 0, 0x80: 32124, 0xFF: 0, 0xFE: 8, 0xF0: 120, 0xEF: 132, 0x8F: 16764, 0x1E: -8828}
"""G.711 table 2a, column 8, times 4."""

KNOWN_ALAW = {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xC5: 264, 0x80: 5504, 0xB4: 8960}
"""G.711 table 1a, column 8, times 8, even bits inverted."""

MILLIWATT_MULAW = bytes([0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E])
"""G.711 table 6: 1 kHz at 0 dBm0."""
MILLIWATT_ALAW = bytes([0x34, 0x21, 0x21, 0x34, 0xB4, 0xA1, 0xA1, 0xB4])
"""G.711 table 5."""


@pytest.mark.parametrize(("codec", "known"), [(Codec.PCMU, KNOWN_MULAW), (Codec.PCMA, KNOWN_ALAW)])
def test_decodes_the_recommendations_values(codec: Codec, known: dict[int, int]) -> None:
    assert {code: int(DECODE[INDEX[codec], code]) for code in known} == known


@pytest.mark.parametrize("codec", G711)
def test_what_was_decoded_encodes_to_the_same_value(codec: Codec) -> None:
    samples = decode(np.arange(256, dtype=np.uint8), codec)

    assert np.array_equal(decode(encode(samples, codec), codec), samples)


@pytest.mark.parametrize("codec", G711)
def test_encoding_takes_the_interval_that_holds_the_sample(codec: Codec) -> None:
    samples = np.arange(-32768, 32768).astype(np.int16)
    decoded = decode(encode(samples, codec), codec).astype(int)

    assert np.all(np.diff(decoded) >= 0)
    error = np.abs(decoded - samples)
    # A step is at most 1/16 of the magnitude (in mu-law, of the magnitude plus 132), so half of it is 1/32.
    assert np.all(error <= np.maximum((np.abs(samples.astype(int)) + 132) / 31, 16))


@pytest.mark.parametrize(("codec", "codes"), [(Codec.PCMU, MILLIWATT_MULAW), (Codec.PCMA, MILLIWATT_ALAW)])
def test_digital_milliwatt_has_the_level_that_we_call_0_dbm0(codec: Codec, codes: bytes) -> None:
    samples = decode(np.frombuffer(codes, np.uint8), codec).astype(float)
    peak = np.sqrt(2 * np.mean(samples**2))

    assert 20 * np.log10(peak / PEAK_0DBM0) == pytest.approx(0.0, abs=0.07)


@pytest.mark.parametrize("codec", G711)
def test_silence_is_the_code_of_zero(codec: Codec) -> None:
    code = SILENCE[INDEX[codec]]

    assert abs(int(DECODE[INDEX[codec], code])) <= 8
    assert encode(np.zeros(3, np.int16), codec).tolist() == [code] * 3


@pytest.mark.parametrize("codec", G711)
@pytest.mark.parametrize("dbm0", [-30, -20, -10, 0])
def test_a_sine_keeps_35_db_over_its_quantizing_noise(codec: Codec, dbm0: float) -> None:
    times = np.arange(8000) / 8000
    sine = PEAK_0DBM0 * 10 ** (dbm0 / 20) * np.sin(2 * np.pi * 1004 * times)
    noise = decode(encode(np.rint(sine).astype(np.int16), codec), codec) - sine

    assert 10 * np.log10(np.mean(sine**2) / np.mean(noise**2)) > 35
