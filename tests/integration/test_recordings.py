"""Recordings of calls of a running engine: by a queue's switch, by commands, over the end of the control process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.live_centre import LiveCentre, running_centre
from tests.support.plain_phone import PlainPhone
from tests.support.ports import PortPool

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tapes")


@pytest.fixture(scope="module")
def centre(session_ports: PortPool, directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveCentre]:
    settings = {"directory": str(directory), "format": "flac"}
    with running_centre(session_ports, tmp_path_factory.mktemp("recordings"), recording=settings) as centre:
        yield centre


@pytest.fixture(scope="module")
def anna(centre: LiveCentre) -> PlainPhone:
    return centre.agent("anna", "demo")


def level_db(path: str, side: int, hertz: int) -> float:
    sound, rate = soundfile.read(path)
    middle = sound[len(sound) // 2 - rate // 4 : len(sound) // 2 + rate // 4, side]
    times = np.arange(len(middle)) / rate
    return float(20 * np.log10(abs(np.mean(middle * np.exp(-2j * np.pi * hertz * times))) * 2 + 1e-9))


def test_a_queue_that_says_so_is_recorded_and_the_cdr_names_the_file(
    centre: LiveCentre, anna: PlainPhone, directory: Path
) -> None:
    centre.queue(record=True)
    caller = centre.caller()
    talk, _ = centre.connect(caller, anna)
    caller.voice.hum(450)
    anna.voice.hum(1250)
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert live["recording"] == "on"
    centre.until(lambda: centre.metric("hearthline_recordings") == 1, "the metric")
    (running,) = centre.engine.api.get("/api/v1/recordings")["items"]
    assert running["state"] == "running"
    time.sleep(1.5)
    talk.hang_up()
    anna.voice.says = bytes([anna.voice.mark]) * len(anna.voice.says)
    row = centre.cdr(talk)
    assert Path(row["recording"]).is_relative_to(directory)
    assert row["recording_gaps"] == 0
    centre.until(Path(row["recording"]).exists, "the finished file", timeout=20)
    assert level_db(row["recording"], 0, 450) > level_db(row["recording"], 0, 1250) + 30
    assert level_db(row["recording"], 1, 1250) > level_db(row["recording"], 1, 450) + 30
    centre.until(lambda: centre.metric("hearthline_recorded_seconds_total") > 1, "the metric")
    listed = centre.engine.command("recording", "list").stdout
    assert str(Path(row["recording"]).relative_to(directory)) in listed
    centre.queue(record=False)


def test_a_person_records_pauses_and_stops_a_live_call(centre: LiveCentre, anna: PlainPhone) -> None:
    caller = centre.caller("5552000")
    talk, _ = centre.connect(caller, anna)
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert live["recording"] == ""
    call = live["call"]
    for word, state in (("start", "on"), ("pause", "paused"), ("resume", "on"), ("stop", "")):
        centre.engine.command("recording", word, call)
        (live,) = centre.engine.api.get("/api/v1/calls")["items"]
        assert live["recording"] == state
    again = centre.engine.command("recording", "stop", call, check=False)
    assert again.returncode == 1
    assert "is not recorded" in again.stderr
    talk.hang_up()
    row = centre.cdr(talk)
    assert row["recording"].endswith(f"-{call}.flac")
    centre.until(Path(row["recording"]).exists, "the finished file", timeout=20)
    types = [record["type"] for record in centre.engine.records(call=call)]
    assert [each for each in types if each.startswith("Recording")][:4] == [
        *("RecordingBegan", "RecordingPaused", "RecordingResumed", "RecordingStopped")
    ]


def test_a_recording_goes_on_through_a_crash_of_control_and_is_finished_by_the_next(
    centre: LiveCentre, anna: PlainPhone
) -> None:
    centre.queue(record=True)
    caller = centre.caller("5553000")
    talk, _ = centre.connect(caller, anna)
    caller.voice.hum(450)
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    call = live["call"]
    centre.until(lambda: bool(centre.engine.records("RecordingBegan", call=call)), "the log")
    centre.engine.process.kill()
    time.sleep(0.5)
    centre.engine.start()
    centre.until(lambda: bool(centre.engine.api.get("/api/v1/calls")["items"]), "the call")
    (live,) = centre.engine.api.get("/api/v1/calls")["items"]
    assert (live["call"], live["phase"], live["recording"]) == (call, "orphan", "on")
    centre.until(lambda: centre.metric("hearthline_recordings") == 1, "the count of recordings")
    centre.engine.command("recording", "pause", call)
    assert centre.engine.api.get("/api/v1/calls")["items"][0]["recording"] == "paused"
    centre.engine.command("recording", "resume", call)
    time.sleep(0.5)
    assert talk.hang_up().status == 200
    row = centre.cdr(talk)
    assert (row["reason"], row["recording"].endswith(f"-{call}.flac")) == ("engine_restart", True)
    centre.until(lambda: bool(centre.engine.records("RecordingEnded", call=call)), "its last word", timeout=20)
    assert [each["body"]["path"] for each in centre.engine.records("RecordingEnded", call=call)] == [row["recording"]]
    sound, rate = soundfile.read(row["recording"])
    assert len(sound) / rate > 1.5
    assert centre.metric("hearthline_recordings") == 0
    anna.register()
    centre.queue(record=False)
