from __future__ import annotations

from engine.calls.trunk_circuit import (
    FIRST_REST_S,
    LEAST,
    LONGEST_REST_S,
    WINDOW_S,
    TrunkCircuit,
)
from engine.calls.trunk_records import CircuitState

CLOSED, OPEN, HALF = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


def blown(now: float = 0.0) -> TrunkCircuit:
    circuit = TrunkCircuit()
    assert circuit.failed(1, now)
    return circuit


def test_so_many_failures_in_a_row_blow_it() -> None:
    circuit = TrunkCircuit()
    assert [circuit.failed(3, n) for n in (0, 1)] == [False, False]
    assert not circuit.well(2), "one that goes well breaks the row"
    assert [circuit.failed(3, n) for n in (3, 4, 5)] == [False, False, True]
    assert circuit.state is OPEN
    assert circuit.detail == "3 calls in a row failed; it rests for 5 s"
    assert not circuit.lets(5 + FIRST_REST_S - 0.1)


def test_half_of_many_calls_blow_it_too() -> None:
    circuit = TrunkCircuit()
    for n in range(LEAST // 2 - 1):
        assert not circuit.failed(5, n)
        circuit.well(n + 0.5)
    assert not circuit.failed(5, 40)
    circuit.well(41)
    assert circuit.failed(5, 42)
    assert circuit.detail.startswith("11 of the last 21 calls failed")


def test_what_is_long_ago_does_not_count() -> None:
    circuit = TrunkCircuit()
    for n in range(LEAST):
        circuit.failed(1000, n * 0.01) if n % 2 else circuit.well(n * 0.01)
    circuit = TrunkCircuit()
    for n in range(LEAST - 1):
        assert not circuit.failed(1000, n * 0.01)
    assert not circuit.failed(1000, WINDOW_S + 1)


def test_zero_switches_it_off() -> None:
    circuit = TrunkCircuit()
    assert not any(circuit.failed(0, n) for n in range(100))
    assert circuit.lets(100)


def test_after_its_rest_one_call_is_let_through_and_decides() -> None:
    circuit = blown()
    assert circuit.lets(FIRST_REST_S)
    assert circuit.begin(FIRST_REST_S)
    assert circuit.state is HALF
    assert not circuit.lets(FIRST_REST_S), "one at a time"
    assert circuit.well(6)
    assert (circuit.state, circuit.detail) == (CLOSED, "")
    assert not circuit.failed(2, 7), "all is forgiven"


def test_each_failure_while_half_open_makes_it_rest_twice_as_long() -> None:
    circuit, rests, now = blown(), [], 0.0
    for _ in range(8):
        rests.append(circuit.rested_at - now)
        now = circuit.rested_at
        assert not circuit.lets(now - 0.01)
        circuit.begin(now)
        assert circuit.failed(5, now)
    assert rests == [5, 10, 20, 40, 80, 160, LONGEST_REST_S, LONGEST_REST_S]
    circuit.begin(now + LONGEST_REST_S)
    circuit.well(now + LONGEST_REST_S)
    circuit.failed(1, now)
    assert circuit.rested_at == now + FIRST_REST_S, "the next time it begins small again"


def test_a_call_that_said_nothing_lets_another_be_tried() -> None:
    circuit = blown()
    circuit.begin(FIRST_REST_S)
    circuit.given_up()
    assert circuit.lets(FIRST_REST_S)
    assert not circuit.begin(FIRST_REST_S), "it is half-open still"


def test_calls_that_began_before_change_an_open_one_only_for_the_better() -> None:
    circuit = blown()
    assert not circuit.failed(1, 1)
    assert circuit.rested_at == FIRST_REST_S
    assert circuit.well(2)
    assert circuit.state is CLOSED


def test_who_wants_no_call_for_a_while_gets_none_whatever_the_limit_is() -> None:
    circuit = TrunkCircuit()
    assert not circuit.failed(0, 0.0)
    assert circuit.wished(30, 0.0)
    assert not circuit.lets(29.9)
    assert circuit.lets(30)
    assert not circuit.wished(10, 1.0), "a shorter wish shortens nothing"
    assert not circuit.lets(29.9)
    assert not circuit.wished(60, 1.0)
    assert not circuit.lets(60.9)
    assert circuit.begin(61)
    assert circuit.state is HALF
    assert circuit.wished(10**9, 61)
    assert circuit.lets(61 + LONGEST_REST_S)
    assert circuit.well(400)
    assert circuit.lets(400)
