"""What the operator has set about recordings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from engine.ids import CallId
from engine.media.commands import Beep, RecordingFormat, RecordingKey, TidyRecordings


def _by_name(call: CallId) -> str:
    return str(call)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRules:
    directory: str = ""
    """Absolute path under which all files are; empty: nothing can be recorded."""
    everything: bool = False
    """Record every call in which two people talk; else those of queues, agents and trunks that say so."""
    per_leg: bool = False
    """A file for each leg (what it says, what it hears) in place of one for the call (one voice left, one right)."""
    format: RecordingFormat = RecordingFormat.FLAC
    key: RecordingKey | None = None
    """What they are encrypted with; None: not at all."""
    beep: Beep | None = None
    name: Callable[[CallId], str] = field(default=_by_name, compare=False)
    """Path under `directory`, without ending, of a recording that begins now."""

    def ending(self) -> str:
        """Of a finished file."""
        return f".{self.format}" + ("" if self.key is None else ".hlr")

    def tidy(self) -> TidyRecordings:
        """Finish what crashed processes have left."""
        return TidyRecordings(directory=self.directory, format=self.format, key=self.key)
