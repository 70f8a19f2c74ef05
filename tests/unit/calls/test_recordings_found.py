"""Recordings that outlived the control process that began them."""

from __future__ import annotations

import pytest

from engine.calls.recording_records import (
    RecordingEnded,
    RecordingFound,
    RecordingMissed,
    RecordingPaused,
    RecordingStopped,
)
from engine.calls.recordings import RecordingAction, RecordingState
from engine.errors import NotFound
from engine.ids import CallId
from engine.media.events import RecordingFailed, RecordingFinished, RecordingInfo
from tests.support.call_rig import Rig
from tests.support.recording_rules import rules
from tests.support.recordings import start

START, PAUSE, RESUME, STOP = RecordingAction
CALL = CallId("0abc")


def finished(name: str, path: str = "/r/x.flac") -> RecordingFinished:
    return RecordingFinished(recording=name, path=path, seconds=9.0, octets=400, gaps=(), lost_s=0.0)


def found(*, paused: bool = False, names: tuple[str, ...] = ("0abc",)) -> Rig:
    rig = Rig(recording=rules())
    for name in names:
        info = RecordingInfo(
            recording=name, path=f"/r/{name}.flac", leg="a", other="b", started=rig.now - 7.0, paused=paused
        )
        rig.manager.recordings.found(info, rig.now)
        rig.manager.recordings.found(info, rig.now)
    rig.pump()
    return rig


@pytest.mark.parametrize(("paused", "state"), [(False, RecordingState.ON), (True, RecordingState.PAUSED)])
def test_it_is_known_until_its_last_word_which_is_its_calls(paused: bool, state: RecordingState) -> None:
    rig = found(paused=paused)
    assert (rig.manager.recordings.state(CALL), len(rig.manager.recordings)) == (state, 1)
    assert rig.bodies(RecordingFound) == [RecordingFound(recording="0abc", path="/r/0abc.flac", seconds=7.0)]
    rig.manager.media_event(finished("0abc"), rig.now)
    rig.pump()
    assert (rig.manager.recordings.state(CALL), len(rig.manager.recordings)) == (RecordingState.OFF, 0)
    told = [(record.call, type(record.body)) for record in rig.records]
    assert told == [(CALL, RecordingFound), (CALL, RecordingEnded)]


def test_a_person_may_pause_and_end_but_not_begin_it() -> None:
    names = ("0abc-1", "0abc-2")
    rig = found(names=names)
    for name in names:
        rig.media.recorder.starts[name] = start(recording=name)
        rig.media.recorder.recorded[name] = ("a", "b")
    act = rig.manager.recordings.act
    act(CALL, PAUSE, "api", rig.now)
    assert rig.media.recorder.paused == set(names)
    with pytest.raises(NotFound, match="no live call '0abc'"):
        act(CALL, START, "api", rig.now)
    with pytest.raises(NotFound, match="no live call 'other'"):
        act(CallId("other"), STOP, "api", rig.now)
    act(CALL, STOP, "api", rig.now)
    assert rig.media.recorder.recorded == {}
    with pytest.raises(NotFound, match="no live call '0abc'"):
        act(CALL, RESUME, "api", rig.now)
    rig.pump()
    assert [len(rig.bodies(each)) for each in (RecordingPaused, RecordingStopped, RecordingEnded)] == [2, 2, 2]
    assert len(rig.manager.recordings) == 0


def test_what_ended_while_nobody_listened_is_told_of_its_call() -> None:
    rig = Rig(recording=rules())
    for name, path in (("0abc-2", "/r/x.flac"), ("/r/crashed", "/r/crashed.flac")):
        rig.manager.media_event(finished(name, path), rig.now)
    rig.pump()
    assert [(record.call, record.body.path) for record in rig.records if isinstance(record.body, RecordingEnded)] == [
        (CALL, "/r/x.flac"),
        (None, "/r/crashed.flac"),
    ]


def test_one_whose_process_is_lost_is_told_as_missed() -> None:
    rig = found()
    rig.manager.media_event(
        RecordingFailed(recording="0abc", command="StopRecording", reason="its media process was lost"), rig.now
    )
    rig.pump()
    assert [record.call for record in rig.records if isinstance(record.body, RecordingMissed)] == [CALL]
    assert rig.manager.recordings.state(CALL) is RecordingState.OFF
