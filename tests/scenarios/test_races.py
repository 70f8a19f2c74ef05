"""Every ordered pair of what can happen while an agent's phone rings, at the same instant and one round trip apart,
each with no, the first and the second datagram after it lost. Whatever happens, nothing is left behind.

The scene: Bob has just had a call and is in wrap-up; a caller waits in the queue and Alice's phone rings. Two
things happen. Where one of them is a deadline (ring timeout, end of wrap-up), a first run finds out when the scene
comes to it, and the queue's times are set so that it falls on the instant.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations

import pytest

from engine.calls.log import CallEnded, OfferEnded
from engine.sip.errors import LocalSipError
from engine.sip.events import SessionId
from tests.support.centre_rig import CentreRig, ringing
from tests.support.sip_phone import SDP_ANSWER

NEVER_S = 500.0
AHEAD_S = 2.0
"""From the scene to the instant."""


class Happening(StrEnum):
    CALLER_HANGS_UP = "caller_hangs_up"
    AGENT_ANSWERS = "agent_answers"
    AGENT_REJECTS = "agent_rejects"
    RING_TIMEOUT = "ring_timeout"
    BINDING_LOST = "binding_lost"
    MEDIA_LOST = "media_lost"
    WRAP_UP_ENDS = "wrap_up_ends"
    SHUTDOWN = "shutdown"


@dataclass
class Scene:
    """Alice rings for the caller, Bob is in wrap-up."""

    rig: CentreRig
    call: SessionId
    offered_at: float
    wrapping_since: float


def set_scene(ring_timeout_s: float, wrap_up_s: float) -> Scene:
    rig = CentreRig(ring_timeout_s=ring_timeout_s, wrap_up_s=wrap_up_s)
    rig.register(rig.bob)
    first = rig.call()
    rig.bob.endpoint.accept(ringing(rig.bob), SDP_ANSWER, now=rig.wire.now)
    rig.wire.run(1.0)
    rig.caller.endpoint.bye(first, now=rig.wire.now)
    rig.wire.run(1.0)
    wrapping_since = next(record.mono for record in rig.centre.records if isinstance(record.body, CallEnded))
    rig.register(rig.alice)
    call = rig.call()
    offered_at = [record.mono for record in rig.centre.records if type(record.body).__name__ == "OfferMade"][-1]
    return Scene(rig, call, offered_at, wrapping_since)


def do(scene: Scene, happening: Happening) -> Callable[[], None]:
    """What brings it about at an instant; a deadline comes by itself."""
    rig = scene.rig

    def act() -> None:
        now = rig.wire.now
        match happening:
            case Happening.CALLER_HANGS_UP:
                # Whoever acts second may find that the call is over already: then there is nothing to do.
                with suppress(LocalSipError):
                    rig.caller.endpoint.terminate(scene.call, now=now)
            case Happening.AGENT_ANSWERS:
                with suppress(LocalSipError):
                    rig.alice.endpoint.accept(ringing(rig.alice), SDP_ANSWER, now=now)
            case Happening.AGENT_REJECTS:
                with suppress(LocalSipError):
                    rig.alice.endpoint.reject(ringing(rig.alice), 603, now=now)
            case Happening.BINDING_LOST:
                rig.core.command(lambda now: rig.core.endpoint.remove_bindings("alice", now), now)
            case Happening.MEDIA_LOST:
                rig.lose_media()
            case Happening.SHUTDOWN:
                rig.core.command(rig.core.calls.shut_down, now)
            case Happening.RING_TIMEOUT | Happening.WRAP_UP_ENDS:
                pass

    return act


def play(first: Happening, second: Happening, apart_s: float, lost: int | None) -> CentreRig:
    """Run one race to its end."""
    model = set_scene(NEVER_S, NEVER_S)
    instant = model.rig.wire.now + AHEAD_S
    when = {first: instant, second: instant + apart_s}
    scene = set_scene(
        when[Happening.RING_TIMEOUT] - model.offered_at if Happening.RING_TIMEOUT in when else NEVER_S,
        when[Happening.WRAP_UP_ENDS] - model.wrapping_since if Happening.WRAP_UP_ENDS in when else NEVER_S,
    )
    rig = scene.rig
    assert (scene.offered_at, scene.wrapping_since) == (model.offered_at, model.wrapping_since)
    if lost is not None:
        rig.wire.at(AHEAD_S, lambda: rig.wire.lose_nth(lost))
    for happening, at in when.items():
        rig.wire.at(at - rig.wire.now, do(scene, happening))
    rig.wire.run(60.0)
    finish(scene)
    return rig


def finish(scene: Scene) -> None:
    """Everybody who still talks hangs up, everybody who still rings falls silent, then time runs out."""
    rig = scene.rig
    with suppress(LocalSipError):
        rig.caller.endpoint.terminate(scene.call, now=rig.wire.now)
    rig.wire.run()


CASES = [
    pytest.param(first, second, apart, lost, id=f"{first}-{second}-{'apart' if apart else 'same'}-lost_{lost}")
    for first, second in permutations(Happening, 2)
    for apart in (False, True)
    for lost in (None, 0, 1)
]


@pytest.mark.parametrize(("first", "second", "apart", "lost"), CASES)
def test_whatever_meets_nothing_is_left_behind(
    first: Happening, second: Happening, apart: bool, lost: int | None
) -> None:
    rig = play(first, second, 0.02 if apart else 0.0, lost)
    rig.assert_nothing_left()
    ends = [body for body in rig.centre.bodies(OfferEnded) if isinstance(body, OfferEnded)]
    assert len(ends) >= 2, "Bob's offer and Alice's, at least"
