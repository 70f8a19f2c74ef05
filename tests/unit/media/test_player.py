"""The place of one listener in a playlist."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import FRAME, decode
from engine.media.commands import Codec
from engine.media.player import Item, Player, silence
from engine.media.prompts import Clip


def ramp(begin: int, samples: int) -> Clip:
    return Clip(np.arange(begin, begin + samples).astype(np.int16))


def player(*items: Item, loop: bool = False) -> Player:
    return Player(name="p", items=items, loop=loop, gain_db=0.0)


def heard(one: Player, frames: int) -> list[int]:
    """The first sample of each frame; -1 at the end."""
    found = [one.frame() for _ in range(frames)]
    return [-1 if frame is None else int(frame[0]) for frame in found]


def test_items_follow_on_each_other_without_a_hole() -> None:
    one = player(Item(ramp(1000, 330)), Item(ramp(2000, 480)), Item(ramp(3000, 200)))

    assert heard(one, 9) == [1000, 1160, 2000, 2160, 2320, 3000, 3160, -1, -1]
    assert one.played == 7


def test_only_the_last_item_keeps_what_fills_no_frame() -> None:
    one = player(Item(ramp(1000, 200)), Item(ramp(2000, 200)))
    frames = [one.frame() for _ in range(3)]

    assert frames[0] is not None
    assert frames[0][-1] == 1159
    assert frames[2] is not None
    assert frames[2][38:42].tolist() == [2198, 2199, 0, 0]


def test_a_list_is_repeated_as_a_whole() -> None:
    one = player(Item(ramp(1000, 330)), silence(2), Item(ramp(2000, 200)), loop=True)

    assert heard(one, 11) == [1000, 1160, 0, 0, 2000, 1000, 1160, 0, 0, 2000, 1000]


def test_the_same_in_payloads_as_in_frames() -> None:
    items = (Item(ramp(1000, 330)), silence(3), Item(ramp(2000, 480)))
    frames, payloads, turns = (player(*items, loop=True) for _ in range(3))
    for at in range(30):
        frame = frames.frame()
        payload = payloads.payload(Codec.L16)
        both = turns.payload(Codec.L16) if at % 3 else turns.frame()
        assert frame is not None
        assert payload == frame.astype(">i2").tobytes()
        assert both is not None
        assert (both if isinstance(both, bytes) else both.astype(">i2").tobytes()) == payload
        assert np.array_equal(payloads.shown(), frame)
        assert payloads.shown(320).shape == (320,)


def test_what_is_shown_before_the_first_frame_is_silence() -> None:
    assert not player(Item(ramp(1000, 330))).shown().any()


def test_silence_has_its_length_in_every_codec() -> None:
    for codec in (Codec.PCMA, Codec.G722, Codec.L16_16K):
        one = player(silence(5), Item(ramp(0, 160)))
        payloads = [one.payload(codec) for _ in range(7)]
        assert [payload is None for payload in payloads] == [False] * 6 + [True]
    assert not decode(np.frombuffer(player(silence(1)).payload(Codec.L16) or b"x", np.uint8), Codec.L16).any()


def test_the_place_of_each_item_that_begins_is_told() -> None:
    one = player(Item(ramp(0, 160)), silence(1), Item(ramp(1, 160)), loop=True)
    told: list[int] = []
    one.wanted = lambda _, place: told.append(place)
    heard(one, 7)

    assert told == [0, 1, 2, 0, 1, 2, 0]


def test_silence_is_heard_until_an_item_has_come_and_none_of_it_is_missed() -> None:
    late = Item(None)
    one = player(Item(ramp(1000, 160)), late, Item(ramp(3000, 160)))

    assert heard(one, 4) == [1000, 0, 0, 0]
    late.clip = ramp(2000, 320)
    assert heard(one, 4) == [2000, 2160, 3000, -1]


def test_an_item_that_is_broken_is_left_out() -> None:
    missing, late = Item(None), Item(None)
    missing.broken = True
    one = player(Item(ramp(1000, 160)), missing, late, Item(ramp(3000, 160)))
    assert heard(one, 2) == [1000, 0]
    late.broken = True
    assert heard(one, 2) == [3000, -1]


def test_a_list_of_which_nothing_can_be_played_any_more_ends() -> None:
    items = Item(ramp(1000, 160)), Item(ramp(2000, 160))
    one = player(*items, loop=True)
    assert heard(one, 3) == [1000, 2000, 1000]
    for item in items:
        item.broken = True

    assert heard(one, 2) == [-1, -1]


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.G722])
def test_a_loop_of_one_clip_goes_on_where_a_list_begins_anew(codec: Codec) -> None:
    clip = Clip(np.random.default_rng(1).integers(-8000, 8000, 5 * FRAME).astype(np.int16))
    alone, twice = player(Item(clip), loop=True), player(Item(clip), Item(clip), loop=True)
    first = [alone.payload(codec) for _ in range(15)]
    second = [twice.payload(codec) for _ in range(15)]

    assert first[:5] == second[:5] == second[5:10]
    assert (first[5:10] == first[:5]) is (codec is Codec.PCMU)  # the coder's state goes on


def test_who_takes_what_is_ready_hears_the_same_and_keeps_his_place() -> None:
    items = (Item(ramp(1000, 9000)), silence(3), Item(ramp(2000, 480)))
    plain, quick = player(*items, loop=True), player(*items, loop=True)
    taken = 0
    for at in range(400):
        expected = plain.frame()
        assert expected is not None
        ready = next(quick.ready, None) if at % 13 else None
        taken += ready is not None
        frame = quick.frame() if at % 50 == 49 else None
        payload = expected.astype(">i2").tobytes() if frame is not None else ready or quick.payload(Codec.L16)
        if at % 50 == 49:
            if ready is None:
                assert np.array_equal(frame, expected)
            else:
                plain.frame()
        assert payload == expected.astype(">i2").tobytes()
        if at % 7 == 0:
            assert quick.played == plain.played
            assert np.array_equal(quick.shown(), plain.shown())

    assert taken > 200


def test_what_is_ready_is_taken_back_when_the_codec_changes() -> None:
    one = player(Item(ramp(1000, 3200)))
    first = [one.payload(Codec.L16), next(one.ready), next(one.ready)]
    one.settle()
    assert next(one.ready, None) is None
    wide = one.payload(Codec.L16_16K)

    assert first[2] == np.arange(1320, 1480).astype(">i2").tobytes()
    assert wide is not None
    assert np.frombuffer(wide, ">i2")[0] == pytest.approx(1480, abs=2)
    assert one.played == 4
