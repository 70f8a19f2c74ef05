"""Sound files: read, converted and kept off the loop, since a disk may take its time and a resampling takes a
second."""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
from collections.abc import Callable
from typing import Final

from engine.media.prompts import Clip
from engine.media.wav import SoundError, read_wav

log = logging.getLogger(__name__)

MAX_FILE: Final = 256 << 20
"""Octets of a file."""

MAX_CACHE: Final = 256 << 20
"""Octets of PCM kept for clips; the one that was asked for longest ago goes first. Who plays a clip keeps it alive."""

Done = Callable[[Clip | SoundError], None]
Stamp = tuple[int, int, int]
"""Inode, size and change time: another file under the same name is loaded anew."""


def _stamp(path: str) -> Stamp:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


class Files:
    """`wire.Files` with one loading thread, which starts with the first file that is not known yet."""

    def __init__(self) -> None:
        self._clips: dict[str, tuple[Stamp, Clip]] = {}
        self._waiting: dict[str, list[Done]] = {}
        self._orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._loaded: queue.SimpleQueue[tuple[str, Stamp | None, Clip | SoundError]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)

    def fileno(self) -> int:
        """Readable when `ready` has something to hand out."""
        return self._bell.fileno()

    def load(self, path: str, done: Done) -> None:
        """See `wire.Files`."""
        known = self._clips.get(path)
        if known is not None:
            try:
                fresh = _stamp(path) == known[0]
            except (OSError, ValueError):
                fresh = False
            if fresh:
                self._clips[path] = self._clips.pop(path)  # to the end: used last
                done(known[1])
                return
        if path in self._waiting:
            self._waiting[path].append(done)
            return
        self._waiting[path] = [done]
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sound files", daemon=True)
            self._thread.start()
        self._orders.put(path)

    def ready(self, now: float) -> None:
        """Hand out what the thread has finished; called on the loop."""
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            return
        while not self._loaded.empty():
            path, stamp, result = self._loaded.get()
            if isinstance(result, Clip) and stamp is not None:
                self._keep(path, stamp, result)
            for done in self._waiting.pop(path, []):
                done(result)

    def _keep(self, path: str, stamp: Stamp, clip: Clip) -> None:
        self._clips.pop(path, None)
        self._clips[path] = (stamp, clip)
        while len(self._clips) > 1 and sum(kept.size for _, kept in self._clips.values()) > MAX_CACHE:
            del self._clips[next(iter(self._clips))]

    def _work(self) -> None:
        while (path := self._orders.get()) is not None:
            stamp, result = _load(path)
            self._loaded.put((path, stamp, result))
            try:
                self._ring.send(b"\0")
            except BlockingIOError:
                pass  # it rings already
            except OSError:
                return

    def close(self) -> None:
        """Let the thread go and wait for it."""
        self._orders.put(None)
        if self._thread is not None:
            self._thread.join()
        self._bell.close()
        self._ring.close()


def _load(path: str) -> tuple[Stamp | None, Clip | SoundError]:
    """One file, or the reason against it."""
    try:
        stamp = _stamp(path)
        if stamp[1] > MAX_FILE:
            return None, SoundError(f"larger than {MAX_FILE >> 20} MiB")
        with open(path, "rb") as file:
            return stamp, Clip(read_wav(file.read()))
    except SoundError as error:
        return None, error
    except (OSError, ValueError, MemoryError) as error:
        return None, SoundError(getattr(error, "strerror", None) or str(error) or type(error).__name__)
