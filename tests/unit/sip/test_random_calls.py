"""Anything at any time: two endpoints that do what a die says, over a wire that loses, repeats and reorders."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from random import Random

import pytest

from engine.sip.endpoint import LiveCounts
from engine.sip.errors import LocalSipError
from engine.sip.events import InviteCancelled, InviteFailed, InviteReceived, SessionEnded, SessionId
from tests.support.sip_phone import SDP, SDP_ANSWER, make_station, target
from tests.support.wire import EndpointStation, Wire

ENDS = (InviteFailed, InviteCancelled, SessionEnded)


def act(random: Random, station: EndpointStation, session: SessionId, now: float, rejected: set[SessionId]) -> None:
    """One action, allowed or not."""
    endpoint = station.endpoint
    choice = random.randrange(10)
    with suppress(LocalSipError):
        if choice == 0:
            endpoint.progress(session, random.choice([180, 183]), now=now)
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
        elif choice in (7, 8):
            endpoint.answer_offer(session, SDP_ANSWER, now=now)
        else:
            endpoint.refuse_offer(session, 488, now=now)


def finish(station: EndpointStation, wire: Wire, rejected: set[SessionId]) -> None:
    for session in list(station.endpoint._stack.sessions):
        before = len(station.told(ENDS))
        with suppress(LocalSipError):
            station.endpoint.terminate(session, now=wire.now)
        if session not in station.endpoint._stack.sessions and len(station.told(ENDS)) == before:
            rejected.add(session)


@pytest.mark.parametrize("seed", range(40))
def test_every_session_ends_once_and_nothing_is_left(seed: int) -> None:
    random = Random(seed)
    a, b = make_station("a", "192.0.2.1"), make_station("b", "192.0.2.2")
    wire = Wire(a, b, loss=random.choice([0, 0.1, 0.3]), reorder=0.3, duplicate=0.2, delay=0.05, seed=seed)
    placed: dict[str, list[SessionId]] = {"a": [], "b": []}
    rejected: dict[str, set[SessionId]] = {"a": set(), "b": set()}
    for _ in range(120):
        name, station, other = random.choice([("a", a, b), ("b", b, a)])
        sessions = list(station.endpoint._stack.sessions)
        if not sessions or random.random() < 0.1:
            sdp = random.choice([SDP, SDP, None])
            aim = target(station, other)
            placed[name].append(station.endpoint.invite(aim, from_user="x", sdp=sdp, now=wire.now))
        else:
            act(random, station, random.choice(sessions), wire.now, rejected[name])
        wire.run(random.choice([0.0, 0.01, 0.06, 0.3, 2.0]))
    # Twice: an INVITE that is still on the way may become a call after the first time, whose caller has given up since.
    for _ in range(2):
        finish(a, wire, rejected["a"])
        finish(b, wire, rejected["b"])
        wire.run()
    assert a.endpoint.live() == b.endpoint.live() == LiveCounts(0, 0, 0, 0, 0)
    for name, station in (("a", a), ("b", b)):
        received = [each.session for each in station.told(InviteReceived) if isinstance(each, InviteReceived)]
        ends = Counter(each.session for each in station.told() if isinstance(each, ENDS))
        expected = {each: 1 for each in [*placed[name], *received] if each not in rejected[name]}
        assert ends == expected
