from __future__ import annotations

import pytest

from engine.calls.log import CallHeld, CallResumed
from engine.media.commands import Direction, Tone
from engine.media.events import LegFailed
from tests.support.call_rig import Rig


@pytest.mark.parametrize("direction", [Direction.RECVONLY, Direction.INACTIVE])
@pytest.mark.parametrize("by_caller", [True, False])
def test_hold_gives_the_other_side_music_and_takes_the_voices_away(direction: Direction, by_caller: bool) -> None:
    rig = Rig()
    caller, agent, _call = rig.talking()
    holder, held = (caller, agent) if by_caller else (agent, caller)
    rig.legs.far_update(holder, direction)
    rig.pump()
    assert not rig.media.edges
    assert rig.media.players.keys() == {held}
    assert rig.media.players[held].loop
    assert rig.media.remotes[holder].direction is direction
    assert rig.bodies(CallHeld) == [CallHeld(leg=holder)]
    assert [c.phase for c in rig.manager.snapshot()] == ["held"]
    rig.legs.far_update(holder, Direction.SENDRECV)
    rig.pump()
    assert rig.media.edges == {(caller, agent), (agent, caller)}
    assert not rig.media.players
    assert rig.bodies(CallResumed) == [CallResumed(leg=holder)]
    rig.legs.far_hang_up(caller)
    rig.assert_clean()


def test_when_both_hold_nobody_hears_anything_and_one_resuming_hears_music() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    rig.legs.far_update(caller, Direction.RECVONLY)
    rig.legs.far_update(agent, Direction.RECVONLY)
    rig.pump()
    assert not rig.media.edges
    assert not rig.media.players
    rig.legs.far_update(caller, Direction.SENDRECV)
    rig.pump()
    assert rig.media.players.keys() == {caller}
    rig.legs.far_hang_up(agent)
    rig.assert_clean()


def test_a_repeated_hold_is_one_hold() -> None:
    rig = Rig()
    caller, _, _ = rig.talking()
    rig.legs.far_update(caller, Direction.RECVONLY)
    rig.legs.far_update(caller, Direction.INACTIVE)
    rig.pump()
    assert len(rig.bodies(CallHeld)) == 1


def test_an_agent_who_answers_a_caller_on_hold_hears_music() -> None:
    rig = Rig()
    caller, call = rig.queued()
    rig.legs.far_update(caller, Direction.RECVONLY)
    rig.pump()
    assert rig.bodies(CallHeld) == []
    agent = rig.offered(call)
    rig.legs.far_answer(agent)
    rig.pump()
    assert not rig.media.edges
    assert rig.media.players.keys() == {agent}


def test_hanging_up_on_hold_leaves_nothing() -> None:
    rig = Rig()
    caller, agent, _ = rig.talking()
    rig.legs.far_update(agent, Direction.INACTIVE)
    rig.pump()
    rig.legs.far_hang_up(caller)
    rig.assert_clean()


def test_hold_music_that_fails_falls_back_to_a_tone() -> None:
    rig = Rig()
    _, agent, _ = rig.talking()
    rig.media.bad_files = {"/music/default.wav"}
    rig.legs.far_update(agent, Direction.RECVONLY)
    rig.pump()
    assert [p.playlist[0].tone for p in rig.media.players.values()] == [Tone.RINGBACK]


def test_music_that_is_found_missing_when_it_was_stopped_is_not_begun_anew() -> None:
    rig = Rig()
    caller, agent, _call = rig.talking()
    rig.media.events.append(LegFailed(leg=caller, command="Play", reason="no such file"))
    rig.pump()
    assert rig.media.players == {}
    assert rig.media.edges == {(caller, agent), (agent, caller)}
    rig.legs.far_hang_up(caller)
    rig.assert_clean()
