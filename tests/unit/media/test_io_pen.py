"""Sockets that are kept from the poller for a while, in virtual time."""

from __future__ import annotations

from engine.media.io_pen import FIRST_S, FORGIVEN_S, LONGEST_S, Pen


class Watched:
    """A `Poller` of which only the list is of interest."""

    def __init__(self, *descriptors: int) -> None:
        self.how = dict.fromkeys(descriptors, "level")

    def register(self, fd: int, events: int) -> None:
        assert fd not in self.how
        self.how[fd] = "level"

    def modify(self, fd: int, events: int) -> None:
        raise AssertionError

    def edge(self, fd: int) -> None:
        assert fd in self.how
        self.how[fd] = "edge"

    def unregister(self, fd: int) -> None:
        del self.how[fd]

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        return []

    def close(self) -> None:
        """Nothing to do."""


def test_a_socket_comes_back_after_its_time_watched_as_before() -> None:
    poller = Watched(5, 6, 7)
    pen = Pen(poller)
    pen.put(5, 1.0)
    pen.put(6, 1.01, edge=True)
    pen.put(6, 1.01, edge=True)
    assert poller.how == {7: "level"}
    pen.let_out(1.0 + FIRST_S / 2)
    assert poller.how == {7: "level"}
    pen.let_out(1.0 + FIRST_S)
    assert poller.how == {7: "level", 5: "level"}
    pen.let_out(1.01 + FIRST_S)
    assert poller.how == {7: "level", 5: "level", 6: "edge"}


def stays(pen: Pen, poller: Watched, now: float) -> float:
    """How long it stays when it is put there now."""
    pen.put(5, now)
    step = 0
    while 5 not in poller.how:
        step += 1
        pen.let_out(now + step / 1000)
    return step / 1000


def test_who_comes_again_and_again_stays_longer_until_a_second_without() -> None:
    poller = Watched(5)
    pen = Pen(poller)
    now, times = 1.0, []
    for _ in range(8):
        times.append(stays(pen, poller, now))
        now += times[-1]
    assert times == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S, *[LONGEST_S] * 4]
    assert stays(pen, poller, now + FORGIVEN_S) == FIRST_S


def test_a_descriptor_that_is_closed_is_forgotten_and_its_number_is_another_sockets_then() -> None:
    poller = Watched(5, 6)
    pen = Pen(poller)
    pen.put(5, 1.0)
    assert pen.forget(5), "the poller does not watch it"
    assert not pen.forget(6)
    poller.register(5, 1)
    pen.let_out(2.0)
    assert stays(pen, poller, 2.0) == FIRST_S


def test_nothing_stays_of_those_who_were_here_long_ago() -> None:
    poller = Watched(*range(10))
    pen = Pen(poller)
    for descriptor in range(9):
        pen.put(descriptor, 1.0)
    pen.let_out(2.0)
    pen.put(9, 3.0)
    pen.let_out(3.5)
    assert list(pen._kept) == [9]
