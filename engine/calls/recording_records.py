"""Records of the event log about recordings; part of `log`, by the same rules."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingBegan:
    """Sound goes into a file."""

    recording: str
    path: str
    """That the file will have when it is finished."""
    rate: int
    """Samples per second."""
    by: str
    """Whose doing it is: "config", "queue:NAME", "agent:NAME", "trunk:NAME", "api" or "cli"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFound:
    """It runs in a media process that outlived the control process that began it."""

    recording: str
    path: str
    """That the file will have when it is finished."""
    seconds: float
    """So long it runs already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingPaused:
    recording: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingResumed:
    recording: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStopped:
    """By a person, while the call goes on."""

    recording: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingGapped:
    """Sound is being lost, or (`over`) was: the disk is full, or too slow. Silence stands in its place."""

    recording: str
    at_s: float
    seconds: float
    reason: str
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    """The file has its last form. Comes after the end of the call."""

    recording: str
    """Of one that a process that crashed had left behind: its path without ending."""
    path: str
    seconds: float
    octets: int
    lost_s: float
    trouble: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingMissed:
    """A recording could not be made, or not gone on with."""

    recording: str
    reason: str
