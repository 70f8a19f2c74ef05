"""Recordings, each in the process in which it was begun: its file cannot go elsewhere while it runs.

Who is recorded and lives in another process is carried there by a span, as to anybody who hears him, and is moved there
when he can be, for `media_moves` counts a recording among those with whom a leg has to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from engine.app.media_plane import MediaPlane, PlacedLeg
from engine.app.media_spans import Spans
from engine.media.commands import AimRecording, PauseRecording, ResumeRecording, StartRecording, StopRecording
from engine.media.events import MediaEvent, RecordingFailed, RecordingFinished, RecordingInfo

RecordingCommand = StartRecording | AimRecording | PauseRecording | ResumeRecording | StopRecording


@dataclass(slots=True, eq=False)
class Recording:
    name: str
    plane: MediaPlane
    wanted: AimRecording
    """Whom it is to record."""
    told: AimRecording | None = None
    """What its process was told: of who lives elsewhere, who stands for him."""


class Recordings:
    """All that run."""

    def __init__(self, legs: Mapping[str, PlacedLeg], spans: Spans) -> None:
        self._legs = legs
        self._spans = spans
        self._running: dict[str, Recording] = {}

    def __len__(self) -> int:
        return len(self._running)

    def obey(self, command: RecordingCommand) -> MediaEvent | None:
        """Carry out a command; the answer where no process can give one."""
        found = self._running.get(command.recording)
        match command:
            case StartRecording():
                leg = self._legs.get(command.leg)
                if leg is None or leg.homeless:
                    return RecordingFailed(
                        recording=command.recording, command="StartRecording", reason=f"unknown leg {command.leg!r}"
                    )
                aim = AimRecording(recording=command.recording, leg=command.leg, other=command.other)
                found = self._running[command.recording] = Recording(command.recording, leg.ears, aim)
                found.told = self._physical(found)
                found.plane.send(replace(command, leg=found.told.leg, other=found.told.other))
            case AimRecording() if found is not None:
                found.wanted = command
                self._aim(found)
            case _ if found is not None:
                found.plane.send(command)
            case _:
                return RecordingFailed(
                    recording=command.recording, command=type(command).__name__, reason="unknown recording"
                )
        return None

    def found(self, plane: MediaPlane, info: RecordingInfo) -> None:
        """It runs there, begun by a control process before us."""
        aim = AimRecording(recording=info.recording, leg=info.leg, other=info.other)
        self._running.setdefault(info.recording, Recording(info.recording, plane, aim, aim))

    def look_again(self) -> None:
        """Legs have moved: record them from where they are."""
        for recording in self._running.values():
            self._aim(recording)

    def told(self, event: MediaEvent) -> None:
        """A recording is over."""
        match event:
            case (
                RecordingFinished(recording=name)
                | RecordingFailed(recording=name, command="StartRecording" | "StopRecording")
            ):
                if (found := self._running.pop(name, None)) is not None:
                    self._release(found, None)
            case _:
                pass

    def lost(self, plane: MediaPlane) -> Iterator[MediaEvent]:
        """A process is gone, and what it recorded is as far as it came."""
        for name, recording in [*self._running.items()]:
            if recording.plane is plane:
                del self._running[name]
                self._release(recording, None)
                yield RecordingFailed(recording=name, command="StopRecording", reason="its media process was lost")

    def places(self, leg: PlacedLeg) -> Iterator[MediaPlane]:
        """The processes that record this leg."""
        for recording in self._running.values():
            if leg.name in (recording.wanted.leg, recording.wanted.other):
                yield recording.plane

    # --- inside ---

    def _aim(self, recording: Recording) -> None:
        before, wanted = recording.told, self._physical(recording)
        if wanted != before:
            recording.told = wanted
            recording.plane.send(wanted)
            self._release(recording, before)

    def _physical(self, recording: Recording) -> AimRecording:
        wanted = recording.wanted
        other = None if wanted.other is None else self._voice(recording, wanted.other)
        return replace(wanted, leg=self._voice(recording, wanted.leg), other=other)

    def _voice(self, recording: Recording, name: str) -> str:
        leg = self._legs.get(name)
        if leg is None or leg.homeless or leg.ears is recording.plane:
            return name
        return self._spans.want(leg, recording.plane, _user(recording)).ear

    def _release(self, recording: Recording, before: AimRecording | None) -> None:
        """Let go of spans that it needs no longer: those of `before`, or all."""
        now = recording.told
        kept = set() if before is None or now is None else {now.leg, now.other}
        for told in (before, None if before is not None else now):
            for name in () if told is None else (told.leg, told.other):
                if name is not None and name not in kept and (span := self._spans.of(name)) is not None:
                    self._spans.leave(span, _user(recording))


def _user(recording: Recording) -> str:
    """How a span knows it among those who hear."""
    return f"recording:{recording.name}"
