"""What one far end sees while its leg is connected, held, played to, joined and parted: always one stream."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.media.commands import Codec, Connect, Direction, Disconnect, Play, SendDtmf, Sound, StopPlay, Tone
from engine.media.leg import Leg
from engine.media.matrix import Route
from tests.support.media_fakes import HEADER, Bench, Sent, Speaker, remote

STEP_S = 0.005


@dataclass(slots=True)
class Scene:
    """Three people speak without a pause, at times of their own; a fourth leg's far end watches."""

    bench: Bench = field(default_factory=Bench)
    sink: Leg = field(init=False)
    speakers: dict[str, Speaker] = field(init=False)
    step: int = 0
    turns: int = 0
    """How often the sink's source has changed."""
    seen: list[tuple[float, int, Sent]] = field(default_factory=list)
    """When, after which turn, what."""

    def __post_init__(self) -> None:
        bench = self.bench
        self.sink = bench.leg("sink")
        self.speakers = {
            "a": Speaker(bench.leg("a"), seq=65500, stamp=0xFFFFFF00),
            "b": Speaker(bench.leg("b"), seq=3, stamp=77, ssrc=2),
            "c": Speaker(bench.leg("c", codec=Codec.PCMA), payload_type=8, ssrc=3),
        }

    def source(self) -> tuple[Route | None, str | None]:
        return self.sink.route, None if self.sink.relayed_from is None else self.sink.relayed_from.name

    def watch(self, change: Callable[[], None], *, last: bool = False) -> None:
        """Let something happen, and see what the far end gets by it. With `last`, the source changes when that has been
        sent: a tick fades out who is served in another way after it."""
        before, turn = self.source(), self.turns
        change()
        self.turns += before != self.source()
        turn = turn if last else self.turns
        self.seen += [(self.bench.now, turn, sent) for sent in self.bench.heard(self.sink)]

    def go_on(self, steps: int) -> None:
        """So many times 5 ms: a tick in every fourth, and a packet of one of the speakers in each of the others."""
        for _ in range(steps):
            self.step += 1
            self.bench.now += STEP_S
            if self.step % 4 == 0:
                self.watch(self.tick, last=True)
            else:
                speaker = list(self.speakers.values())[self.step % 4 - 1]
                self.watch(lambda speaker=speaker: self.bench.speak(speaker))

    def tick(self) -> None:
        now = self.bench.now
        self.bench.pass_tick()
        self.bench.now = now

    def do(self, what: str) -> None:
        bench = self.bench
        changes = {
            "hold": lambda: bench.do(remote("sink", direction=Direction.INACTIVE)),
            "resume": lambda: bench.do(remote("sink")),
            "play": lambda: bench.do(Play(leg="sink", player="p", playlist=(Sound(tone=Tone.RINGBACK),), loop=True)),
            "stop": lambda: bench.do(StopPlay(leg="sink")),
            "press": lambda: bench.do(SendDtmf(leg="sink", digits="5")),
            "renew": self.renew,
        }
        for name in self.speakers:
            changes[name] = lambda name=name: bench.do(Connect(source=name, sink="sink"))
            changes[f"not {name}"] = lambda name=name: bench.do(Disconnect(source=name, sink="sink"))
        self.watch(changes[what])

    def renew(self) -> None:
        """The first speaker is another one from now on."""
        speaker = self.speakers["a"]
        speaker.ssrc, speaker.seq, speaker.stamp = speaker.ssrc + 10, 9, speaker.stamp + 123_456_789
        if self.sink.relayed_from is speaker.leg:
            self.turns += 1


def is_one_stream(seen: list[tuple[float, int, Sent]]) -> None:
    """One SSRC, numbers without a gap, stamps that rise in step with time, a marker where a source begins."""
    assert len({sent.ssrc for _, _, sent in seen}) == min(1, len(seen))
    last_turn = -1
    lead = [0.0] if seen else []
    for (then, _, before), (now, _, after) in pairwise(seen):
        assert after.seq - before.seq & 0xFFFF == 1
        rise = after.stamp - before.stamp & 0xFFFFFFFF
        assert 0 < rise < 0x80000000 or (rise == 0 and after.payload_type == 101)
        lead.append(lead[-1] + rise / 8 - (now - then) * 1000)
    for (_, turn, sent), ahead in zip(seen, lead, strict=True):
        if sent.payload_type == 101:
            last_turn = -1
            continue
        assert abs(ahead) <= 20.2
        assert sent.marker == (turn != last_turn)
        last_turn = turn


WORDS = ["a", "b", "c", "not a", "not b", "not c", "hold", "resume", "play", "stop", "renew"]


@settings(max_examples=150, deadline=None)
@example([("a", 5), ("c", 3), ("not a", 4), ("not c", 4)])
@given(st.lists(st.tuples(st.sampled_from(WORDS), st.integers(1, 30)), min_size=2, max_size=25))
def test_any_changes_leave_one_stream(story: list[tuple[str, int]]) -> None:
    scene = Scene()
    for what, steps in story:
        scene.do(what)
        scene.go_on(steps)
    is_one_stream(scene.seen)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([*WORDS, "press"]), st.integers(12, 60)), min_size=2, max_size=15))
def test_digits_between_leave_one_stream(story: list[tuple[str, int]]) -> None:
    scene = Scene()
    for what, steps in story:
        scene.do(what)
        scene.go_on(steps)
    sounds = [sent.stamp for _, _, sent in scene.seen if sent.payload_type != 101]
    assert all(after.seq - before.seq & 0xFFFF == 1 for (_, _, before), (_, _, after) in pairwise(scene.seen))
    assert all(0 < after - before & 0xFFFFFFFF < 0x80000000 for before, after in pairwise(sounds))


def test_a_hundred_quick_changes_do_not_add_up() -> None:
    scene = Scene()
    for _ in range(100):
        for what in ("a", "not a", "b", "not b"):
            scene.do(what)
            scene.go_on(3)
    assert len(scene.seen) == 100
    is_one_stream(scene.seen)


def test_two_sources_by_turns_within_each_packet_do_not_add_up() -> None:
    scene = Scene()
    for _ in range(50):
        for what, steps in (("a", 1), ("not a", 0), ("b", 1), ("not b", 2)):
            scene.do(what)
            scene.go_on(steps)
    assert len(scene.seen) == 100
    is_one_stream(scene.seen)


def test_a_straggler_of_a_source_that_begins_takes_nobodys_number() -> None:
    scene = Scene()
    scene.do("a")
    scene.go_on(8)
    scene.do("not a")
    scene.do("b")
    speaker = scene.speakers["b"]
    speaker.seq += 1
    speaker.stamp += 160
    scene.watch(lambda: scene.bench.speak(speaker))
    late = HEADER.pack(0x80, 0, speaker.seq - 2, speaker.stamp - 320, speaker.ssrc) + b"x" * 160
    scene.watch(lambda: scene.bench.arrive(speaker.leg, late))
    scene.watch(lambda: scene.bench.speak(speaker))

    numbers = [sent.seq for _, _, sent in scene.seen]
    assert len(set(numbers)) == len(numbers)
    assert [after - before & 0xFFFF for before, after in pairwise(numbers)] == [1] * (len(numbers) - 1)


@pytest.mark.parametrize("marker", [True, False])
def test_a_source_exchanged_behind_one_stream_is_brought_in_step(marker: bool) -> None:
    """Same SSRC, next number, another clock altogether: music there, and then a person."""
    scene = Scene()
    scene.do("a")
    scene.go_on(40)
    speaker = scene.speakers["a"]
    speaker.stamp += 30 * 8000
    scene.turns += 1
    scene.watch(lambda: scene.bench.speak(speaker, marker=marker))
    scene.bench.now += STEP_S
    scene.go_on(40)
    is_one_stream(scene.seen)


def test_a_talkspurt_that_does_not_count_the_silence_before_it_is_brought_in_step() -> None:
    scene = Scene()
    scene.do("a")
    scene.go_on(40)
    scene.bench.now += 1.5
    scene.turns += 1
    scene.watch(lambda: scene.bench.speak(scene.speakers["a"], marker=True))
    scene.go_on(40)
    is_one_stream(scene.seen)


def test_stamps_that_wrap_are_no_other_source() -> None:
    scene = Scene()
    scene.do("a")  # 256 samples before the wrap
    scene.go_on(40)

    assert [sent.marker for _, _, sent in scene.seen] == [True] + [False] * 9
    is_one_stream(scene.seen)
