"""Which calls are recorded, on which legs, and what the log tells of it."""

from __future__ import annotations

import pytest

from engine.calls.causes import Reason
from engine.calls.directory import Agent, Queue, Trunk
from engine.calls.media_records import DigitReceived
from engine.calls.recording_records import (
    RecordingBegan,
    RecordingEnded,
    RecordingGapped,
    RecordingMissed,
    RecordingPaused,
    RecordingResumed,
    RecordingStopped,
)
from engine.calls.recordings import RecordingAction
from engine.calls.routing import ToAgent, ToQueue
from engine.calls.twin_keys import WAIT_S
from engine.errors import InvalidRequest, NotFound
from engine.ids import AgentName, CallId, QueueName, TrunkName
from engine.media.commands import Beep, PauseRecording, RecordingFormat, RecordingKey, ResumeRecording
from engine.media.events import Gap, RecordingFailed, RecordingFinished, RecordingGap
from tests.support.call_rig import Rig
from tests.support.recording_rules import rules

START, PAUSE, RESUME, STOP = RecordingAction


def legs_of(rig: Rig) -> list[tuple[str, str | None]]:
    return list(rig.media.recorder.recorded.values())


def hang_up(rig: Rig, leg: str) -> None:
    rig.legs.far_hang_up(leg)  # type: ignore[arg-type]
    rig.pump()


def act(rig: Rig, call: CallId, action: RecordingAction) -> None:
    rig.manager.recordings.act(call, action, "cli", rig.now)
    rig.pump()


def test_a_call_that_no_rule_names_costs_and_leaves_nothing() -> None:
    rig = Rig(recording=rules())
    caller, _, _ = rig.talking()
    sent = len(rig.media.sent)
    assert not rig.media.recorder.starts
    hang_up(rig, caller)
    assert not any("Recording" in type(command).__name__ for command in rig.media.sent[sent:])
    (row,) = rig.rows()
    assert (row.recording, row.recording_gaps) == ("", 0)


@pytest.mark.parametrize(
    ("more", "changes", "by"),
    [
        ([Queue(name=QueueName("sales"), record=True)], {}, "queue:sales"),
        ([Agent(name=AgentName("anna"), record=True)], {}, "agent:anna"),
        ([Trunk(name=TrunkName("pbx"), host="192.0.2.10", record=True)], {}, "trunk:pbx"),
        ([], {"everything": True}, "config"),
    ],
)
def test_a_rule_records_caller_and_agent_from_the_answer_on(
    more: list[Queue], changes: dict[str, object], by: str
) -> None:
    rig = Rig(recording=rules(**changes), more=more)
    caller, waiting = rig.queued()
    assert not rig.media.recorder.starts, "who waits is not recorded"
    anna = rig.offered(waiting)
    rig.legs.far_answer(anna)
    rig.pump()
    (start,) = rig.media.recorder.starts.values()
    call = rig.manager.snapshot()[0]
    assert (start.leg, start.other) == (caller, anna)
    assert start.stem == f"/recordings/day/{call.call}"
    assert (start.format, start.key, start.beep) == (RecordingFormat.FLAC, None, None)
    assert call.recording == "on"
    assert rig.bodies(RecordingBegan) == [
        RecordingBegan(recording=call.call, path=f"{start.stem}.flac", rate=8000, by=by)
    ]
    hang_up(rig, caller)
    assert rig.bodies(RecordingEnded) == [
        RecordingEnded(
            recording=call.call, path=f"{start.stem}.flac", seconds=12.0, octets=4000, lost_s=0.5, trouble=""
        )
    ]
    assert {record.call for record in rig.records if isinstance(record.body, RecordingEnded)} == {call.call}
    (row,) = rig.rows()
    assert row.recording == f"{start.stem}.flac"
    assert len(rig.manager.recordings) == 0
    rig.assert_clean()


def test_another_agents_switch_records_nothing() -> None:
    rig = Rig(recording=rules(), more=[Agent(name=AgentName("bert"), record=True)])
    rig.talking()
    assert not rig.media.recorder.starts


def test_without_a_directory_nothing_is_recorded() -> None:
    rig = Rig(more=[Queue(name=QueueName("sales"), record=True)])
    _, _, call = rig.talking()
    assert not rig.media.recorder.starts
    with pytest.raises(InvalidRequest, match="no directory for recordings"):
        act(rig, call, START)


def test_form_key_and_beep_are_as_configured() -> None:
    key = RecordingKey(key="a key")
    beep = Beep(at_start=True, every_s=15.0, dbm0=-20)
    rig = Rig(recording=rules(everything=True, format=RecordingFormat.OPUS, key=key, beep=beep))
    rig.talking()
    (start,) = rig.media.recorder.starts.values()
    assert (start.format, start.key, start.beep) == (RecordingFormat.OPUS, key, beep)
    (began,) = rig.bodies(RecordingBegan)
    assert isinstance(began, RecordingBegan)
    assert began.path == f"{start.stem}.opus.hlr"


def test_each_leg_has_a_file_of_its_own() -> None:
    rig = Rig(recording=rules(everything=True, per_leg=True))
    caller, anna, call = rig.talking()
    assert rig.media.recorder.recorded == {f"{call}-1": (caller, None), f"{call}-2": (anna, None)}
    assert [start.stem for start in rig.media.recorder.starts.values()] == [
        f"/recordings/day/{call}-1",
        f"/recordings/day/{call}-2",
    ]
    act(rig, call, PAUSE)
    assert rig.media.recorder.paused == {f"{call}-1", f"{call}-2"}
    hang_up(rig, caller)
    (row,) = rig.rows()
    assert row.recording == f"/recordings/day/{call}-1.flac,/recordings/day/{call}-2.flac"
    rig.assert_clean()


def test_a_person_begins_pauses_resumes_and_ends_it() -> None:
    rig = Rig(recording=rules())
    caller, anna, call = rig.talking()
    act(rig, call, START)
    assert legs_of(rig) == [(caller, anna)]
    act(rig, call, PAUSE)
    act(rig, call, PAUSE)
    assert rig.media.recorder.paused == {call}
    assert rig.manager.snapshot()[0].recording == "paused"
    act(rig, call, RESUME)
    assert not rig.media.recorder.paused
    assert [type(c) for c in rig.media.sent if isinstance(c, PauseRecording | ResumeRecording)] == [
        PauseRecording,
        ResumeRecording,
    ]
    act(rig, call, STOP)
    assert not rig.media.recorder.recorded
    assert rig.manager.snapshot()[0].recording == ""
    told = [*rig.bodies(RecordingPaused), *rig.bodies(RecordingResumed), *rig.bodies(RecordingStopped)]
    assert told == [kind(recording=call, by="cli") for kind in (RecordingPaused, RecordingResumed, RecordingStopped)]
    act(rig, call, START)
    assert list(rig.media.recorder.recorded) == [f"{call}-2"]
    hang_up(rig, caller)
    rig.assert_clean()


def test_what_a_person_stopped_is_begun_by_no_rule_again() -> None:
    rig = Rig(recording=rules(everything=True))
    rig.router.by_number = {"200": ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)}
    _, anna, call = rig.talking()
    act(rig, call, STOP)
    rig.legs.far_transfer(anna, "200")
    rig.pump()
    rig.legs.far_answer(rig.legs.placed()[-1])
    rig.pump()
    assert rig.manager.snapshot()[0].agent == "bert"
    assert not rig.media.recorder.recorded


@pytest.mark.parametrize(
    ("before", "action", "reason"),
    [
        ([], PAUSE, "is not recorded"),
        ([], RESUME, "is not recorded"),
        ([], STOP, "is not recorded"),
        ([START], START, "is recorded already"),
        ([START, STOP], PAUSE, "is not recorded"),
    ],
)
def test_what_cannot_be_done_is_told(before: list[RecordingAction], action: RecordingAction, reason: str) -> None:
    rig = Rig(recording=rules())
    _, _, call = rig.talking()
    for each in before:
        act(rig, call, each)
    with pytest.raises(InvalidRequest, match=reason):
        act(rig, call, action)


def test_who_waits_is_recorded_with_what_he_hears_and_then_with_the_agent() -> None:
    rig = Rig(recording=rules())
    caller, call = rig.queued()
    act(rig, call, START)
    assert legs_of(rig) == [(caller, None)]
    anna = rig.offered(call)
    rig.legs.far_answer(anna)
    rig.pump()
    assert legs_of(rig) == [(caller, anna)]
    hang_up(rig, caller)
    rig.assert_clean()


def test_who_is_not_up_cannot_be_recorded_nor_a_call_that_is_not() -> None:
    rig = Rig(recording=rules())
    rig.call_in()
    with pytest.raises(InvalidRequest, match="is not answered yet"):
        act(rig, rig.manager.snapshot()[0].call, START)
    with pytest.raises(NotFound):
        act(rig, CallId("none"), START)


@pytest.mark.parametrize("per_leg", [False, True])
def test_a_blind_transfer_goes_on_in_the_recording(per_leg: bool) -> None:
    rig = Rig(recording=rules(everything=True, per_leg=per_leg))
    rig.router.by_number = {"200": ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)}
    caller, anna, _ = rig.talking()
    rig.legs.far_transfer(anna, "200")
    rig.pump()
    bert = rig.legs.placed()[-1]
    rig.legs.far_answer(bert)
    rig.pump()
    expected = [(caller, None), (bert, None)] if per_leg else [(caller, bert)]
    assert legs_of(rig) == expected
    hang_up(rig, caller)
    assert not rig.media.recorder.recorded
    rig.assert_clean()


def test_a_caller_who_is_an_agent_and_transfers_leaves_the_other_side_where_it_was() -> None:
    rig = Rig(ToAgent(agent=AgentName("bert"), ring_timeout_s=20), recording=rules(everything=True))
    rig.router.by_number = {"300": ToAgent(agent=AgentName("cleo"), ring_timeout_s=20.0)}
    anna = rig.call_in("200", agent="anna")
    bert = rig.legs.placed()[-1]
    rig.legs.far_answer(bert)
    rig.pump()
    rig.confirm(anna)
    assert legs_of(rig) == [(anna, bert)]
    rig.legs.far_transfer(anna, "300")
    rig.pump()
    cleo = rig.legs.placed()[-1]
    rig.legs.far_answer(cleo)
    rig.pump()
    assert legs_of(rig) == [(cleo, bert)], "bert stays on the right"


def test_after_an_attended_transfer_one_recording_goes_on_and_the_other_ends() -> None:
    rig = Rig(recording=rules(everything=True))
    rig.router.by_number = {"200": ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)}
    caller, anna, call = rig.talking()
    own = rig.call_in("200", agent="anna")
    bert = rig.legs.placed()[-1]
    rig.legs.far_answer(bert)
    rig.pump()
    rig.confirm(own)
    assert len(rig.media.recorder.recorded) == 2
    rig.legs.far_transfer(anna, to=own)
    rig.pump()
    assert rig.media.recorder.recorded == {call: (caller, bert)}
    hang_up(rig, caller)
    rig.assert_clean()


def test_gaps_are_told_and_counted_once() -> None:
    rig = Rig(recording=rules(everything=True))
    caller, _, call = rig.talking()
    for over in (False, True):
        gap = Gap(at_s=2.0, seconds=1.0 + over, reason="No space left on device")
        rig.media.events.append(RecordingGap(recording=call, gap=gap, over=over))
    rig.pump()
    told = rig.bodies(RecordingGapped)
    assert told[1] == RecordingGapped(
        recording=call, at_s=2.0, seconds=2.0, reason="No space left on device", over=True
    )
    hang_up(rig, caller)
    (row,) = rig.rows()
    assert row.recording_gaps == 1


def test_a_recording_that_cannot_be_made_is_told_and_the_call_goes_on() -> None:
    rig = Rig(recording=rules(everything=True))
    rig.media.recorder.trouble = "/recordings: Permission denied"
    caller, _, call = rig.talking()
    assert rig.bodies(RecordingMissed) == [RecordingMissed(recording=call, reason="/recordings: Permission denied")]
    assert rig.manager.snapshot()[0].recording == ""
    rig.media.recorder.trouble = ""
    hang_up(rig, caller)
    assert rig.end().cause.reason is Reason.CALLER_HANGUP
    rig.assert_clean()


def test_with_the_media_process_its_recordings_are_lost_and_told() -> None:
    rig = Rig(recording=rules(everything=True))
    _, _, call = rig.talking()
    rig.media.alive = False
    rig.manager.media_lost(rig.now, "killed")
    rig.pump()
    (missed,) = rig.bodies(RecordingMissed)
    assert isinstance(missed, RecordingMissed)
    assert missed.recording == call
    assert "finished when the next one starts" in missed.reason
    assert len(rig.manager.recordings) == 0


def test_what_a_crashed_process_left_is_told_without_a_call() -> None:
    rig = Rig(recording=rules())
    rig.media.events.append(
        RecordingFinished(recording="/recordings/day/old", path="/old.flac", seconds=3.0, octets=9, gaps=(), lost_s=0.0)
    )
    rig.pump()
    (ended,) = rig.bodies(RecordingEnded)
    assert isinstance(ended, RecordingEnded)
    assert ended.path == "/old.flac"
    assert rig.records[-1].call is None


def test_a_queue_is_recorded_for_whoever_it_is_put_through_to() -> None:
    rig = Rig(ToQueue(queue=QueueName("sales")), recording=rules(), more=[Queue(name=QueueName("sales"), record=True)])
    rig.talking()
    rig.talking()
    assert len(rig.media.recorder.recorded) == 2


def test_a_leg_that_comes_during_a_pause_is_paused_too() -> None:
    rig = Rig(recording=rules(everything=True, per_leg=True))
    rig.router.by_number = {"200": ToAgent(agent=AgentName("bert"), ring_timeout_s=20.0)}
    _, anna, call = rig.talking()
    act(rig, call, PAUSE)
    rig.legs.far_transfer(anna, "200")
    rig.pump()
    rig.legs.far_answer(rig.legs.placed()[-1])
    rig.pump()
    assert rig.media.recorder.paused == set(rig.media.recorder.recorded) == {f"{call}-1", f"{call}-3"}


def test_what_is_said_twice_of_a_lost_process_is_told_once() -> None:
    rig = Rig(recording=rules())
    rig.media.events.append(RecordingFailed(recording="x", command="StopRecording", reason="its process was lost"))
    rig.media.events.append(RecordingFailed(recording="/r/old", command="TidyRecordings", reason="unreadable"))
    rig.pump()
    assert rig.bodies(RecordingMissed) == [RecordingMissed(recording="/r/old", reason="unreadable")]


def test_what_is_pressed_while_a_recording_is_paused_stands_nowhere() -> None:
    rig = Rig(recording=rules())
    caller, anna, call = rig.talking()
    act(rig, call, START)
    for action, digit in ((None, "1"), (PAUSE, "2"), (RESUME, "3"), (PAUSE, "4"), (STOP, "5")):
        if action is not None:
            act(rig, call, action)
        rig.media.digit(caller, digit)
        rig.pump()
        rig.legs.far_key(anna, digit)
        rig.pump()
        rig.wait(WAIT_S)  # anna's phone might send her first key in its sound as well
    pressed = [body.digit for body in rig.bodies(DigitReceived) if isinstance(body, DigitReceived)]
    assert "".join(pressed) == "11??33??55"
