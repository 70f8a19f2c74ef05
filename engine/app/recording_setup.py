"""The `[recording]` section as rules for the calls layer."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine.app.config import Config
from engine.app.recording_key import recording_key
from engine.calls.recording_rules import RecordingRules
from engine.ids import CallId
from engine.media.commands import Beep


def recording_directory(config: Config) -> Path:
    """Where files go."""
    return Path(config.recording.directory) if config.recording.directory else config.state_dir / "recordings"


def recording_rules(config: Config, wall: Callable[[], float] | None) -> RecordingRules:
    """`wall`: seconds since the epoch; None: the machine's. Raises ConfigError for a key that cannot be had."""
    section, clock = config.recording, wall or time.time
    beep = None
    if section.beep_at_start or section.beep_every_s:
        beep = Beep(at_start=section.beep_at_start, every_s=section.beep_every_s, dbm0=section.beep_dbm0)
    return RecordingRules(
        directory=str(recording_directory(config)),
        everything=section.everything,
        per_leg=section.mode == "leg",
        format=section.format,
        key=recording_key(section),
        beep=beep,
        name=lambda call: _name(call, clock()),
    )


def _name(call: CallId, at: float) -> str:
    """By day, then by time: 2026/11/22/174501-CALL."""
    return time.strftime("%Y/%m/%d/%H%M%S-", time.localtime(at)) + call
