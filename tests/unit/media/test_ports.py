from __future__ import annotations

from itertools import islice

import pytest

from engine.media.ports import Ports


def take(ports: Ports) -> int:
    port = next(ports.candidates())
    ports.use(port)
    return port


def test_ports_are_even_and_within_the_range() -> None:
    ports = Ports(20001, 20008)

    assert [take(ports) for _ in range(4)] == [20002, 20004, 20006, 20008]
    assert list(ports.candidates()) == []


def test_a_port_rests_before_it_is_used_again() -> None:
    ports = Ports(20000, 20008)
    first = take(ports)
    ports.release(first)

    assert [take(ports) for _ in range(5)] == [20002, 20004, 20006, 20008, 20000]


def test_ports_in_use_are_left_out() -> None:
    ports = Ports(20000, 20004)
    take(ports)
    second = take(ports)
    take(ports)
    ports.release(second)

    assert list(ports.candidates()) == [second]


def test_a_port_that_another_program_held_is_tried_again_in_its_turn() -> None:
    ports = Ports(20000, 20002)
    ports.taken.add(20000)

    assert list(islice(ports.candidates(), 2)) == [20000, 20002]
    ports.use(20000)
    assert ports.taken == set()


@pytest.mark.parametrize(("first", "last"), [(20003, 20003), (20004, 20002), (80, 90), (65000, 70000)])
def test_a_range_without_a_pair_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="port range"):
        Ports(first, last)
