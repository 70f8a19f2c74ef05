"""An agent's phone that is heard no more is asked to send elsewhere."""

from __future__ import annotations

import pytest

from engine.calls.events import LocalMedia, Moved, MoveRefused, Strayed
from engine.calls.relatch import FIRST_WAIT_S, LONGEST_WAIT_S
from engine.ids import LegId
from engine.media.commands import Direction
from engine.media.events import LegFailed, Rebound, RtpStopped
from tests.support.call_fakes import remote
from tests.support.call_rig import Rig

PORT = 31000


def stop(rig: Rig, leg: LegId) -> int:
    """The leg falls silent; how often a second pair has been asked for by now."""
    rig.media.events.append(RtpStopped(leg=leg, silent_s=3.1))
    rig.pump()
    return rig.media.rebound.count(leg)


def rebind(rig: Rig, leg: LegId, port: int = PORT) -> None:
    rig.media.events.append(Rebound(leg=leg, port=port))
    rig.pump()


def refuse(rig: Rig, leg: LegId, port: int = PORT) -> None:
    rig.legs.events.append(MoveRefused(leg=leg, local=LocalMedia(port=port), status=488, reason=""))
    rig.pump()


def strays(rig: Rig, leg: LegId) -> int:
    rig.legs.events.append(Strayed(leg=leg))
    rig.pump()
    return rig.media.rebound.count(leg)


def test_a_silent_agent_is_told_of_a_second_pair_and_heard_there() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    assert stop(rig, agent) == 1
    assert rig.legs.moves == []
    rebind(rig, agent)
    assert rig.legs.moves == [(agent, LocalMedia(port=PORT))]
    there = remote(port=4444)
    rig.legs.events.append(Moved(leg=agent, local=LocalMedia(port=PORT), remote=there))
    rig.pump()
    assert rig.media.remotes[agent].port == 4444
    assert rig.media.edges == {(caller, agent), (agent, caller)}
    rig.legs.far_hang_up(caller)
    rig.assert_clean()


def test_only_an_agents_phone_that_is_up_and_holds_nobody_is_asked() -> None:
    rig = Rig()
    caller, call = rig.queued()
    assert stop(rig, caller) == 0, "a line does not move"
    agent = rig.offered(call)
    assert strays(rig, agent) == 0
    rig.legs.far_answer(agent)
    rig.pump()
    rig.legs.far_update(agent, Direction.INACTIVE)
    rig.pump()
    assert stop(rig, agent) == strays(rig, agent) == 0
    rig.legs.far_update(agent, Direction.SENDRECV)
    rig.pump()
    assert stop(rig, agent) == 1
    assert stop(rig, LegId("nobody")) == 0


def test_a_registration_from_elsewhere_is_a_reason_at_once() -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    assert stop(rig, agent) == 1
    assert strays(rig, agent) == 1, "it is being done"
    rebind(rig, agent)
    refuse(rig, agent)
    assert strays(rig, agent) == 2
    rebind(rig, agent)
    refuse(rig, agent)
    assert stop(rig, agent) == 2, "not at once for silence"


@pytest.mark.parametrize("how", ["refused", "no port"])
def test_what_came_to_nothing_is_tried_again_each_time_later(how: str) -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    waits = []
    for tries in range(1, 14):
        began = rig.now
        while stop(rig, agent) < tries:
            rig.clock.now += 0.5
        waits.append(rig.now - began)
        assert stop(rig, agent) == tries, "while it is being done"
        if how == "refused":
            rebind(rig, agent)
            refuse(rig, agent, PORT + 2)
            rig.clock.now += 1
            assert strays(rig, agent) == tries, "another's move is none of this"
            rig.clock.now -= 1
            refuse(rig, agent)
        else:
            rig.media.events.append(LegFailed(leg=agent, command="Rebind", reason="no free pair"))
            rig.pump()
    expected = [FIRST_WAIT_S * factor for factor in (1, 1, 2, 4, 8, 16, 32, 64)]
    assert waits == [0.0, *expected, *[LONGEST_WAIT_S] * 4]


def test_nothing_is_asked_of_a_phone_that_hung_up_meanwhile() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    stop(rig, agent)
    rig.legs.auto_end = False
    rig.legs.far_hang_up(caller)
    rig.pump()
    rebind(rig, agent)
    assert rig.legs.moves == []


def test_nothing_is_asked_of_a_phone_whose_dialog_is_ending() -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    stop(rig, agent)
    rig.manager._board.owners[agent][1].dialog = False
    rebind(rig, agent)
    assert rig.legs.moves == []
    rig.clock.now += 100
    assert stop(rig, agent) == strays(rig, agent) == 1


def test_a_second_pair_that_nobody_here_asked_for_is_told_nobody() -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    rebind(rig, agent)
    refuse(rig, agent)
    assert rig.legs.moves == []
