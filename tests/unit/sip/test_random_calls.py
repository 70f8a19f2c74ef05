"""Anything at any time: endpoints that do what a die says, over a wire that loses, repeats and reorders."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import InviteCancelled, InviteFailed, InviteReceived, SessionEnded, SessionId
from engine.sip.identity import Reliable
from tests.support.sip_fork import ForkingProxy
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.wire import EndpointStation, Station, Wire

ENDS = (InviteFailed, InviteCancelled, SessionEnded)
NOTHING = LiveCounts(0, 0, 0, 0, 0)
UNANSWERED = 40.0
"""Longer than anything waits for an answer."""


def act(random: Random, station: EndpointStation, session: SessionId, now: float, rejected: set[SessionId]) -> None:
    """One action, allowed or not."""
    endpoint = station.endpoint
    choice = random.randrange(14)
    with suppress(LocalSipError):
        if choice in (0, 10):
            endpoint.progress(session, random.choice([180, 183]), sdp=random.choice([None, SDP_ANSWER]), now=now)
        elif choice in (1, 2):
            endpoint.accept(session, SDP_ANSWER, now=now)
        elif choice == 3:
            endpoint.reject(session, 486, now=now)
            rejected.add(session)
        elif choice == 4:
            endpoint.cancel(session, now=now)
        elif choice == 5:
            endpoint.bye(session, now=now)
        elif choice == 6:
            endpoint.offer(session, SDP, now=now)
        elif choice in (7, 8, 11):
            endpoint.answer_offer(session, SDP_ANSWER, now=now)
        elif choice in (12, 13):
            endpoint.update(session, SDP, now=now)
        else:
            endpoint.refuse_offer(session, 488, now=now)


def finish(station: EndpointStation, wire: Wire, rejected: set[SessionId]) -> None:
    for session in list(station.endpoint._stack.sessions):
        before = len(station.told(ENDS))
        with suppress(LocalSipError):
            station.endpoint.terminate(session, now=wire.now)
        if session not in station.endpoint._stack.sessions and len(station.told(ENDS)) == before:
            rejected.add(session)


class Play:
    """Stations that call each other, what they began, and what each refused itself."""

    def __init__(self, random: Random, seed: int, *names: str) -> None:
        self.random = random
        self.stations = {
            name: make_station(
                name,
                f"192.0.2.{number}",
                reliable=random.choice(list(Reliable)),
                session_expires_s=random.choice([0, 90, 120]),
            )
            for number, name in enumerate(names, 1)
        }
        loss = random.choice([0, 0.1, 0.3])
        self.wire = Wire(*self.stations.values(), loss=loss, reorder=0.3, duplicate=0.2, delay=0.05, seed=seed)
        self.placed: dict[str, list[SessionId]] = {name: [] for name in names}
        self.rejected: dict[str, set[SessionId]] = {name: set() for name in names}

    def call(self, name: str, other: Station) -> None:
        station = self.stations[name]
        sdp = self.random.choice([SDP, SDP, None])
        call = station.endpoint.invite(target(station, other), from_user="x", sdp=sdp, now=self.wire.now)
        self.placed[name].append(call)

    def act(self, name: str, session: SessionId) -> None:
        act(self.random, self.stations[name], session, self.wire.now, self.rejected[name])

    def pass_time(self) -> None:
        self.wire.run(self.random.choice([0.0, 0.01, 0.06, 0.3, 2.0, 2.0, 45.0]))

    def end(self) -> None:
        """End everything, more than once: an INVITE that is still on the way may become a call after the first time,
        whose caller has given up since."""
        for _ in range(3):
            for name, station in self.stations.items():
                finish(station, self.wire, self.rejected[name])
            self.wire.run(UNANSWERED)
        self.wire.run()

    def check(self) -> None:
        for name, station in self.stations.items():
            assert station.endpoint.live() == NOTHING
            assert not station.endpoint.defects
            received = [each.session for each in station.told(InviteReceived) if isinstance(each, InviteReceived)]
            ends = Counter(each.session for each in station.told() if isinstance(each, ENDS))
            own = [*self.placed[name], *received]
            assert ends == {each: 1 for each in own if each not in self.rejected[name]}


@pytest.mark.parametrize("seed", range(30))
def test_every_session_ends_once_and_nothing_is_left(seed: int) -> None:
    random = Random(seed)
    play = Play(random, seed, "a", "b")
    for _ in range(120):
        name, other = random.choice([("a", "b"), ("b", "a")])
        sessions = list(play.stations[name].endpoint._stack.sessions)
        if not sessions or random.random() < 0.1:
            play.call(name, play.stations[other])
        else:
            play.act(name, random.choice(sessions))
        play.pass_time()
    play.end()
    play.check()


@pytest.mark.parametrize("seed", range(20))
def test_calls_that_are_forked_end_too(seed: int) -> None:
    random = Random(1000 + seed)
    play = Play(random, seed, "a", "b", "c")
    proxy = ForkingProxy("192.0.2.100", play.stations["b"], play.stations["c"])
    play.wire.join(proxy)
    for _ in range(120):
        name = random.choice("aabc")
        sessions = list(play.stations[name].endpoint._stack.sessions)
        if name == "a" and (not sessions or random.random() < 0.1):
            play.call("a", proxy)
        elif sessions:
            play.act(name, random.choice(sessions))
        play.pass_time()
    play.end()
    play.check()


@pytest.mark.parametrize("seed", range(15))
def test_a_call_over_a_bad_wire_is_up_on_both_sides_or_on_none(seed: int) -> None:
    """PRACK, UPDATE, re-INVITE and refreshes of two sides that mean well, with three datagrams of ten lost."""
    a = make_station("a", "192.0.2.1", reliable=Reliable.ALWAYS, session_expires_s=120)
    b = make_station("b", "192.0.2.2", reliable=Reliable.ALWAYS, session_expires_s=90 + seed * 10)
    wire = Wire(a, b, loss=0.3, reorder=0.3, duplicate=0.2, delay=0.05, seed=seed)
    session = a.endpoint.invite(target(a, b), from_user="x", sdp=SDP, now=wire.now)
    wire.run(until=lambda: bool(b.told(InviteReceived)) or bool(a.told(InviteFailed)))
    stations, steps = (a, b), Random(seed)
    for step in range(40):
        station = stations[step % 2]
        for other in list(station.endpoint._stack.sessions):
            with suppress(LocalSipError):
                station.endpoint.answer_offer(other, SDP_ANSWER, now=wire.now)
            with suppress(LocalSipError):
                if step < 3:
                    station.endpoint.progress(other, 183, sdp=SDP_ANSWER, now=wire.now)
                elif step < 7:
                    station.endpoint.accept(other, SDP_ANSWER, now=wire.now)
            with suppress(LocalSipError):
                steps.choice([station.endpoint.offer, station.endpoint.update])(other, SDP, now=wire.now)
        wire.run(steps.choice([0.2, 1.0, 20.0]))
    for station in stations:
        for other in list(station.endpoint._stack.sessions):
            with suppress(LocalSipError):
                station.endpoint.answer_offer(other, SDP_ANSWER, now=wire.now)
    wire.run(400)
    alive = [len(station.endpoint._stack.sessions) for station in stations]
    assert alive in ([1, 1], [0, 0])
    if alive == [1, 1]:
        a.endpoint.bye(session, now=wire.now)
    wire.run()
    assert a.endpoint.live() == b.endpoint.live() == NOTHING
    assert not a.endpoint.defects
    assert not b.endpoint.defects
