"""The recorders of a media process, for tests of who commands them."""

from __future__ import annotations

from collections.abc import Callable, Container

from engine.media.commands import (
    AimRecording,
    Command,
    PauseRecording,
    ResumeRecording,
    StartRecording,
    StopRecording,
    TidyRecordings,
)
from engine.media.events import MediaEvent, RecordingFailed, RecordingFinished, RecordingStarted


class FakeRecorder:
    """Knows which legs are recorded, and answers as the media process does."""

    def __init__(self, reply: Callable[[MediaEvent], None]) -> None:
        self._reply = reply
        self.starts: dict[str, StartRecording] = {}
        """Every recording that there ever was, by name."""
        self.recorded: dict[str, tuple[str, str | None]] = {}
        """Legs of those that run."""
        self.paused: set[str] = set()
        self.trouble = ""
        """Why none can be made."""

    def obey(self, command: Command, legs: Container[str]) -> None:
        """Fails the test for a command about what is not there."""
        match command:
            case StartRecording(recording=name, leg=leg, other=other):
                assert leg in legs
                assert other is None or other in legs
                assert name not in self.starts, "names are used once"
                self.starts[name] = command
                self._start(command)
            case AimRecording(recording=name, leg=leg, other=other):
                assert name in self.recorded
                assert leg in legs
                assert other is None or other in legs
                self.recorded[name] = (leg, other)
            case PauseRecording(recording=name):
                assert name in self.recorded
                assert name not in self.paused
                self.paused.add(name)
            case ResumeRecording(recording=name):
                self.paused.remove(name)
            case StopRecording(recording=name):
                self.finish(name)
            case TidyRecordings():
                pass
            case _:
                raise AssertionError(f"not for calls to send: {command}")

    def _start(self, start: StartRecording) -> None:
        if self.trouble:
            self._reply(RecordingFailed(recording=start.recording, command="StartRecording", reason=self.trouble))
            return
        self.recorded[start.recording] = (start.leg, start.other)
        self._reply(RecordingStarted(recording=start.recording, path=f"{start.stem}.running.wav", rate=8000))

    def finish(self, name: str) -> None:
        """The file has its last form."""
        del self.recorded[name]
        self.paused.discard(name)
        path = f"{self.starts[name].stem}.flac"
        self._reply(RecordingFinished(recording=name, path=path, seconds=12.0, octets=4000, gaps=(), lost_s=0.5))

    def closed(self, legs: Container[str]) -> None:
        """Legs were closed; these are left."""
        for name, taped in list(self.recorded.items()):
            if not any(each in legs for each in taped if each is not None):
                self.finish(name)
