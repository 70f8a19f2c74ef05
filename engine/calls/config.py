"""What the operator may set about calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from engine.calls.recording_rules import RecordingRules
from engine.calls.sound_rules import SoundRules


class MediaTimeoutPolicy(StrEnum):
    """What to do with a call when nothing is heard on one of its legs for as long as the media process waits."""

    END = "end"
    """End the call: the phone or its network is gone. A leg that is on hold may be silent."""
    KEEP = "keep"
    """Go on, for lines that send nothing in silence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsConfig:
    hold_music: tuple[str, ...]
    """Absolute paths of the files for those who wait or are held, where a queue names none; played over and over."""
    sounds: SoundRules = field(default_factory=SoundRules)
    """What callers are told, in which language, and whose tones they hear."""
    media_timeout: MediaTimeoutPolicy = MediaTimeoutPolicy.END
    retry_after_s: int = 5
    """Seconds that a refused caller is asked to wait (Retry-After) while there is no media process, the engine drains
    or the store is full."""
    recording: RecordingRules = field(default_factory=RecordingRules)
    """What is recorded without being asked for, and where to."""
    auto_answer: bool = False
    """Whether agents' phones are asked to answer a queue's call by themselves."""
    max_calls: int = 5000
    """Live calls at once; a further one is refused with 503. Bounds every table of this layer."""
