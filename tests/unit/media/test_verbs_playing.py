"""Playlists and keys that end them, on the whole pure part."""

from __future__ import annotations

import numpy as np
import pytest

from engine.media.codecs import decode, encode
from engine.media.commands import CloseLeg, Codec, Connect, Play, Sound, StopPlay, Tone
from engine.media.dtmf_out import DigitSender
from engine.media.events import DtmfDigit, LegFailed, MediaEvent, PlayFinished, SoundSkipped
from engine.media.prompts import Clip
from tests.support.media_fakes import Bench, Speaker, remote

LINEAR = Codec.L16


@pytest.fixture
def bench() -> Bench:
    return Bench()


def level(bench: Bench, name: str, value: int, frames: int) -> Sound:
    """A file in which every sample is `value`."""
    bench.files.clips[name] = Clip(np.full(160 * frames, value, np.int16))
    return Sound(file=name)


def play(bench: Bench, *sounds: Sound, leg: str = "a", **changes: object) -> None:
    values: dict[str, object] = {"leg": leg, "player": "p", "playlist": sounds}
    bench.do(Play(**(values | changes)))  # type: ignore[arg-type]


def heard(bench: Bench, leg: str = "a") -> list[int]:
    """The level of each packet that was sent."""
    found = bench.heard(bench.board.legs[leg])
    return [int(decode(np.frombuffer(each.payload, np.uint8), LINEAR)[80]) for each in found]


def told(bench: Bench) -> list[MediaEvent]:
    kinds = PlayFinished, SoundSkipped, LegFailed, DtmfDigit
    return [event for event in bench.told() if isinstance(event, kinds)]


def asked(bench: Bench) -> list[str]:
    return [path for path, _ in bench.files._asked]


# --- playlists ---


def test_files_tones_and_silence_follow_on_each_other_without_a_gap(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    first, second = level(bench, "1", 1000, 3), level(bench, "2", 2000, 2)
    play(bench, first, Sound(silence_ms=50), second)
    bench.pass_tick(12)

    assert heard(bench) == [1000] * 3 + [0] * 3 + [2000] * 2
    assert told(bench) == [PlayFinished(leg="a", player="p", played_ms=160)]


def test_the_next_file_is_loaded_while_one_plays_and_those_before_are_let_go(bench: Bench) -> None:
    a = bench.leg("a", codec=LINEAR)
    sounds = [level(bench, name, at, 3) for at, name in enumerate("xyz", 1)]
    bench.files.later = True
    play(bench, *sounds, loop=True)
    assert asked(bench) == ["x"]
    bench.files.deliver()
    assert asked(bench) == []
    bench.pass_tick()
    assert asked(bench) == ["y"]
    bench.files.deliver()
    bench.pass_tick(3)
    assert asked(bench) == ["z"]
    assert a.player is not None
    assert [item.clip is not None for item in a.player.items] == [False, True, False]
    bench.files.deliver()
    bench.pass_tick(3)
    assert asked(bench) == ["x"]
    bench.files.deliver()
    bench.pass_tick(4)

    assert heard(bench) == [1] * 3 + [2] * 3 + [3] * 3 + [1] * 2


def test_a_slow_disk_is_silence_until_the_sound_comes(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    sounds = [level(bench, name, at, 2) for at, name in enumerate("xy", 1)]
    bench.files.later = True
    play(bench, *sounds)
    bench.files.deliver()
    bench.pass_tick(5)
    bench.files.deliver()
    bench.pass_tick(4)

    assert heard(bench) == [1, 1, 0, 0, 0, 2, 2]
    assert told(bench) == [PlayFinished(leg="a", player="p", played_ms=140)]


def test_a_sound_that_is_not_there_is_told_and_left_out(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, Sound(file="none"), level(bench, "x", 1, 2), Sound(file="gone"), level(bench, "y", 2, 2), loop=True)
    bench.pass_tick(10)

    assert heard(bench) == [1, 1, 2, 2, 1, 1, 2, 2, 1, 1]
    reason = "No such file or directory"
    assert told(bench) == [
        SoundSkipped(leg="a", player="p", file="none", reason=reason),
        SoundSkipped(leg="a", player="p", file="gone", reason=reason),
    ]


def test_the_last_sound_may_be_the_one_that_is_not_there(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 1, 2), Sound(file="gone"))
    bench.pass_tick(5)

    assert heard(bench) == [1, 1]
    assert [type(event) for event in told(bench)] == [SoundSkipped, PlayFinished]


@pytest.mark.parametrize("loop", [False, True])
def test_a_playlist_of_which_nothing_is_there_fails_once(bench: Bench, loop: bool) -> None:
    a = bench.leg("a", codec=LINEAR)
    play(bench, Sound(file="one"), Sound(file="two"), loop=loop)
    bench.pass_tick(5)

    assert [type(event) for event in told(bench)] == [SoundSkipped, LegFailed]
    assert heard(bench) == []
    assert a.pending is a.player is None


def test_a_loop_whose_files_vanish_goes_on_with_the_one_that_it_has(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 1, 2), level(bench, "y", 2, 2), loop=True)
    bench.pass_tick()
    bench.files.clips.clear()
    bench.pass_tick(20)

    assert heard(bench) == [1, 1] + [2] * 19
    assert [(type(event), event.file) for event in told(bench)] == [(SoundSkipped, "x")]  # type: ignore[union-attr]


def test_gain_is_that_of_the_whole_playlist(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 1000, 1), level(bench, "y", 2000, 1), gain_db=-6.0206)
    bench.pass_tick(2)

    assert heard(bench) == [500, 1000]


def test_tones_are_those_of_their_country(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, Sound(tone=Tone.DIAL, country="de"), loop=True)
    bench.pass_tick(50)
    packets = bench.heard(bench.board.legs["a"])
    sound = np.concatenate([decode(np.frombuffer(each.payload, np.uint8), LINEAR) for each in packets])

    assert np.argmax(np.abs(np.fft.rfft(sound.astype(float)))) == 425


# --- keys ---


def press(bench: Bench, speaker: Speaker, code: int, *, packets: int = 7) -> None:
    """A key as RFC 4733 sends it: four updates and three ends."""
    stamp = speaker.stamp
    for number in range(1, packets + 1):
        end = 0x80 if number > 4 else 0
        speaker.payload_type, speaker.stamp = 101, stamp
        bench.speak(speaker, bytes((code, end | 10)) + (160 * min(number, 5)).to_bytes(2), marker=number == 1)
        bench.pass_tick()
    speaker.payload_type, speaker.stamp = 0, stamp + 960


def test_a_key_ends_the_playing_when_it_is_pressed_and_is_told_when_it_is_over(bench: Bench) -> None:
    a = bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 7, 500), stop_digits="12*")
    bench.pass_tick(10)
    speaker = Speaker(a)
    press(bench, speaker, 5)
    assert told(bench) == [DtmfDigit(leg="a", digit="5", duration_ms=100)]
    assert len(heard(bench)) == 17
    press(bench, speaker, 10, packets=1)

    assert told(bench) == [PlayFinished(leg="a", player="p", digit="*", played_ms=340)]
    press(bench, speaker, 11)
    assert heard(bench) == []
    assert told(bench) == [
        DtmfDigit(leg="a", digit="*", duration_ms=20),
        DtmfDigit(leg="a", digit="#", duration_ms=100),
    ]


def test_a_key_of_which_only_the_end_was_heard_ends_it_too(bench: Bench) -> None:
    a = bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 7, 500), stop_digits="1")
    bench.pass_tick(2)
    speaker = Speaker(a, payload_type=101)
    bench.speak(speaker, bytes((1, 0x80 | 10)) + (800).to_bytes(2))

    assert told(bench) == [
        DtmfDigit(leg="a", digit="1", duration_ms=100),
        PlayFinished(leg="a", player="p", digit="1", played_ms=40),
    ]


def test_a_key_counts_while_the_file_is_being_read(bench: Bench) -> None:
    a = bench.leg("a", codec=LINEAR)
    bench.files.later = True
    play(bench, level(bench, "x", 7, 500), stop_digits="1")
    press(bench, Speaker(a), 1)
    bench.files.deliver()
    bench.pass_tick(5)

    assert told(bench)[0] == PlayFinished(leg="a", player="p", digit="1")
    assert heard(bench) == []


def test_a_key_of_the_other_side_ends_nothing(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    b = bench.leg("b", codec=LINEAR)
    bench.bridge("a", "b")
    play(bench, level(bench, "x", 7, 500), stop_digits="1")
    press(bench, Speaker(b), 1)

    assert not [event for event in told(bench) if isinstance(event, PlayFinished)]


def test_a_key_beside_the_sound_ends_it_if_it_is_one_of_them(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    bench.do(StopPlay(leg="a", digit="1"))
    play(bench, level(bench, "x", 7, 500), stop_digits="1")
    bench.pass_tick(3)
    bench.do(StopPlay(leg="a", digit="2"))
    bench.pass_tick(3)
    bench.do(StopPlay(leg="a", digit="1"), StopPlay(leg="a", digit="1"))
    bench.pass_tick(3)

    assert len(heard(bench)) == 6
    assert told(bench) == [PlayFinished(leg="a", player="p", digit="1", played_ms=120)]


def tone_of(key: str, frames: int = 6) -> list[bytes]:
    sender = DigitSender()
    sender.add(key, 20 * frames)
    sound = []
    while sender:
        sound.append(sender.sound())
    return [frame.astype(">i2").tobytes() for frame in (*sound, *[np.zeros(160, np.int16)] * 8)]


@pytest.mark.parametrize("mixed", [False, True])
def test_keys_are_looked_for_in_the_sound_where_nothing_else_would_tell_them(bench: Bench, mixed: bool) -> None:
    a = bench.leg("a", codec=LINEAR, dtmf_payload_type=None)
    if mixed:
        bench.leg("b", codec=LINEAR)
        bench.do(Connect(source="b", sink="a"))
    speaker = Speaker(a, payload_type=96)
    play(bench, level(bench, "x", 7, 500), stop_digits="5")
    assert bench.board.step.ears
    for payload in (*tone_of("3"), *tone_of("5")):
        bench.speak(speaker, payload)
        bench.pass_tick()
    events = told(bench)

    assert [event.digit for event in events if isinstance(event, DtmfDigit)] == ["3", "5"]
    finished = [event for event in events if isinstance(event, PlayFinished)]
    assert [event.digit for event in finished] == ["5"]
    assert finished[0].played_ms <= 20 * (len(tone_of("3")) + 5)
    assert events.index(finished[0]) < events.index(events[-1])  # pressed, then told when it was over
    assert not bench.board.step.ears
    bench.pass_tick(2)
    assert bench.board.table.rows == 0


def test_nobody_listens_where_no_key_ends_it_or_telephone_events_do(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR, dtmf_payload_type=None)
    bench.leg("b", codec=LINEAR)
    play(bench, level(bench, "x", 7, 500))
    play(bench, level(bench, "x", 7, 500), leg="b", stop_digits="5")

    assert not bench.board.step.ears
    play(bench, level(bench, "x", 7, 500), stop_digits="5")
    assert bench.board.step.ears
    bench.do(StopPlay(leg="a"))
    assert not bench.board.step.ears
    play(bench, level(bench, "x", 7, 2), stop_digits="5")
    bench.pass_tick(4)
    assert not bench.board.step.ears
    play(bench, Sound(file="none"), stop_digits="5")
    assert not bench.board.step.ears


def test_a_leg_that_is_closed_amid_all_this_leaves_nothing(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR, dtmf_payload_type=None)
    bench.files.later = True
    play(bench, level(bench, "x", 7, 500), level(bench, "y", 7, 500), stop_digits="5")
    bench.files.deliver()
    bench.pass_tick(2)
    bench.do(CloseLeg(leg="a"))
    bench.files.deliver()
    bench.pass_tick(2)

    assert not bench.board.step.due
    assert bench.board.table.rows == 0
    assert not [event for event in told(bench) if isinstance(event, PlayFinished)]


def test_a_codec_that_cannot_be_encoded_ends_it_clearly(bench: Bench) -> None:
    bench.leg("a", codec=LINEAR)
    play(bench, level(bench, "x", 7, 500), loop=True)
    bench.pass_tick(2)
    bench.do(remote("a", codec=Codec.OPAQUE, opaque="opus/48000/2", clock_rate=48000, dtmf_payload_type=None))

    (event,) = told(bench)
    assert isinstance(event, LegFailed)
    assert event.reason == "opus/48000/2 can only be passed through: nothing can be played in it"


def test_a_codec_that_changes_amid_a_playing_is_the_one_of_the_next_packet(bench: Bench) -> None:
    a = bench.leg("a", codec=Codec.PCMU)
    play(bench, level(bench, "x", 8000, 100))
    bench.pass_tick(5)
    bench.do(remote("a", codec=Codec.PCMA))
    bench.pass_tick(5)
    sent = [(each.payload_type, each.payload[80]) for each in bench.heard(a)]
    mu, alaw = (int(encode(np.full(1, 8000, np.int16), codec)[0]) for codec in (Codec.PCMU, Codec.PCMA))

    assert sent == [(0, mu)] * 5 + [(8, alaw)] * 5
