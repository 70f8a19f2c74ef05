"""Calls in a codec that only passes, which are to be recorded: both parties are asked for another first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.calls.directory import Agent
from engine.calls.recording_records import RecordingBegan, RecordingMissed
from engine.calls.recordings import RecordingAction, RecordingState
from engine.calls.routing import ToAgent
from engine.errors import InvalidRequest
from engine.ids import AgentName, CallId, LegId
from engine.media.commands import Codec, Direction
from tests.support.call_rig import Rig
from tests.support.recording_rules import rules
from tests.support.transfer_office import hang_up

OPUS = Codec.OPAQUE


def passing(*, record: bool = False, per_leg: bool = False, codecs: tuple[Codec, Codec] = (OPUS, OPUS)) -> Rig:
    """Anna talks to Bert, both in Opus unless told otherwise."""
    rig = Rig(recording=rules(per_leg=per_leg), more=[Agent(name=AgentName("bert"), display="Bert", record=record)])
    rig.router.answer = ToAgent(agent=AgentName("bert"), ring_timeout_s=20)
    caller = rig.call_in("200", agent="anna")
    far = rig.legs.placed()[-1]
    rig.legs.far_answer(far, codecs[1])
    rig.pump()
    rig.confirm(caller, codecs[0])
    rig.wait(0.0)
    return rig


def legs(rig: Rig) -> tuple[LegId, LegId]:
    """Anna's and Bert's."""
    call = next(iter(rig.manager._board.calls.values()))
    (far,) = call.far
    return call.caller.id, far


def call_of(rig: Rig) -> CallId:
    (call,) = rig.manager.snapshot()
    return call.call


def take(rig: Rig, leg: LegId) -> None:
    rig.legs.far_take(leg, Codec.PCMU)
    rig.pump()


def stay(rig: Rig, leg: LegId) -> None:
    rig.legs.far_stay(leg)
    rig.pump()


def start(rig: Rig) -> None:
    rig.manager.recordings.act(call_of(rig), RecordingAction.START, "cli", rig.now)
    rig.pump()
    rig.wait(0.0)


def state(rig: Rig) -> RecordingState:
    return rig.manager.recordings.state(call_of(rig))


@pytest.mark.parametrize("by_rule", [True, False])
def test_it_begins_when_both_have_another_codec(by_rule: bool) -> None:
    rig = passing(record=by_rule)
    if not by_rule:
        assert rig.legs.moves == []
        start(rig)
    caller, far = legs(rig)
    assert {leg: media.decoded for leg, media in rig.legs.moves} == {caller: True, far: True}
    assert (state(rig), rig.manager.snapshot()[0].recording) == (RecordingState.WAITING, "waiting")
    take(rig, caller)
    assert (rig.media.recorder.starts, state(rig)) == ({}, RecordingState.WAITING)
    take(rig, far)
    assert rig.media.recorder.recorded == {call_of(rig): (caller, far)}
    assert (state(rig), rig.bodies(RecordingMissed)) == (RecordingState.ON, [])
    assert len(rig.bodies(RecordingBegan)) == 1
    hang_up(rig, caller)
    assert rig.rows()[0].recording_missed == ""
    rig.assert_clean()


def test_a_file_for_each_leg_waits_too() -> None:
    rig = passing(record=True, per_leg=True)
    caller, far = legs(rig)
    take(rig, far)
    take(rig, caller)
    assert sorted(rig.media.recorder.recorded.values()) == sorted([(caller, None), (far, None)])


@pytest.mark.parametrize("refusing", [0, 1])
@pytest.mark.parametrize("first", [True, False])
def test_who_refuses_is_not_recorded_and_the_call_goes_on(refusing: int, first: bool) -> None:
    rig = passing(record=True)
    both = legs(rig)
    who = ("agent:anna", "agent:bert")[refusing]
    for leg in both if first is (refusing == 0) else both[::-1]:
        (stay if leg == both[refusing] else take)(rig, leg)
        rig.wait(0.0)
    (asked,) = rig.legs.moves
    assert (asked[0], asked[1].alike) == (both[1 - refusing], both[refusing]), "who has left it is asked back"
    rig.legs.far_take(both[1 - refusing], OPUS)
    rig.pump()
    assert rig.media.edges == {both, both[::-1]}
    reason = f"{who} speaks opus, which can only be passed through, and has refused any other codec"
    assert rig.bodies(RecordingMissed) == [RecordingMissed(recording=call_of(rig), reason=reason)]
    assert (rig.media.recorder.starts, state(rig)) == ({}, RecordingState.OFF)
    assert rig.manager.recordings.refusal(call_of(rig)) == reason
    hang_up(rig, both[0])
    (row,) = rig.rows()
    assert (row.recording, row.recording_missed, row.cause.sip_code) == ("", reason, 200)
    assert rig.manager.recordings.refusal(CallId(row.call)) == ""
    rig.assert_clean()


def test_who_has_refused_before_is_not_asked_again_and_the_api_says_why() -> None:
    rig = passing(record=True)
    caller, far = legs(rig)
    for leg in (caller, far):
        stay(rig, leg)
    call = call_of(rig)
    with pytest.raises(InvalidRequest, match=f"call {call} cannot be recorded: agent:anna speaks opus, which can only"):
        start(rig)
    assert rig.legs.moves == []
    assert rig.media.edges == {(caller, far), (far, caller)}


def test_who_has_refused_and_comes_with_another_codec_later_can_be_recorded() -> None:
    rig = passing(record=True)
    caller, far = legs(rig)
    stay(rig, caller)
    assert rig.manager.recordings.refusal(call_of(rig))
    for leg in (caller, far):
        rig.legs.legs[leg].codec = Codec.PCMU
        rig.legs.far_update(leg, Direction.SENDRECV)
    rig.pump()
    start(rig)
    assert rig.media.recorder.recorded == {call_of(rig): (caller, far)}
    assert rig.manager.recordings.refusal(call_of(rig)) == ""


def test_stopped_while_it_waits_it_never_begins() -> None:
    rig = passing()
    start(rig)
    rig.manager.recordings.act(call_of(rig), RecordingAction.STOP, "cli", rig.now)
    for leg in legs(rig):
        take(rig, leg)
    assert (rig.media.recorder.starts, state(rig)) == ({}, RecordingState.OFF)


def test_paused_while_it_waits_it_begins_paused() -> None:
    rig = passing()
    start(rig)
    rig.manager.recordings.act(call_of(rig), RecordingAction.PAUSE, "cli", rig.now)
    for leg in legs(rig):
        take(rig, leg)
    assert (rig.media.recorder.paused, state(rig)) == ({call_of(rig)}, RecordingState.PAUSED)


def test_the_call_may_end_while_it_waits() -> None:
    rig = passing(record=True)
    hang_up(rig, legs(rig)[0])
    assert rig.media.recorder.starts == {}
    rig.assert_clean()


@pytest.mark.parametrize("taken", [True, False])
def test_a_leg_that_comes_in_another_codec_is_waited_for_and_the_file_goes_on(taken: bool) -> None:
    rig = passing(record=True, codecs=(Codec.PCMU, Codec.PCMU))
    caller, far = legs(rig)
    (name,) = rig.media.recorder.starts
    call = next(iter(rig.manager._board.calls.values()))
    before = rig.media.recorder.recorded[name]
    new = call.far[far]
    assert new.remote is not None
    new.remote = replace(new.remote, codec=OPUS, opaque="opus/48000/2")
    (track,) = rig.manager.recordings._tracks.values()
    track.other = LegId("who was there before")
    rig.manager.recordings.linked(call, new)
    assert rig.media.recorder.recorded == {name: before}, "media would refuse it"
    assert state(rig) is RecordingState.WAITING
    rig.wait(0.0)
    if not taken:
        stay(rig, far)
        rig.legs.far_update(caller, Direction.SENDRECV)
        rig.pump()
        assert (state(rig), rig.media.recorder.recorded) == (RecordingState.ON, {name: before})
        assert len(rig.bodies(RecordingMissed)) == 1, "not told again with every change"
        return
    take(rig, far)
    assert rig.media.recorder.recorded == {name: (caller, far)}
    assert track.other == far
