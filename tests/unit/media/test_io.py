"""The loop in virtual time. Real sockets under it are in tests/integration/test_media_plane.py."""

from __future__ import annotations

import gc
from bisect import insort
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from engine.media import io
from engine.media.io import CATCH_UP, SELDOM, TICK_S, Loop


class World:
    """A clock that goes on by waiting, and what becomes ready as it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, coalesce_s: float = 0.0) -> None:
        self.now = 100.0
        self.due = True
        self.legs = 1
        self.polls = 0
        self.ticks: list[tuple[int, float]] = []
        self.collected = False
        self.failures: list[OSError] = []
        self.received: list[int] = []
        self.sockets = SimpleNamespace(latched={}, others={})
        self._events: list[tuple[float, int]] = []
        self._until = 0.0
        monkeypatch.setattr(io, "time", SimpleNamespace(monotonic=self._look, sleep=self.wait))
        forwarder = SimpleNamespace(receive=self._receive, buffer=bytearray(2048))
        parts: dict[str, Any] = {"poller": self, "sockets": self.sockets, "forwarder": forwarder}
        self.loop = Loop(
            **parts,
            tick=self._tick,
            after=lambda now: self.loop.end() if now >= self._until else None,
            legs=lambda: self.legs,
            due=lambda: self.due,
            coalesce_s=coalesce_s,
        )
        self.began = self.now

    def run(self, seconds: float) -> None:
        self._until = self.began + seconds
        self.loop.run()

    def at(self, seconds: float, happens: Callable[[], None]) -> None:
        """Let a descriptor become ready then, and this be what its handler does."""
        descriptor = len(self.sockets.others) + 1000
        self.sockets.others[descriptor] = lambda now: happens()
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
        del self._events[: len(ready)]
        return [(descriptor, 1) for descriptor in ready]

    def _ready(self, seconds: float, descriptor: int) -> None:
        insort(self._events, (self.began + seconds, descriptor))

    def _look(self) -> float:
        # Time goes on by itself too.
        self.now += 1e-7
        return self.now

    def _tick(self, number: int, now: float) -> None:
        self.collected = self.collected or gc.isenabled()
        self.ticks.append((number, now - self.began))

    def _receive(self, rx: object, size: int, now: float, arrival: int) -> bool:
        self.received.append(size)
        return False

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
