"""Clips for ears of 16 kHz, and in a codec whose coder has a state."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media import prompts
from engine.media.codecs import WIDE_RATE, encode
from engine.media.commands import Codec, Play, Sound, Tone
from engine.media.g722 import DELAY, G722Decoder, G722Encoder
from engine.media.matrix import Route
from engine.media.player import Item, Player
from engine.media.prompts import Clip
from engine.media.tones import render
from tests.support.media_fakes import Bench
from tests.support.voices import db, decoded, rate_of


def sine(pitch: float, rate: int, seconds: float, peak: float = 8000) -> np.ndarray:
    return np.rint(peak * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)).astype(np.int16)


def residue(heard: np.ndarray, pitch: float, rate: int, *, piece_s: float = 0.01) -> float:
    """The loudest piece of all that is not the tone, in dB of the tone."""
    times = np.arange(len(heard)) / rate
    basis = np.stack([np.sin(2 * np.pi * pitch * times), np.cos(2 * np.pi * pitch * times)]).T
    parts = np.linalg.lstsq(basis, heard, rcond=None)[0]
    piece = round(piece_s * rate)
    rest = (heard - basis @ parts)[: len(heard) // piece * piece].reshape(-1, piece)
    return db(float(np.max(np.mean(rest**2, axis=1)) / (np.sum(parts**2) / 2)))


def test_a_narrow_clip_is_resampled_for_wide_ears() -> None:
    clip = Clip(sine(1004, 8000, 1.0))
    heard = np.concatenate([clip.frame(at, 320) for at in range(50)]).astype(float)

    assert np.abs(heard - sine(1004, 16000, 1.0))[60:-60].max() < 15
    assert np.array_equal(clip.frame(7, 160), clip.frames[7])


def test_a_clip_that_has_both_gives_each_its_own() -> None:
    clip = Clip(np.full(400, 5, np.int16), np.full(800, 7, np.int16))

    assert (clip.frame(0, 160)[0], clip.frame(0, 320)[0]) == (5, 7)
    assert clip.frame(2, 320).tolist() == [7] * 160 + [0] * 160


@pytest.mark.parametrize("codec", [Codec.G722, Codec.L16, Codec.L16_16K])
def test_a_player_alone_is_heard_at_its_level_in_every_codec(codec: Codec) -> None:
    bench = Bench()
    a = bench.leg("a", codec=codec)
    bench.do(Play(leg="a", player="p", playlist=(Sound(tone=Tone.MILLIWATT),), loop=True, gain_db=-6.0))
    bench.pass_tick(175)

    assert a.route is Route.PLAYER
    heard = decoded(bench.heard(a), codec)[rate_of(codec) // 10 :]
    level = np.sqrt(2 * np.mean(heard**2))
    assert 20 * np.log10(level / 22828) == pytest.approx(-6.0, abs=0.05)
    # Also where the tone's second begins anew.
    assert residue(heard, 1004, rate_of(codec)) < (-30 if codec is Codec.G722 else -60)


def test_a_g722_clip_is_encoded_once_in_order_and_shared() -> None:
    clip = Clip(sine(1004, 8000, 0.2), sine(1004, 16000, 0.2))
    first, second = (Player(name=name, items=[Item(clip)], loop=False, gain_db=0.0) for name in "ab")
    whole = G722Encoder().encode(sine(1004, 16000, 0.2))
    one = [first.payload(Codec.G722) for _ in range(11)]
    two = [second.payload(Codec.G722) for _ in range(11)]

    assert b"".join(payload for payload in one if payload is not None) == whole
    assert one[10] is two[10] is None
    assert all(x is y for x, y in zip(one, two, strict=True))


def music(rate: int, seconds: float) -> np.ndarray:
    times = np.arange(round(rate * seconds)) / rate
    chord = ((261.6, 2000), (329.6, 2000), (392, 2000), (1046, 700), (2093, 300))
    sound = np.sum([peak * np.sin(2 * np.pi * pitch * times + pitch) for pitch, peak in chord], axis=0)
    return np.rint(sound * (0.6 + 0.4 * np.sin(4 * np.pi * times))).astype(np.int16)


def errors(octets: bytes, sound: np.ndarray) -> np.ndarray:
    """What is wrong in each 10 ms, in dB of the sound."""
    heard = G722Decoder().decode(octets).astype(float)[DELAY:]
    pieces = len(heard) // 160
    wrong = (heard - sound[: len(heard)])[: pieces * 160].reshape(-1, 160)
    return np.asarray(10 * np.log10(np.mean(wrong**2, axis=1) / np.mean(sound.astype(float) ** 2)))


@pytest.mark.parametrize("seconds", [0.1, 2.0])
def test_a_loop_in_g722_has_no_click_at_its_seams(seconds: float) -> None:
    clip = Clip(music(8000, seconds), music(16000, seconds))
    player = Player(name="p", items=[Item(clip)], loop=True, gain_db=0.0)
    octets = b"".join(player.payload(Codec.G722) or b"" for _ in range(350))
    wrong = errors(octets, np.tile(music(16000, seconds), round(8 / seconds)))

    assert wrong[10:].max() < (-30 if seconds > 1 else -20)  # a tenth of a second over and over is a buzz


def test_the_rounds_of_a_loop_come_again_after_five_minutes() -> None:
    clip = Clip(music(8000, 10.0), music(16000, 10.0))
    bases = [clip.base(Codec.G722, turn) for turn in range(33)]

    assert bases == [0, *range(500, 15_500, 500), 500, 1000]
    assert clip.base(Codec.PCMU, 7) == 0
    assert len({id(clip.payloads(Codec.G722, 0.0, loop=loop)) for loop in (True, True, False)}) == 2


def test_who_comes_in_the_middle_of_a_long_clip_waits_for_nothing_and_hears_no_click() -> None:
    sound = music(16000, 20.0)
    clip = Clip(music(8000, 20.0), sound)
    player = Player(name="p", items=[Item(clip)], loop=False, gain_db=0.0)
    before = G722Encoder()  # what the leg had while a voice was mixed in
    octets = b"".join(before.encode(frame) for _ in range(500) if (frame := player.frame(320)) is not None)
    octets += b"".join(player.payload(Codec.G722) or b"" for _ in range(100))
    wrong = errors(octets, sound)

    assert len(clip.payloads(Codec.G722, 0.0)) == 100  # type: ignore[arg-type]
    assert wrong[999:1040].max() < 0
    assert wrong[1040:].max() < -28


def test_two_who_hear_a_loop_from_its_beginning_share_its_rounds() -> None:
    clip = Clip(music(8000, 0.1))
    one, two = (Player(name=name, items=[Item(clip)], loop=True, gain_db=0.0) for name in "ab")
    heard = [(one.payload(Codec.G722), two.payload(Codec.G722)) for _ in range(12)]

    assert all(x is y for x, y in heard)
    assert heard[0][0] != heard[5][0]
    assert one.payload(Codec.PCMU) is [one.payload(Codec.PCMU) for _ in range(5)][-1]


def test_a_loop_leaves_the_hole_at_the_end_of_its_last_frame_out() -> None:
    clip = Clip(np.full(400, 8000, np.int16))
    player = Player(name="p", items=[Item(clip)], loop=True, gain_db=0.0)
    heard = G722Decoder().decode(b"".join(player.payload(Codec.G722) or b"" for _ in range(20)))

    assert np.abs(heard[700:-60].astype(int) - 8000).max() < 4500
    assert len(clip.payloads(Codec.G722, 0.0, loop=True)) == 20  # type: ignore[arg-type]


def test_gain_holds_in_linear_payloads() -> None:
    clip = Clip(np.full(160, 1000, np.int16), np.full(320, 1000, np.int16))

    assert clip.payloads(Codec.L16_16K, 6.0206)[0] == encode(np.full(320, 2000, np.int16), Codec.L16_16K).tobytes()
    assert clip.payloads(Codec.L16, 0.0)[0] == encode(np.full(160, 1000, np.int16), Codec.L16).tobytes()


@pytest.mark.parametrize("tone", list(Tone))
def test_a_tone_is_the_same_at_16_khz(tone: Tone) -> None:
    narrow, wide = render(tone), render(tone, WIDE_RATE)

    assert len(wide) == 2 * len(narrow)
    if len(narrow) > 8000:
        narrow, wide = narrow[:16000], wide[:32000]
    assert np.abs(wide[::2].astype(int) - narrow)[100:-100].max() <= np.abs(narrow).max() * 0.15
    assert db(float(np.mean(wide.astype(float) ** 2) / np.mean(narrow.astype(float) ** 2))) == pytest.approx(
        0, abs=0.05
    )


def test_a_long_clip_keeps_a_bounded_number_of_g722_payloads_and_coders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "_MAX_CODED", 100)
    payloads = Clip(music(8000, 10.0)).payloads(Codec.G722, 0.0)
    for at in range(300):
        assert len(payloads[at]) == 160

    assert len(payloads) == 100  # type: ignore[arg-type]
    assert len(payloads.following(250, 500)) == 24
    assert len(payloads.following(295, 500)) == 4
