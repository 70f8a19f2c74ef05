"""Recordings in several media processes: each stays where it was begun, whoever moves."""

from __future__ import annotations

from typing import Any

from engine.app.media_moves import SETTLED_S
from engine.media.commands import (
    AimRecording,
    CloseLeg,
    Command,
    PauseRecording,
    RecordingFormat,
    ResumeRecording,
    StartRecording,
    StopRecording,
)
from engine.media.events import Legs, RecordingFailed, RecordingFinished, RecordingInfo
from tests.support.fake_media import FakeMedia
from tests.support.planes_bench import PlanesBench


class Recorder(FakeMedia):
    """Takes recordings too, and checks that their legs are there."""

    def send(self, command: Command) -> None:
        if isinstance(command, StartRecording | AimRecording):
            self._check(command.leg, *([command.other] if command.other else []))
        if hasattr(command, "recording"):
            self.sent.append(command)
        else:
            super().send(command)

    def told(self) -> list[Any]:
        return [command for command in self.sent if hasattr(command, "recording")]


def office(count: int = 2) -> PlanesBench:
    bench = PlanesBench(count, fake=Recorder)
    bench.leg("anna", 0)
    bench.leg("bert", 0)
    return bench


def start(leg: str = "anna", other: str | None = "bert") -> StartRecording:
    return StartRecording(recording="r", leg=leg, other=other, stem="/rec/r", format=RecordingFormat.WAV)


def finished() -> RecordingFinished:
    return RecordingFinished(recording="r", path="/rec/r.wav", seconds=1.0, octets=44, gaps=(), lost_s=0.0)


def told(bench: PlanesBench, index: int) -> list[Any]:
    fake = bench.fakes[index]
    assert isinstance(fake, Recorder)
    return fake.told()


def test_with_one_process_everything_goes_straight_there() -> None:
    bench = office(1)
    commands: list[Command] = [start(), PauseRecording(recording="r"), ResumeRecording(recording="r")]
    commands += [AimRecording(recording="r", leg="bert", other=None), StopRecording(recording="r")]
    for command in commands:
        bench.media.send(command)
    bench.pump()
    assert told(bench, 0) == commands
    bench.fakes[0].events.append(finished())
    bench.pump()
    assert bench.told[-1] == finished()
    bench.media.send(StopRecording(recording="r"))
    bench.pump()
    assert bench.told[-1] == RecordingFailed(recording="r", command="StopRecording", reason="unknown recording")


def test_who_is_recorded_and_lives_elsewhere_is_carried_there_and_moves_there() -> None:
    bench = office()
    bench.leg("cleo", 1)
    bench.media.send(start())
    bench.connect("anna", "cleo")
    bench.media.send(AimRecording(recording="r", leg="anna", other="cleo"))
    bench.pump()
    aimed = told(bench, 0)[-1]
    assert (aimed.leg, bench._voice(0, aimed.other)) == ("anna", "cleo")
    bench.wait(SETTLED_S)
    assert [leg for leg, _ in bench.asked] == ["cleo"], "not Anna, whose recording is here"
    bench.answer()
    bench.latch("cleo")
    assert told(bench, 0)[-1] == AimRecording(recording="r", leg="anna", other="cleo")
    assert bench.own_legs() == []


def test_who_is_recorded_stays_in_a_process_that_drains() -> None:
    bench = office()
    bench.leg("cleo", 0)
    bench.media.send(start())
    bench.media.drain(0, move=True)
    bench.pump()
    assert [leg for leg, _ in bench.asked] == ["cleo"]


def test_when_it_is_over_its_spans_end() -> None:
    bench = office()
    bench.leg("cleo", 1)
    bench.media.send(start(other="cleo"))
    bench.pump()
    assert len(bench.own_legs()) == 2
    assert told(bench, 1) == []
    bench.fakes[0].events.append(finished())
    bench.pump()
    assert bench.own_legs() == []
    for leg in ("anna", "bert", "cleo"):
        bench.media.send(CloseLeg(leg=leg))
    bench.pump()
    assert bench.counted() == [0, 0]


def test_a_recording_of_nobody_fails() -> None:
    bench = office()
    bench.media.send(start(leg="nobody"))
    bench.pump()
    assert bench.told[-1] == RecordingFailed(recording="r", command="StartRecording", reason="unknown leg 'nobody'")


def test_with_its_process_a_recording_ends_and_is_told_of() -> None:
    bench = office()
    bench.media.send(start())
    bench.pump()
    bench.die(0)
    failed = bench.told[-1]
    assert isinstance(failed, RecordingFailed)
    assert (failed.recording, failed.command) == ("r", "StopRecording")
    assert "lost" in failed.reason


def test_who_came_from_a_lost_process_is_recorded_where_he_is() -> None:
    bench = office()
    bench.leg("cleo", 1)
    bench.connect("anna", "cleo")
    bench.media.send(start(other="cleo"))
    bench.pump()
    bench.wait(SETTLED_S)
    assert bench.answer()[0] == "cleo"
    assert told(bench, 0)[-1].other != "cleo"
    bench.die(1)
    assert told(bench, 0)[-1] == AimRecording(recording="r", leg="anna", other="cleo")


def test_one_from_before_is_commanded_where_it_runs_and_ends_with_its_process() -> None:
    bench = office()
    info = RecordingInfo(recording="old", path="/r/old.flac", leg="x", other="y", started=1.0)
    bench.media.told(1, Legs(legs=(), recordings=(info,)), bench.now)
    bench.media.send(PauseRecording(recording="old"))
    assert list(bench.media.take(1)) == [PauseRecording(recording="old")]
    assert list(bench.media.take(0)) == []
    bench.leg("more", 1)
    bench.connect("anna", "more")
    bench.wait(SETTLED_S)
    assert not any(isinstance(command, AimRecording) for command in bench.fakes[1].sent), "nobody knows better"
    bench.die(1)
    assert [event for event in bench.told if isinstance(event, RecordingFailed)] == [
        RecordingFailed(recording="old", command="StopRecording", reason="its media process was lost")
    ]
