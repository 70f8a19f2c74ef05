from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import FORMS, decode, encode
from engine.media.commands import G711, Codec
from engine.media.encoders import encoder
from engine.media.g722 import G722Encoder
from tests.support.media_fakes import Bench
from tests.support.voices import decoded

NOISE = np.random.default_rng(3).normal(0, 3000, (6, 5, 320)).astype(np.int16)
"""[frames, streams, samples]"""


@pytest.mark.parametrize("codec", [*G711, Codec.L16, Codec.L16_16K])
def test_every_stream_gets_its_own_sound(codec: Codec) -> None:
    streams = encoder(codec, list("abcde"))
    sound = np.ascontiguousarray(NOISE[0, :, : FORMS[codec].samples])
    payloads = streams.encode(sound)

    assert [bytes(payload) for payload in payloads] == [encode(each, codec).tobytes() for each in sound]


def test_linear_sound_is_in_network_byte_order() -> None:
    frame = np.full((1, 160), 0x1234, np.int16)

    assert bytes(encoder(Codec.L16, ["a"]).encode(frame)[0]) == b"\x12\x34" * 160
    assert np.array_equal(decode(encode(frame[0], Codec.L16), Codec.L16), frame[0])


@pytest.mark.parametrize("codec", [Codec.PCMA, Codec.L16, Codec.G722])
def test_parts_of_the_streams_may_be_encoded_one_after_the_other(codec: Codec) -> None:
    samples = FORMS[codec].samples
    sound = np.ascontiguousarray(NOISE[0, :, :samples])
    whole = [bytes(payload) for payload in encoder(codec, list("abcde")).encode(sound)]
    streams = encoder(codec, list("abcde"))

    parts = [bytes(payload) for begin, end in ((0, 2), (2, 5)) for payload in streams.encode(sound[begin:end], begin)]
    assert parts == whole


def test_a_g722_stream_goes_on_when_its_neighbours_change() -> None:
    alone = G722Encoder()
    wanted = [alone.encode(frame[1]) for frame in NOISE]
    streams = encoder(Codec.G722, ["a", "b", "c"])
    sent = [streams.encode(frame[:3])[1] for frame in NOISE[:3]]
    streams = encoder(Codec.G722, ["b", "d"], streams)
    sent += [streams.encode(frame[[1, 0]])[0] for frame in NOISE[3:]]

    assert sent == wanted


def test_a_g722_stream_that_was_away_begins_anew() -> None:
    streams = encoder(Codec.G722, ["a"])
    streams.encode(NOISE[0, :1])
    streams = encoder(Codec.G722, ["b"], streams)
    streams = encoder(Codec.G722, ["a"], streams)

    assert streams.encode(NOISE[1, :1])[0] == G722Encoder().encode(NOISE[1, 0])


@pytest.mark.parametrize(
    ("codec", "octets", "level"),
    [(Codec.PCMA, 160, 8), (Codec.G722, 160, 20), (Codec.L16, 320, 0), (Codec.L16_16K, 640, 0)],
)
def test_who_has_not_spoken_is_greeted_with_silence_of_his_own_codec(codec: Codec, octets: int, level: int) -> None:
    bench = Bench()
    a = bench.leg("a", codec=codec, ptime_ms=40)
    a.latched = None
    bench.heard(a)
    for _ in range(2):
        bench.now += 0.5
        bench.board.greet(a, bench.now)

    one, two = bench.heard(a)
    assert (len(one.payload), one.payload_type, one.marker) == (octets, a.tx.payload_type, True)
    assert two.stamp - one.stamp & 0xFFFFFFFF == FORMS[codec].units * 25
    assert np.abs(decoded([one], codec)).max() <= level
