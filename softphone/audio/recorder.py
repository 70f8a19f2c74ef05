"""Writes what is heard to a WAV file, on the owner thread: the audio thread never waits for a disk."""

from __future__ import annotations

import contextlib
import wave
from collections.abc import Iterable
from pathlib import Path

from softphone.audio.ring import Samples
from softphone.errors import AudioFileError


class Recorder:
    """A mono 16-bit WAV file that grows as calls go on; several calls follow one another without a gap."""

    def __init__(self, path: Path, *, rate: int) -> None:
        """Create or overwrite the file; raises AudioFileError if that is impossible."""
        self._path = path
        try:
            self._raw = path.open("wb")
            self._file = wave.open(self._raw, "wb")  # noqa: SIM115 - closed by close()
        except OSError as error:
            raise AudioFileError(f"{path}: cannot be written ({error.strerror})") from error
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(rate)
        self._open = True

    def write(self, frames: Iterable[Samples]) -> None:
        """Append frames; a full disk ends the recording with AudioFileError, once, and leaves what was written."""
        data = b"".join(frame.astype("<i2").tobytes() for frame in frames)
        if not data or not self._open:
            return
        try:
            self._file.writeframesraw(data)
        except OSError as error:
            self.close()
            raise AudioFileError(f"{self._path}: the recording ends here ({error.strerror})") from error

    def close(self) -> None:
        """Finish the header and close the file; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        # On a full disk either may fail: the samples that fitted are kept, the header counts fewer.
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._raw.close()
