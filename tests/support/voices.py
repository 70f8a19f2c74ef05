"""Sound of any codec for media legs on stand-ins: peers that say it in packets, and what a leg was sent as samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import FORMS, decode, encode
from engine.media.commands import Codec
from engine.media.g722 import G722Decoder, G722Encoder
from engine.media.leg import Leg
from tests.support.media_fakes import Bench, Sent, Speaker

Sound = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Samples, in steps of 16 bits, at these times (seconds)."""


def rate_of(codec: Codec) -> int:
    return FORMS[codec].samples * 50


def coded(samples: NDArray[np.float64], codec: Codec) -> list[bytes]:
    """Payloads of 20 ms of sound at the codec's own rate."""
    form = FORMS[codec]
    pcm = np.clip(np.rint(samples), -32768, 32767).astype(np.int16)
    octets = G722Encoder().encode(pcm) if codec is Codec.G722 else encode(pcm, codec).tobytes()
    return [octets[at : at + form.octets] for at in range(0, len(octets), form.octets)]


def decoded(packets: list[Sent], codec: Codec) -> NDArray[np.float64]:
    """Samples at the codec's own rate."""
    octets = b"".join(packet.payload for packet in packets)
    if codec is Codec.G722:
        return G722Decoder().decode(octets).astype(float)
    return decode(np.frombuffer(octets, np.uint8), codec).astype(float)


def talk(bench: Bench, sounds: dict[Leg, Sound], *, frames: int, between: Callable[[], None] = lambda: None) -> None:
    """The peer of each leg says its sound for so many frames, in the leg's codec; a packet and a tick by turns, and
    whatever else is to happen `between` them."""
    said = {}
    for leg, sound in sounds.items():
        rate = rate_of(leg.codec)
        said[leg] = coded(sound(np.arange(frames * rate // 50) / rate), leg.codec)
    speakers = {leg: Speaker(leg, payload_type=leg.payload_type, ssrc=leg.port) for leg in sounds}
    for frame in range(frames):
        for leg, speaker in speakers.items():
            speaker.stamp = 1_000_000 + frame * FORMS[leg.codec].units
            bench.speak(speaker, said[leg][frame])
        between()
        bench.pass_tick()


def tones(levels: dict[float, float]) -> Sound:
    """Sines of these peaks by frequency, at phases that add up to no great peak."""

    def sound(times: NDArray[np.float64]) -> NDArray[np.float64]:
        parts = [
            peak * np.sin(2 * np.pi * frequency * times + at * at)
            for at, (frequency, peak) in enumerate(levels.items())
        ]
        return np.asarray(np.sum(parts, axis=0))

    return sound


def later(sound: Sound, seconds: float) -> Sound:
    return lambda times: sound(times - seconds)


def db(ratio: float) -> float:
    """Of a ratio of powers."""
    return float(10 * np.log10(max(ratio, 1e-12)))
