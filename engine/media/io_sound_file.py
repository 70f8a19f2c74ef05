"""Sound files as people bring them: whatever libsndfile reads (WAV, FLAC, Ogg Vorbis and Opus, AIFF, MP3 ...).

To open what is no file (a FIFO that nobody writes to) is refused and never waits.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from engine.media.prompts import SoundError

MAX_FILE: Final = 2 << 30
"""Octets."""
MAX_SECONDS: Final = 3600
MIN_RATE: Final = 4000
MAX_RATE: Final = 192_000
MAX_CHANNELS: Final = 16

_BLOCK: Final = 0.5
"""Seconds that are read at once."""
_ADVICE: Final = "give it as WAV, FLAC or Ogg"

Stamp = tuple[int, int, int, int]
"""Device, inode, size and change time: another file under the same name is another sound."""


def stamp_of(path: str) -> Stamp:
    """Raises SoundError where there is no such file."""
    try:
        return _stamp(os.stat(path))
    except (OSError, ValueError) as error:
        raise _unreadable(error) from error


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _unreadable(error: Exception) -> SoundError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, PermissionError):
        reason += f": it must be readable for the media process's user (uid {os.geteuid()})"
    return SoundError(reason)


class SoundFile:
    """One sound file that is open for reading."""

    def __init__(self, path: str) -> None:
        """Raises SoundError: what is wrong with it, and what to do."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:
            raise _unreadable(error) from error
        try:
            status = os.fstat(descriptor)
            _check_kind(status)
            self.stamp = _stamp(status)
            self._file = soundfile.SoundFile(descriptor, closefd=False)
        except soundfile.LibsndfileError as error:
            os.close(descriptor)
            raise SoundError(f"not a sound file that can be read ({_told(error)}); {_ADVICE}") from error
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        try:
            self._check_sound()
        except SoundError:
            self.close()
            raise

    def _check_sound(self) -> None:
        rate, channels, frames = self.rate, self._file.channels, self._file.frames
        if not MIN_RATE <= rate <= MAX_RATE:
            raise SoundError(f"sampled at {rate} Hz; {MIN_RATE} to {MAX_RATE} are taken")
        if not 1 <= channels <= MAX_CHANNELS:
            raise SoundError(f"{channels} channels; up to {MAX_CHANNELS} are taken")
        if frames <= 0:
            raise SoundError("no sound in it")
        if frames > MAX_SECONDS * rate:
            raise SoundError(f"{frames // rate} s long; up to {MAX_SECONDS} s are taken: cut it into a playlist")

    @property
    def rate(self) -> int:
        rate: int = self._file.samplerate
        return rate

    @property
    def channels(self) -> int:
        channels: int = self._file.channels
        return channels

    @property
    def seconds(self) -> float:
        """How long the file says that it is."""
        frames: int = self._file.frames
        return frames / self.rate

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """Its sound between -1 and 1, all channels averaged, half a second at a time. Raises SoundError where the file
        is broken within."""
        size, got = max(1, int(self.rate * _BLOCK)), 0
        while got < MAX_SECONDS * self.rate:
            try:
                block = self._file.read(size, dtype="float32", always_2d=True)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise SoundError(f"broken after {got / self.rate:.1f} s ({_told(error)}); {_ADVICE} anew") from error
            if not len(block):
                return
            got += len(block)
            mono = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
            yield np.nan_to_num(mono, copy=False, nan=0.0, posinf=1.0, neginf=-1.0)

    def close(self) -> None:
        self._file.close()
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _told(error: Exception) -> str:
    """What libsndfile said, without the name that soundfile puts before it."""
    return str(getattr(error, "error_string", error)).strip().rstrip(".")


def _check_kind(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise SoundError("Is a directory; name a sound file in it")
    if not stat.S_ISREG(status.st_mode):
        raise SoundError("not a regular file (a pipe, socket or device)")
    if not status.st_size:
        raise SoundError("the file is empty")
    if status.st_size > MAX_FILE:
        raise SoundError(f"{status.st_size >> 20} MiB large; up to {MAX_FILE >> 20} MiB are taken")
