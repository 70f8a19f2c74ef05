from __future__ import annotations

import socket

import pytest

from tests.support.ports import NoFreePort, PortPool


def test_no_port_is_given_twice_even_by_shares() -> None:
    pool = PortPool()
    one, other = pool.share(), pool.share()
    ports = [one.one(), other.one(), *one.block(4), *other.block(4), pool.one()]
    assert len(set(ports)) == len(ports)
    assert one.given | other.given < pool.given
    assert one.given.isdisjoint(other.given)


def test_a_block_can_begin_at_an_even_port() -> None:
    pool = PortPool()
    pool.block(1, even=True)
    assert pool.block(3, even=True).start % 2 == 0


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_held_port_is_passed_over(kind: socket.SocketKind) -> None:
    wanted = PortPool().one()
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", wanted))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        with pytest.raises(NoFreePort):
            PortPool(first=wanted, last=wanted).one()


def test_when_all_have_been_given_it_begins_anew() -> None:
    some = PortPool().block(4)
    pool = PortPool(first=some.start, last=some.stop - 1, start=some.start)
    assert [pool.one() for _ in range(6)] == [*some, *some[:2]]
    with pytest.raises(NoFreePort):
        pool.block(5)
