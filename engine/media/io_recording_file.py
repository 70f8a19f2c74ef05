"""The file of a recording that runs: octets put at their places, plain or encrypted; nothing is written twice but the
head. A lock tells who looks for leftovers that it is alive."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import Protocol

from engine.media.vault import Sealer


class Unwritten(OSError):
    """Nothing, or only the beginning, could be written."""

    def __init__(self, cause: OSError, kept: int) -> None:
        super().__init__(cause.errno, cause.strerror)
        self.kept = kept
        """Octets that were."""


class RecordingFile(Protocol):
    """Plain or encrypted."""

    def put(self, at: int, octets: bytes) -> None:
        """Write at a place of the content. Raises Unwritten."""
        ...

    def end(self, size: int) -> None:
        """The content is so long; what was not put is silence. Raises OSError."""
        ...

    def sync(self) -> None:
        """Wait until it is on the disk. Raises OSError."""
        ...

    def close(self) -> None: ...


def _create(path: str) -> int:
    """Raises OSError."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


class PlainFile:
    """Octets as they are; a place that was left out is a hole, which reads as silence and takes no room."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self._descriptor = _create(path)

    def put(self, at: int, octets: bytes) -> None:
        kept = 0
        try:
            while kept < len(octets):
                kept += os.pwrite(self._descriptor, octets[kept:] if kept else octets, at + kept)
        except OSError as error:
            raise Unwritten(error, kept) from error

    def end(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


class SealedFile:
    """Chunks, one behind the other; one that could not be written whole is taken back."""

    def __init__(self, path: str, sealer: Sealer) -> None:
        """Raises OSError."""
        self._sealer = sealer
        self._descriptor = _create(path)
        self._end = 0
        try:
            self._append(sealer.head)
        except OSError:
            self.close()
            raise

    def put(self, at: int, octets: bytes) -> None:
        chunk = self._sealer.seal(at, octets)
        try:
            self._append(chunk)
        except OSError as error:
            raise Unwritten(error, 0) from error
        self._sealer.kept(chunk)

    def end(self, size: int) -> None:
        self.put(size, b"")

    def _append(self, octets: bytes) -> None:
        at = self._end
        try:
            while at < self._end + len(octets):
                at += os.pwrite(self._descriptor, octets[at - self._end :], at)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end = at

    def sync(self) -> None:
        os.fsync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)
