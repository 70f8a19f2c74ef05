"""One recording between the tick, which hands over a second of sound at a time, and the thread that writes it.

The tick never waits: when more than ten seconds wait to be written, or the disk refuses, the sound is left out, its
place stays silent, and the gap is told.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.media.commands import RecordingFormat, RecordingKey
from engine.media.events import Gap, MediaEvent, RecordingGap, RecordingStarted
from engine.media.gaps import Gaps
from engine.media.io_recording_file import PlainFile, RecordingFile, SealedFile, Unwritten
from engine.media.vault import Sealer
from engine.media.wav_header import MAX_SOUND, OCTETS, SIZE, head, note

BEHIND_S: Final = 10.0
"""Seconds of a recording's sound that wait for a disk before more is left out."""
SLOW: Final = "the disk is too slow"
FULL: Final = "the file is as long as a WAV file can be"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a tape is about."""

    recording: str
    stem: str
    rate: int
    format: RecordingFormat
    key: RecordingKey | None

    @property
    def running(self) -> str:
        """Path of the file while it runs."""
        return f"{self.stem}.running.{'wav' if self.key is None else 'hlr'}"


class TapeWriter:
    """The writing thread's side of a tape."""

    def __init__(self, label: Label, sealer: Sealer | None, tell: Callable[[MediaEvent], None]) -> None:
        """`tell` may be called from the thread."""
        self.label = label
        self.gaps = Gaps(label.rate * OCTETS)
        self.done = 0
        """Octets that have been dealt with; read by the other side."""
        self._sealer = sealer
        self._tell = tell
        self._file: RecordingFile | None = None
        self._end = 0
        """Octets of sound up to the last that was written."""

    def open(self) -> None:
        """Make the file. Raises OSError."""
        path = self.label.running
        self._file = PlainFile(path) if self._sealer is None else SealedFile(path, self._sealer)
        try:
            self._file.put(0, head(self.label.rate, 0))
        except OSError:
            self._file.close()
            self._file = None
            with contextlib.suppress(OSError):
                os.unlink(path)
            raise
        self._tell(RecordingStarted(recording=self.label.recording, path=path, rate=self.label.rate))

    def write(self, at: int, sound: bytes) -> None:
        """Put sound at its place and then the head, so that a reader who comes now, or after a crash, gets it all."""
        if self._file is not None:
            try:
                self._file.put(SIZE + at, sound)
            except Unwritten as error:
                kept = error.kept // OCTETS * OCTETS
                self._say(self.gaps.lose(at + kept, len(sound) - kept, error.strerror or str(error)), over=False)
            else:
                self._end = at + len(sound)
                self._say(self.gaps.over(), over=True)
                with contextlib.suppress(Unwritten):
                    self._file.put(0, head(self.label.rate, self._end))
        self.done += len(sound)

    def _say(self, gap: Gap | None, *, over: bool) -> None:
        if gap is not None:
            self._tell(RecordingGap(recording=self.label.recording, gap=gap, over=over))

    def abandon(self) -> None:
        """Let go of the file as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def finish(self, size: int, comment: str) -> str:
        """Give the file its full length and a comment, and close it. What went wrong, or nothing."""
        if self._file is None:
            return ""
        trouble = ""
        try:
            behind = note(comment)
            if behind:
                self._file.put(SIZE + size, behind)
            self._file.put(0, head(self.label.rate, size, len(behind)))
            self._file.end(SIZE + size + len(behind))
        except OSError as error:
            trouble = error.strerror or str(error)
        self.abandon()
        return trouble


class Tape:
    """`wire.Tape`: the loop's side."""

    def __init__(
        self,
        writer: TapeWriter,
        *,
        order: Callable[[Callable[[], None]], None],
        finished: Callable[[TapeWriter, int, Gaps], None],
        tell: Callable[[MediaEvent], None],
        behind_s: float = BEHIND_S,
    ) -> None:
        """`order` has the thread do something, in turn; `finished` is what it does last."""
        rate = writer.label.rate * OCTETS
        self._writer = writer
        self._order = order
        self._finished = finished
        self._tell = tell
        self._bound = int(behind_s * rate)
        self._gaps = Gaps(rate)
        self._at = 0
        self._ordered = 0

    def write(self, sound: bytes) -> None:
        """See `wire.Tape`."""
        at, self._at = self._at, self._at + len(sound)
        full = self._at > MAX_SOUND
        if full or self._ordered + len(sound) - self._writer.done > self._bound:
            self._say(self._gaps.lose(at, len(sound), FULL if full else SLOW), over=False)
            return
        self._say(self._gaps.over(), over=True)
        self._ordered += len(sound)
        self._order(lambda: self._writer.write(at, sound))

    def _say(self, gap: Gap | None, *, over: bool) -> None:
        if gap is not None:
            self._tell(RecordingGap(recording=self._writer.label.recording, gap=gap, over=over))

    def finish(self) -> None:
        """See `wire.Tape`."""
        self._order(lambda: self._finished(self._writer, min(self._at, MAX_SOUND), self._gaps))
