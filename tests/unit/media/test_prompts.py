from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import decode
from engine.media.commands import Codec
from engine.media.player import Item, Player
from engine.media.prompts import Clip, amplify


def ramp(count: int) -> Clip:
    return Clip(np.arange(count).astype(np.int16))


def test_the_last_frame_is_filled_with_silence() -> None:
    clip = ramp(200)

    assert clip.frames.shape == (2, 160)
    assert clip.frames[1, 39:42].tolist() == [199, 0, 0]


def test_payloads_are_encoded_once_and_shared() -> None:
    clip = ramp(480)
    players = [Player(name="p", items=[Item(clip)], loop=True, gain_db=0.0) for _ in range(2)]

    first, second = (player.payload(Codec.PCMU) for player in players)

    assert first is second
    assert len(first or b"") == 160


def test_a_player_ends_after_its_last_frame() -> None:
    player = Player(name="p", items=[Item(ramp(330))], loop=False, gain_db=0.0)

    assert [player.frame() is not None for _ in range(5)] == [True, True, True, False, False]


def test_a_loop_repeats_whole_frames_only() -> None:
    player = Player(name="p", items=[Item(ramp(330))], loop=True, gain_db=0.0)
    frames = [player.frame() for _ in range(5)]

    assert [int(frame[0]) for frame in frames if frame is not None] == [0, 160, 0, 160, 0]


def test_a_loop_shorter_than_a_frame_repeats_the_frame() -> None:
    player = Player(name="p", items=[Item(ramp(50))], loop=True, gain_db=0.0)

    assert all(player.frame() is not None for _ in range(4))


def test_payload_and_frame_walk_together_when_the_route_changes() -> None:
    player = Player(name="p", items=[Item(ramp(640))], loop=False, gain_db=0.0)
    player.payload(Codec.PCMU)
    frame = player.frame()
    third = player.payload(Codec.PCMA)

    assert frame is not None
    assert int(frame[0]) == 160
    assert third is not None
    assert decode(np.frombuffer(third, np.uint8), Codec.PCMA)[0] == pytest.approx(320, abs=16)


def test_gain_is_part_of_the_payload() -> None:
    clip = Clip(np.full(160, 8000, np.int16))
    softer = Player(name="p", items=[Item(clip)], loop=False, gain_db=-6.0206).payload(Codec.PCMU)

    assert softer is not None
    assert decode(np.frombuffer(softer, np.uint8), Codec.PCMU)[0] == pytest.approx(4000, rel=0.03)


def test_a_clip_keeps_a_bounded_number_of_encodings() -> None:
    clip = ramp(160)
    first = clip.payloads(Codec.PCMU, 0.0)
    for gain in range(1, 20):
        clip.payloads(Codec.PCMU, float(gain))

    assert clip.payloads(Codec.PCMU, 0.0) is not first
    assert clip.payloads(Codec.PCMU, 19.0) is clip.payloads(Codec.PCMU, 19.0)


def test_louder_than_full_scale_is_clipped() -> None:
    assert amplify(np.array([20000, -20000], np.int16), 6.0).tolist() == [32767, -32768]


def test_a_long_clip_keeps_a_bounded_number_of_payloads() -> None:
    clip = ramp(160 * 3500)
    payloads = clip.payloads(Codec.PCMU, 0.0)
    first = payloads[0]
    for at in range(3500):
        assert len(payloads[at]) == 160

    assert len(payloads) <= 64 * 50  # type: ignore[arg-type]
    assert payloads[0] == first
    assert list(payloads.following(10, 3500)) == [payloads[at] for at in range(11, 50)]
    assert list(payloads.following(10, 13)) == [payloads[at] for at in (11, 12)]
