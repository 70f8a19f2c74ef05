"""What the API takes and shows about recordings."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from engine.api.base_view import View
from engine.api.models import Body
from engine.calls.recordings import RecordingAction


class RecordingCommand(Body):
    """What to do about the recording of a live call."""

    action: RecordingAction = Field(strict=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView(View):
    """One file."""

    path: str
    """Under the directory of recordings."""
    recording: str
    """The call, and a number where it has several."""
    state: str
    """"running" (or left behind by a crash) or "finished"."""
    format: str
    encrypted: bool
    octets: int
    changed: float
    """Seconds since the epoch."""
