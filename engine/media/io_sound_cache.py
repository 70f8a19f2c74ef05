"""Sounds as they are played, kept on disk and mapped into memory: converted once, shared by all listeners, by all media
processes of the machine, and from one start to the next; the pages are the kernel's to take back.

One file a sound, named after what it was made of: a head, then frame by frame 20 ms at 8 kHz and the same at 16. It is
written under another name, gets its head when it is whole and then its own name, so that nobody ever finds half a one.
Where the disk takes nothing, a sound is kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import mmap
import os
import struct
import time
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.log_format import pairs
from engine.media.codecs import FRAME, WIDE_FRAME
from engine.media.prompts import Clip, SoundError

log = logging.getLogger(__name__)

MAX_CACHE: Final = 1 << 30
"""Octets of all files together (six hours); the one that was wanted longest ago goes first."""
MAX_IN_MEMORY: Final = 64 << 20
"""Octets of a sound that no disk takes (23 minutes)."""

_MAGIC: Final = b"HLSOUND1"
_HEAD: Final = struct.Struct("<8sQQ40x")
"""Magic, frames, samples at 8 kHz."""
_RECORD: Final = 2 * (FRAME + WIDE_FRAME)
"""Octets of a frame at both rates."""
_ENDING: Final = ".pcm"
_UNFINISHED: Final = ".part"
_ABANDONED_S: Final = 3600.0
"""Nobody writes at a file for that long."""


class Making:
    """A sound that is being written."""

    def __init__(self, target: Path | None, frames: int) -> None:
        """`frames`: how many there will be, as far as is known. Raises SoundError when there is no room for it."""
        self._target = target
        self._frames = frames
        self._written = 0
        self._descriptor = -1
        size = _HEAD.size + frames * _RECORD
        if target is not None:
            self._temporary = target.with_suffix(f".{os.getpid()}{_UNFINISHED}")
            try:
                self._open(size)
                return
            except OSError as error:
                self.abandon()
                log.warning(
                    "sound_not_kept", extra=pairs(directory=str(target.parent), reason=error.strerror or str(error))
                )
                self._refusal = f"{target.parent} does not take its {size >> 20} MiB: {error.strerror}"
        else:
            self._refusal = "there is no directory to keep it in"
        if size > MAX_IN_MEMORY:
            raise SoundError(f"too long for memory, and {self._refusal}")
        self._map = mmap.mmap(-1, size)

    def _open(self, size: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._temporary, flags, 0o600)
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(self._descriptor, 0, size)  # else a full disk would be told by a signal
        else:
            os.ftruncate(self._descriptor, size)
        self._map = mmap.mmap(self._descriptor, size, prot=mmap.PROT_READ)

    def write(self, narrow: NDArray[np.int16], wide: NDArray[np.int16]) -> None:
        """Whole frames more: int16 [frames, 160] and [frames, 320]. What is beyond the number that was told is left
        out."""
        count = min(len(narrow), self._frames - self._written)
        octets = np.hstack((narrow[:count], wide[:count])).astype("<i2", copy=False).tobytes()
        begin = _HEAD.size + self._written * _RECORD
        self._written += count
        if self._descriptor < 0:
            self._map[begin : begin + len(octets)] = octets
            return
        view = memoryview(octets)
        while view:
            done = os.pwrite(self._descriptor, view, begin)
            view, begin = view[done:], begin + done

    def clip(self, samples: int) -> Clip:
        """The sound, of so many samples at 8 kHz; what has not been written yet is silent so far."""
        return _clip(self._map, min(-(-samples // FRAME), self._frames), samples)

    def finish(self, samples: int) -> None:
        """It is whole: let others find it."""
        if self._descriptor < 0 or self._target is None:
            return
        try:
            os.pwrite(self._descriptor, _HEAD.pack(_MAGIC, self._written, samples), 0)
            os.fsync(self._descriptor)
            os.replace(self._temporary, self._target)
        except OSError as error:
            log.warning("sound_not_kept", extra=pairs(file=str(self._target), reason=error.strerror or str(error)))
        self.abandon()

    def abandon(self) -> None:
        """No more is written. Who has a clip of it keeps what there is."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._target is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()


class SoundCache:
    """The directory."""

    def __init__(self, directory: Path | None) -> None:
        """Made when the first sound is kept. None: sounds are kept in memory."""
        self._directory = directory

    def find(self, key: str) -> Clip | None:
        """The sound that was kept under this key, or None; a file that is not whole is none."""
        if self._directory is None:
            return None
        path = self._path(self._directory, key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            magic, frames, samples = _HEAD.unpack(os.pread(descriptor, _HEAD.size, 0))
            if magic != _MAGIC or os.fstat(descriptor).st_size < _HEAD.size + frames * _RECORD or not frames:
                return None
            with contextlib.suppress(OSError):
                os.utime(descriptor)  # wanted last
            return _clip(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), frames, samples)
        except (OSError, ValueError, struct.error):
            return None
        finally:
            os.close(descriptor)

    def make(self, key: str, frames: int) -> Making:
        """Begin to keep a sound of so many frames. Raises SoundError."""
        if self._directory is None:
            return Making(None, frames)
        with contextlib.suppress(OSError):  # told by who writes there
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return Making(self._path(self._directory, key), frames)

    def tidy(self, bound: int = MAX_CACHE) -> None:
        """Take away what was wanted longest ago, until all is within the bound, and what a process that was killed has
        left."""
        if self._directory is None:
            return
        kept = []
        with contextlib.suppress(OSError), os.scandir(self._directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.endswith(_ENDING):
                        kept.append((status.st_mtime, status.st_size, entry.path))
                    elif entry.name.endswith(_UNFINISHED) and time.time() - status.st_mtime > _ABANDONED_S:
                        os.unlink(entry.path)
        total = sum(size for _, size, _ in kept)
        for _, size, path in sorted(kept)[:-1]:
            if total <= bound:
                return
            with contextlib.suppress(OSError):
                os.unlink(path)
                total -= size

    @staticmethod
    def _path(directory: Path, key: str) -> Path:
        return directory / (hashlib.sha256(_MAGIC + key.encode()).hexdigest()[:40] + _ENDING)


def _clip(mapped: mmap.mmap, frames: int, samples: int) -> Clip:
    records = np.frombuffer(mapped, "<i2", frames * (_RECORD // 2), _HEAD.size).reshape(frames, _RECORD // 2)
    if hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_WILLNEED, 0, min(len(mapped), 1 << 20))
    return Clip.framed(records[:, :FRAME], records[:, FRAME:], samples)
