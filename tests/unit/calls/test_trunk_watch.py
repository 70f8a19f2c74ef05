from __future__ import annotations

from dataclasses import replace

from engine.calls.directory import Trunk
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.trunk_watch import ANSWER_S, DOUBT_S, JITTER, RETRY_S, TrunkWatch
from engine.ids import TrunkName

PBX = Trunk(name=TrunkName("pbx"), host="192.0.2.2", ping_s=30, down_after=1, up_after=1)


class Line:
    """Notes what was asked; every question has its number as key."""

    def __init__(self) -> None:
        self.asked: list[Trunk] = []

    def ask(self, trunk: Trunk, now: float) -> int:
        self.asked.append(trunk)
        return len(self.asked)


def about(seconds: float | None, wanted: float) -> bool:
    """Whether this is the interval, give or take the tenth by which intervals differ."""
    return seconds is not None and abs(seconds - wanted) <= JITTER * wanted


def test_one_question_at_most_is_under_way() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    assert watch.handle_deadline(0) == []
    assert watch.next_deadline() == ANSWER_S
    assert watch.answered(1, 0.02, 4) == [TrunkUp(trunk=PBX.name, round_trip_s=0.02)]
    due = watch.next_deadline()
    assert due is not None
    assert about(due - 4, 30)
    assert watch.all()[0].round_trip_s == 0.02
    assert len(line.asked) == 1


def test_only_a_change_is_news() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    heard = []
    for at, answer in ((0.0, 0.02), (40.0, 0.03), (80.0, None), (90.0, None), (100.0, 0.01)):
        watch.handle_deadline(at)
        heard.append([type(e) for e in watch.answered(len(line.asked), answer, at)])
    assert heard == [[TrunkUp], [], [TrunkDown], [], [TrunkUp]]
    assert len(line.asked) == 5


def test_a_question_that_nobody_answers_is_given_up_and_its_late_answer_passed_over() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    watch.handle_deadline(0)
    assert watch.handle_deadline(ANSWER_S) == [TrunkDown(trunk=PBX.name, reason="no answer")]
    assert watch.answered(1, 0.02, ANSWER_S + 0.1) == []
    assert watch.is_down(PBX.name)
    assert len(line.asked) == 1


def test_one_bad_answer_is_no_news_and_doubt_asks_soon() -> None:
    line, steady = Line(), replace(PBX, down_after=3, up_after=2)
    watch = TrunkWatch([steady], line.ask)
    now, told = 0.0, []
    for answer in (0.1, None, None, 0.1, None, None, None, 0.1, None, 0.1, 0.1):
        now = watch.next_deadline() or now
        watch.handle_deadline(now)
        told.append([type(event) for event in watch.answered(len(line.asked), answer, now)])
        due = watch.next_deadline()
        assert due is not None
        health = watch.all()[0]
        doubtful = (health.up and health.bad) or (health.up is False and health.good)
        assert about(due - now, DOUBT_S if doubtful else RETRY_S if health.up is False else 30)
    assert told == [[TrunkUp], [], [], [], [], [], [TrunkDown], [], [], [], [TrunkUp]]


def test_a_bad_answer_counts_like_none_and_says_why() -> None:
    line = Line()
    watch = TrunkWatch([PBX], line.ask)
    watch.handle_deadline(0)
    told = watch.answered(1, 0.02, 0.02, fault="answered 503")
    assert told == [TrunkDown(trunk=PBX.name, reason="answered 503")]
    assert watch.all()[0].reason == "answered 503"


def test_where_there_is_no_way_to_send_it_is_asked_again() -> None:
    watch = TrunkWatch([PBX], lambda trunk, now: None)
    assert watch.handle_deadline(0) == [TrunkDown(trunk=PBX.name, reason="no way to send")]
    assert about(watch.next_deadline(), RETRY_S)


def test_many_trunks_are_not_asked_at_once() -> None:
    line = Line()
    trunks = [replace(PBX, name=TrunkName(f"t{n}")) for n in range(500)]
    watch = TrunkWatch(trunks, line.ask)
    asked_at: dict[str, list[float]] = {trunk.name: [] for trunk in trunks}
    while (now := watch.next_deadline()) is not None and now < 100:
        before = len(line.asked)
        watch.handle_deadline(now)
        assert len(line.asked) - before <= 3
        for key in range(before + 1, len(line.asked) + 1):
            asked_at[line.asked[key - 1].name].append(now)
            watch.answered(key, 0.02, now)
    assert all(3 <= len(times) <= 4 for times in asked_at.values())
    assert len({times[-1] for times in asked_at.values()}) > 450


def test_a_trunk_that_is_down_is_asked_more_often_but_not_without_rest() -> None:
    line = Line()
    seldom, often = PBX, replace(PBX, name=TrunkName("near"), ping_s=2)
    for trunk, rest in ((seldom, RETRY_S), (often, 2.0)):
        watch = TrunkWatch([trunk], line.ask)
        watch.handle_deadline(0)
        watch.answered(len(line.asked), None, 10)
        due = watch.next_deadline()
        assert due is not None
        assert about(due - 10, rest)


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
