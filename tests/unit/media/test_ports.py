from __future__ import annotations

from itertools import islice

import pytest

from engine.media.ports import REST_S, Ports


def take(ports: Ports) -> int:
    port = next(ports.candidates(0.0))
    ports.use(port)
    return port


def test_ports_are_even_and_within_the_range() -> None:
    ports = Ports(20001, 20008)

    assert [take(ports) for _ in range(4)] == [20002, 20004, 20006, 20008]
    assert list(ports.candidates(0.0)) == []


def test_a_port_rests_before_it_is_used_again() -> None:
    ports = Ports(20000, 20008)
    first = take(ports)
    ports.release(first, 0.0)

    assert [take(ports) for _ in range(5)] == [20002, 20004, 20006, 20008, 20000]


def test_a_pair_rests_for_its_time_while_there_is_another_that_has() -> None:
    ports = Ports(20000, 20006)
    for _ in range(4):
        take(ports)
    ports.release(20002, 10.0)
    ports.release(20006, 11.0)
    ports.release(20000, 12.0)
    assert list(ports.candidates(12.5)) == [20002, 20006, 20000], "sooner than no call: who has rested longest"
    assert list(ports.candidates(10.0 + REST_S)) == [20002, 20006, 20000]
    ports.use(20006)
    ports.release(20006, 13.0)
    assert list(ports.candidates(12.0 + REST_S)) == [20000, 20002, 20006]
    ports.use(20000)
    assert 20000 not in ports.candidates(13.0), "it is used, not resting"
    ports.release(20000, 13.0)
    assert sorted(ports.candidates(99.0)) == [20000, 20002, 20006]


def test_ports_in_use_are_left_out() -> None:
    ports = Ports(20000, 20004)
    take(ports)
    second = take(ports)
    take(ports)
    ports.release(second, 0.0)

    assert list(ports.candidates(0.0)) == [second]


def test_a_port_that_another_program_held_is_tried_again_in_its_turn() -> None:
    ports = Ports(20000, 20002)
    ports.taken.add(20000)

    assert list(islice(ports.candidates(0.0), 2)) == [20000, 20002]
    ports.use(20000)
    assert ports.taken == set()


@pytest.mark.parametrize(("first", "last"), [(20003, 20003), (20004, 20002), (80, 90), (65000, 70000)])
def test_a_range_without_a_pair_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="port range"):
        Ports(first, last)
