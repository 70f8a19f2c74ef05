"""What an operator sets about recordings, for tests."""

from __future__ import annotations

from engine.calls.recording_rules import RecordingRules


def rules(**changes: object) -> RecordingRules:
    """Recordings in `/recordings/day`."""
    values: dict[str, object] = {"directory": "/recordings", "name": lambda call: f"day/{call}"}
    return RecordingRules(**(values | changes))  # type: ignore[arg-type]
