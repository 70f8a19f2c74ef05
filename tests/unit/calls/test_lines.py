from __future__ import annotations

from dataclasses import replace

from engine.calls.directory import Directory, Drop, Put, Trunk, TrunkGroup
from engine.calls.events import TrunkDown, TrunkUp
from engine.calls.journal import Journal
from engine.calls.lines import Lines
from engine.calls.trunk_circuit import FIRST_REST_S
from engine.calls.trunk_records import CircuitState, TrunkCircuitChanged, TrunkFailure
from engine.ids import GroupName, TrunkName
from tests.support.call_fakes import SetClock

A, B = (Trunk(name=TrunkName(name), host="192.0.2.1", circuit_after=2) for name in "ab")
OUT = TrunkGroup(name=GroupName("out"), members=("a:1", "b:2"))


class House:
    def __init__(self) -> None:
        self.directory = Directory.of([A, B, OUT])
        self.journal = Journal(SetClock())
        self.lines = Lines(self.directory, self.journal)

    def change(self, change: Put | Drop) -> None:
        self.directory.apply(change)
        self.lines.directory_changed(change)

    def states(self) -> list[CircuitState]:
        return [record.body.state for record in self.journal.take() if isinstance(record.body, TrunkCircuitChanged)]


def test_a_trunk_that_is_down_takes_no_call_and_comes_last() -> None:
    house = House()
    house.lines.trunk_event(TrunkDown(trunk=A.name, reason="no answer"))
    assert house.lines.of_group(OUT.name, 0) == ["b", "a"]
    assert house.lines.begin_out(A, 0) is TrunkFailure.DOWN
    assert house.lines.begin_out(A, 0, urgent=True) is TrunkFailure.DOWN
    house.lines.trunk_event(TrunkUp(trunk=A.name, round_trip_s=0.1))
    assert house.lines.of_group(OUT.name, 0) == ["a", "b"]
    assert house.lines.begin_out(A, 0) is None


def test_a_trunk_that_failed_too_often_rests_and_comes_back_by_one_call() -> None:
    house = House()
    for _ in range(2):
        assert house.lines.begin_out(A, 0) is None
        house.lines.failed(A, 0)
        house.lines.ended_out(A.name)
    assert house.lines.of_group(OUT.name, 0) == ["b", "a"]
    assert house.lines.begin_out(A, 0) is TrunkFailure.CIRCUIT_OPEN
    assert house.lines.begin_out(A, 0, urgent=True) is None, "an emergency call is tried on anything that lives"
    house.lines.ended_out(A.name)
    assert house.lines.state(A.name).detail
    assert house.lines.begin_out(A, FIRST_REST_S + 1) is None
    assert house.lines.begin_out(A, FIRST_REST_S + 1) is TrunkFailure.CIRCUIT_OPEN
    house.lines.went_well(A.name, 7)
    assert house.lines.begin_out(A, 7) is None
    assert house.states() == [CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED]
    assert house.lines.state(A.name).circuit is CircuitState.CLOSED


def test_calls_are_counted_until_they_end() -> None:
    house, small = House(), replace(A, max_out=1, max_in=1)
    house.change(Put(entity=small))
    assert house.lines.begin_out(small, 0) is None
    assert house.lines.begin_out(small, 0) is TrunkFailure.FULL
    assert house.lines.begin_out(small, 0, urgent=True) is None
    assert house.lines.begin_in(small, 0) is None
    assert house.lines.begin_in(small, 0) is TrunkFailure.FULL
    state = house.lines.state(A.name)
    assert (state.calls_in, state.calls_out) == (1, 2)
    for _ in range(5):
        house.lines.ended_out(A.name)
        house.lines.ended_in(A.name)
    state = house.lines.state(A.name)
    assert (state.calls_in, state.calls_out) == (0, 0)


def test_changed_settings_are_another_chance_and_calls_stay_counted() -> None:
    house = House()
    house.lines.begin_out(A, 0)
    house.lines.failed(A, 0)
    house.lines.failed(A, 0)
    house.lines.trunk_event(TrunkDown(trunk=A.name, reason="x"))
    house.change(Put(entity=replace(A, port=5070)))
    assert house.lines.begin_out(A, 0) is None
    assert house.lines.state(A.name).calls_out == 2


def test_a_dropped_trunk_is_forgotten_when_its_calls_are_over() -> None:
    house = House()
    house.lines.begin_out(A, 0)
    house.lines.begin_in(A, 0)
    house.change(Drop(entity=A))
    assert house.lines.of_group(OUT.name, 0) == ["b"]
    house.lines.ended_out(A.name)
    assert house.lines._lines
    house.lines.ended_in(A.name)
    assert not house.lines._lines
    house.lines.went_well(A.name, 0)
    house.lines.failed(A, 0)
    house.lines.trunk_event(TrunkDown(trunk=A.name, reason="late"))
    assert not house.lines._lines


def test_a_group_that_is_not_there_has_no_trunks() -> None:
    house = House()
    assert house.lines.of_group(GroupName("none"), 0) == []
    house.change(Drop(entity=OUT))
    assert house.lines.of_group(OUT.name, 0) == []
