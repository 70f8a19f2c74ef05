"""Legs that hear a player alone are sent their frames by one call for many."""

from __future__ import annotations

import numpy as np

from engine.media.codecs import FRAME
from engine.media.commands import CloseLeg, Codec, Direction, Disconnect, Play, Sound, StopPlay
from engine.media.prompts import Clip
from tests.support.media_fakes import Bench, Speaker, remote


def tone_clip(frames: int) -> Clip:
    return Clip(np.full(frames * FRAME, 1000, np.int16))


def on_hold(count: int) -> tuple[Bench, list[str]]:
    bench = Bench()
    bench.files.clips["music.wav"] = tone_clip(50)
    names = [f"leg{number}" for number in range(count)]
    for name in names:
        bench.leg(name)
        bench.do(Play(leg=name, player=name, playlist=(Sound(file="music.wav"),), loop=True))
    return bench, names


def packets(bench: Bench, names: list[str]) -> list[int]:
    return [len(bench.wire.sent[bench.board.legs[name].port]) for name in names]


def test_all_who_hear_music_are_served_by_one_call() -> None:
    bench, names = on_hold(5)
    before = packets(bench, names)
    bench.pass_tick(10)
    assert bench.wire.volleys == 10
    assert [now - was for now, was in zip(packets(bench, names), before, strict=True)] == [10] * 5


def test_who_hangs_up_is_sent_nothing_more_and_the_others_hear_on() -> None:
    bench, names = on_hold(5)
    bench.pass_tick(3)
    port = bench.board.legs["leg2"].port
    bench.do(CloseLeg(leg="leg2"))
    sent = len(bench.wire.sent[port])
    left = [name for name in names if name != "leg2"]
    before = packets(bench, left)
    bench.pass_tick(3)
    assert len(bench.wire.sent[port]) == sent
    assert [now - was for now, was in zip(packets(bench, left), before, strict=True)] == [3] * 4


def test_who_is_held_meanwhile_is_sent_nothing_until_it_listens_again() -> None:
    bench, names = on_hold(3)
    bench.pass_tick(3)
    bench.do(remote("leg1", direction=Direction.INACTIVE))
    before = packets(bench, names)
    bench.pass_tick(4)
    assert [now - was for now, was in zip(packets(bench, names), before, strict=True)] == [4, 0, 4]
    bench.do(remote("leg1", direction=Direction.SENDRECV))
    bench.pass_tick(2)
    assert [now - was for now, was in zip(packets(bench, names), before, strict=True)] == [6, 2, 6]


def test_a_sound_that_ends_for_one_is_told_and_the_others_miss_nothing() -> None:
    bench, names = on_hold(3)
    bench.files.clips["short.wav"] = tone_clip(2)
    bench.do(Play(leg="leg0", player="short", playlist=(Sound(file="short.wav"),)))
    before = packets(bench, names)
    bench.pass_tick(5)
    assert [now - was for now, was in zip(packets(bench, names), before, strict=True)] == [2, 5, 5]


def test_counters_are_up_to_date_for_who_asks() -> None:
    bench, _ = on_hold(2)
    bench.pass_tick(7)
    leg = bench.board.legs["leg0"]
    leg.settle()
    count = leg.tx.packets
    bench.pass_tick(7)
    leg.settle()
    assert leg.tx.packets == count + 7
    bench.do(StopPlay(leg="leg0"))
    assert leg.tx.bundle is None


def test_packets_may_wait_longer_where_nobody_is_passed_any() -> None:
    bench, _ = on_hold(1)
    assert bench.board.patience == 8
    bench.leg("a"), bench.leg("b"), bench.leg("c", codec=Codec.PCMA)
    bench.bridge("a", "c")
    assert bench.board.patience == 2
    bench.bridge("b", "a")
    bench.do(Disconnect(source="a", sink="b"))
    bench.do(Disconnect(source="b", sink="a"))
    bench.bridge("b", "leg0")
    bench.do(StopPlay(leg="leg0"))
    assert bench.board.patience == 1
    bench.do(CloseLeg(leg="b"))
    assert bench.board.patience == 2
    bench.do(CloseLeg(leg="a"))
    assert bench.board.patience == 8


def test_mixed_legs_are_sent_theirs_by_one_call_too_and_hear_what_they_would_one_by_one() -> None:
    heard = []
    for bundled in (True, False):
        bench = Bench()
        legs = [bench.leg(name, codec=codec) for name, codec in zip("abcd", (Codec.PCMU, Codec.PCMA) * 2, strict=True)]
        if not bundled:
            for leg in legs:
                leg.tx.descriptor = -1
        bench.bridge("a", "b")
        bench.bridge("c", "d")
        speakers = [Speaker(leg, payload_type=leg.payload_type) for leg in legs]
        for turn in range(8):
            for speaker in speakers:
                bench.speak(speaker, bytes([turn * 4 + 3]) * 160)
            bench.pass_tick()
        assert (bench.wire.volleys > 0) is bundled
        heard.append([bench.heard(leg) for leg in legs])
    assert heard[0] == heard[1]
    assert all(len(each) >= 8 for each in heard[0])


def test_when_nobody_is_mixed_any_more_nobody_is_in_a_bundle() -> None:
    bench = Bench()
    legs = [bench.leg("a"), bench.leg("b", codec=Codec.PCMA), bench.leg("c"), bench.leg("d", codec=Codec.PCMA)]
    bench.bridge("a", "b")
    bench.bridge("c", "d")
    bench.pass_tick(3)
    assert any(leg.tx.bundle for leg in legs)
    for one, other in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        bench.do(Disconnect(source=one, sink=other))
    bench.pass_tick(3)
    assert [leg.tx.bundle for leg in legs] == [None] * 4
    bench.bridge("a", "c")
    bench.speak(Speaker(legs[0]))
    assert bench.heard(legs[2])[-1].payload == b"\x80" * 160
