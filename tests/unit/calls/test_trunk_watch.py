from __future__ import annotations

from dataclasses import replace

from engine.calls.directory import Trunk
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.trunk_watch import TrunkWatch
from engine.ids import TrunkName

PBX = Trunk(name=TrunkName("pbx"), host="192.0.2.2", ping_s=30)


class Line:
    """Notes what was asked; every question has its number as key."""

    def __init__(self) -> None:
        self.asked: list[Trunk] = []

    def ask(self, trunk: Trunk, now: float) -> int:
        self.asked.append(trunk)
        return len(self.asked)


def test_one_question_at_most_is_under_way() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    assert watch.handle_deadline(0) == []
    assert watch.next_deadline() is None
    assert watch.answered(1, 0.02, 5) == [TrunkUp(trunk=PBX.name, round_trip_s=0.02)]
    assert watch.next_deadline() == 35
    assert watch.all()[0].round_trip_s == 0.02


def test_only_a_change_is_news() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    heard = []
    for at, answer in ((0.0, 0.02), (30.0, 0.03), (60.0, None), (65.0, None), (70.0, 0.01)):
        watch.handle_deadline(at)
        heard.append([type(e) for e in watch.answered(len(line.asked), answer, at)])
    assert heard == [[TrunkUp], [], [TrunkDown], [], [TrunkUp]]
    assert len(line.asked) == 5


def test_a_trunk_that_is_down_is_asked_more_often_but_not_without_rest() -> None:
    line = Line()
    seldom, often = PBX, replace(PBX, name=TrunkName("near"), ping_s=2)
    for trunk, due in ((seldom, 15.0), (often, 12.0)):
        watch = TrunkWatch([trunk], line.ask)
        watch.handle_deadline(0)
        watch.answered(len(line.asked), None, 10)
        assert watch.next_deadline() == due


def test_an_answer_about_what_the_trunk_was_before_says_nothing_about_what_it_is() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    watch.handle_deadline(0)
    moved = replace(PBX, host="192.0.2.77")
    watch.put(moved, 1)
    assert watch.answered(1, 0.02, 2) == []
    assert watch.next_deadline() == 1
    assert watch.all()[0].up is None
    watch.handle_deadline(2)
    assert line.asked[-1] is moved
    assert watch.answered(2, None, 3) == [TrunkDown(trunk=PBX.name, reason="no answer")]
    assert watch.is_down(PBX.name)


def test_a_trunk_that_is_not_asked_any_more_is_up_and_that_is_told_once() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    watch.handle_deadline(0)
    watch.answered(1, None, 1)
    watch.put(replace(PBX, ping_s=0), 2)
    assert watch.next_deadline() == 2
    assert watch.handle_deadline(2) == [TrunkUp(trunk=PBX.name, round_trip_s=None)]
    assert watch.next_deadline() is None
    assert not watch.is_down(PBX.name)
    assert len(line.asked) == 1


def test_a_trunk_that_was_never_to_be_asked_is_up_without_a_word() -> None:
    watch = TrunkWatch([replace(PBX, ping_s=0)], Line().ask)
    assert watch.next_deadline() is None
    assert watch.all()[0].up is True


def test_a_trunk_that_was_dropped_is_forgotten_whole() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    watch.handle_deadline(0)
    watch.drop(PBX.name)
    assert watch.answered(1, 0.02, 2) == []
    assert watch.next_deadline() is None
    assert watch.all() == ()
    assert not watch.is_down(PBX.name)
