"""The loop in virtual time. Real sockets under it are in tests/integration/test_media_plane.py."""

from __future__ import annotations

import gc
from bisect import insort
from collections.abc import Callable, Iterator
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from engine.media import io
from engine.media.io import CATCH_UP, SELDOM, SLICE_S, TICK_S, Loop
from engine.media.io_pen import MOST


class World:
    """A clock that goes on by waiting, and what becomes ready as it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, coalesce_s: float = 0.0) -> None:
        self.now = 100.0
        self.due = True
        self.worked = 0.0
        self.pieces, self.piece_s = 0, 0.0
        """What a tick consists of; each one done is a -1 in `received`."""
        self.legs = 1
        self.polls = 0
        self.ticks: list[tuple[int, float]] = []
        self.seconds: list[float] = []
        self.collected = False
        self.failures: list[OSError] = []
        self.received: list[int] = []
        self.penned: list[int] = []
        self.untimely = False
        """What `receive` says of each packet."""
        pen = SimpleNamespace(put=lambda descriptor, now, edge: self.penned.append(descriptor))
        self.sockets = SimpleNamespace(latched={}, others={}, pen=pen)
        self._events: list[tuple[float, int]] = []
        self._until = 0.0
        monkeypatch.setattr(
            io, "time", SimpleNamespace(monotonic=self._look, sleep=self.wait, thread_time=lambda: self.worked)
        )
        forwarder = SimpleNamespace(receive=self._receive, buffer=bytearray(2048))
        parts: dict[str, Any] = {"poller": self, "sockets": self.sockets, "forwarder": forwarder}
        self.loop = Loop(
            **parts,
            tick=self._tick,
            after=lambda now: self.loop.end() if now >= self._until else None,
            each_second=lambda now: self.seconds.append(now - self.began),
            legs=lambda: self.legs,
            due=lambda: self.due,
            coalesce_s=lambda: coalesce_s,
        )
        self.began = self.now

    def run(self, seconds: float) -> None:
        self._until = self.began + seconds
        self.loop.run()

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let a descriptor become ready then, and this be what its handler does."""
        descriptor = len(self.sockets.others) + 1000

        def served(now: float) -> None:
            self._events = [event for event in self._events if event[1] != descriptor]
            happens()

        self.sockets.others[descriptor] = served
        self._ready(seconds, descriptor)

    def packets(self, seconds: float, sizes: list[int | OSError], *, descriptor: int = 7) -> None:
        """Let a leg's socket become ready then, with these packets in it (or what the kernel says in their place)."""

        def recv_into(buffer: bytearray) -> int:
            if not sizes:
                raise BlockingIOError
            found = sizes.pop(0)
            if isinstance(found, OSError):
                raise found
            return found

        leg = SimpleNamespace(tx=SimpleNamespace(failed=self.failures.append))
        self.sockets.latched[descriptor] = SimpleNamespace(recv_into=recv_into, leg=leg)
        self._ready(seconds, descriptor)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def poll(self, timeout: float) -> list[tuple[int, int]]:
        self.polls += 1
        if not self._events or self._events[0][0] > self.now + timeout:
            self.now += timeout
            return []
        self.now = max(self.now, self._events[0][0])
        ready = [descriptor for at, descriptor in self._events if at <= self.now]
        # A packet is told of once, everything else until it has been served.
        self._events = [event for event in self._events if event[0] > self.now or event[1] in self.sockets.others]
        return [(descriptor, 1) for descriptor in ready]

    def _ready(self, seconds: float, descriptor: int) -> None:
        insort(self._events, (self.began + seconds, descriptor))

    def _look(self) -> float:
        # Time goes on by itself too.
        self.now += 1e-7
        return self.now

    def _tick(self, number: int, now: float) -> Iterator[None]:
        self.collected = self.collected or gc.isenabled()
        self.ticks.append((number, now - self.began))
        for _ in range(self.pieces):
            self.now += self.piece_s
            self.worked += self.piece_s
            self.received.append(-1)
            yield

    def _receive(self, rx: object, size: int, now: float, arrival: int) -> bool:
        self.received.append(size)
        return self.untimely

    @property
    def pauses(self) -> list[float]:
        """Between one tick and the next."""
        return [later - earlier for (_, earlier), (_, later) in pairwise(self.ticks)]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_while_somebody_is_served_by_them_ticks_come_every_20_ms_on_time(world: World) -> None:
    world.run(1.0)
    assert [number for number, _ in world.ticks] == list(range(51))
    assert all(0 <= at - number * TICK_S < 1e-3 for number, at in world.ticks)
    assert world.loop.lateness.ticks == 51
    assert not world.collected, "the garbage collector never runs by itself"
    assert gc.isenabled(), "and is given back"


def test_while_nobody_is_every_fifth_runs_and_nothing_wakes_up_for_the_others(world: World) -> None:
    world.due = False
    world.run(2.0)
    assert all(pause == pytest.approx(SELDOM * TICK_S, abs=1e-3) for pause in world.pauses)
    assert 19 <= len(world.ticks) <= 21
    assert world.polls <= 2 * len(world.ticks) + 1
    assert world.loop.lateness.ticks == 0, "rounds may be late, nobody hears them"


@pytest.mark.parametrize("legs", [0, 1])
def test_every_second_begins_on_time_whatever_wakes_the_loop_between(world: World, legs: int) -> None:
    world.legs = legs
    for number in range(37):
        world.at(number * 0.27, lambda: None)
    world.run(10.0)
    assert [round(at) for at in world.seconds] == list(range(11))
    assert all(0 <= at - round(at) < 0.002 for at in world.seconds)


def test_a_late_second_does_not_put_off_the_next(world: World) -> None:
    world.at(1.9, lambda: world.wait(0.6))
    world.run(4.0)
    assert [round(at, 1) for at in world.seconds] == [0.0, 1.0, 2.5, 3.0, 4.0]


def test_who_begins_to_need_ticks_waits_for_the_next_one_and_not_for_the_fifth(world: World) -> None:
    def begin() -> None:
        world.due = True

    world.due = False
    world.at(0.525, begin)
    world.run(1.0)
    (number, first) = next((number, at) for number, at in world.ticks if at > 0.525)
    assert first == pytest.approx(0.54, abs=1e-3)
    assert number == 27, "the play-out clock went on meanwhile"


def test_a_short_delay_is_made_up_for(world: World) -> None:
    world.at(0.501, lambda: world.wait((CATCH_UP - 1) * TICK_S))
    world.run(1.0)
    assert [number for number, _ in world.ticks] == list(range(51))
    assert world.ticks[-1][1] == pytest.approx(1.0, abs=1e-3)


def test_after_a_long_one_ticks_are_left_out(world: World) -> None:
    """Or a phone would get a second of music at once."""
    world.at(0.501, lambda: world.wait(1.0))
    world.run(2.0)
    assert min(world.pauses) > TICK_S / 2 - 1e-3
    assert len(world.ticks) == pytest.approx(51, abs=1)
    assert world.ticks[-1][0] == 100, "the play-out clock went on meanwhile"


def test_without_legs_it_rests_and_hears_control(world: World) -> None:
    def opened() -> None:
        world.legs = 1

    world.legs = 0
    world.at(10.005, opened)
    world.run(10.1)
    assert world.polls < 60
    assert [number for number, _ in world.ticks] == [501, 502, 503, 504, 505]


def test_under_load_packets_gather_and_each_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second second on, when the rate is known."""
    world = World(monkeypatch, coalesce_s=0.002)
    heard: list[float] = []
    for number in range(4000):
        world.at(number / 2000, lambda: heard.append(world.now))
    earlier: list[int] = []
    world.at(1.1, lambda: earlier.extend((len(heard), world.polls)))
    world.run(1.9)
    packets, looks = len(heard) - earlier[0], world.polls - earlier[1]
    assert packets == pytest.approx(1600, abs=10)
    assert looks < packets / 3, "while waking up costs more than a packet"
    assert looks > packets / 6, "and none is held up for longer than two milliseconds"


def test_what_the_kernel_says_of_a_refusing_port_is_counted_and_what_lies_behind_is_read(world: World) -> None:
    refused = ConnectionRefusedError()
    world.packets(0.01, [refused, 172, refused, 173])
    world.run(0.1)
    assert world.failures == [refused, refused]
    assert world.received == [172, 173]


def test_after_a_while_without_a_look_every_socket_is_emptied(world: World) -> None:
    """The poller tells of an arrival once, so that a packet left behind would wait for the next one."""
    world.at(0.01, lambda: world.wait(0.1))
    world.packets(0.05, [172, 173, 174])
    world.run(0.2)
    assert world.received == [172, 173, 174]


def test_a_leg_without_a_packet_keeps_none_from_the_others(world: World) -> None:
    world.packets(0.01, [], descriptor=5)
    world.packets(0.01, [ConnectionRefusedError()], descriptor=6)
    world.packets(0.01, [172], descriptor=7)
    world.run(0.1)
    assert world.received == [172]


def test_of_a_flood_some_packets_are_read_and_the_socket_is_put_away(world: World) -> None:
    world.untimely = True
    world.packets(0.01, list(range(200)), descriptor=5)
    world.packets(0.01, [1000], descriptor=7)
    world.run(0.1)
    assert world.received == [*range(MOST + 1), 1000]
    assert world.penned == [5]


def test_packets_that_come_amid_a_tick_are_dealt_with_after_a_slice_of_it(world: World) -> None:
    """Ten pieces of 0.1 ms from 20 ms on, with a packet after each of the first five: looks come every four pieces."""
    world.pieces, world.piece_s = 10, 1e-4
    for number in range(5):
        world.packets(0.02011 + number * 1e-4, [172 + number], descriptor=5 + number)
    world.run(0.03)

    told = "".join("|" if size == -1 else "." for size in world.received)
    assert told.startswith("|" * 10 + "||||" + "..." + "||||" + ".." + "||")
    assert len([size for size in world.received if size != -1]) == 5


def test_what_is_no_packet_waits_for_the_end_of_the_tick(world: World) -> None:
    world.pieces, world.piece_s = 50, 1e-4
    done: list[int] = []
    world.at(0.0211, lambda: done.append(world.received.count(-1)))
    world.run(0.03)

    assert done == [100]


def test_a_short_tick_is_not_interrupted_and_what_it_took_is_told(world: World) -> None:
    world.pieces, world.piece_s = 3, SLICE_S / 4
    world.run(1.0)

    assert world.polls < 2.5 * len(world.ticks)
    assert world.loop.work.figures().p99 == pytest.approx(3 * SLICE_S / 4)


def test_what_packets_took_amid_a_tick_is_none_of_its_work(world: World) -> None:
    world.pieces, world.piece_s = 10, 1e-4
    receive = world._receive

    def slow(rx: object, size: int, now: float, arrival: int) -> bool:
        world.worked += 0.005
        return receive(rx, size, now, arrival)

    world.loop._forwarder.receive = slow  # type: ignore[assignment,method-assign]
    world.packets(0.02011, [172])
    world.run(0.03)

    assert world.loop.work.figures().p99 == pytest.approx(1e-3)


@pytest.mark.parametrize("legs", [1, 0])
def test_what_ticks_take_is_measured_and_forgotten_with_the_last_leg(
    monkeypatch: pytest.MonkeyPatch, legs: int
) -> None:
    world = World(monkeypatch)
    work = world.loop._tick

    def heavy(number: int, now: float) -> Iterator[None]:
        yield from work(number, now)
        world.worked += 0.004
        if number > 20:
            world.legs = legs

    world.loop._tick = heavy
    world.run(1.0)
    assert world.loop.work.figures().p99 == pytest.approx(0.004 if legs else 0.0)


@pytest.mark.parametrize(("collects", "legs"), [(False, 1), (True, 1), (True, 0)])
def test_the_garbage_collector_does_not_run_while_there_are_legs_and_would_be_counted(
    monkeypatch: pytest.MonkeyPatch, collects: bool, legs: int
) -> None:
    world = World(monkeypatch)
    work = world.loop._tick

    def wasteful(number: int, now: float) -> Iterator[None]:
        yield from work(number, now)
        assert not gc.isenabled()
        for _ in range(100):
            cycle: list[object] = []
            cycle.append(cycle)
        world.legs = legs
        if collects:
            gc.collect()
        world.legs = 1

    world.loop._tick = wasteful
    world.run(1.0)
    assert (world.loop.collections > 0) == (collects and legs == 1)
