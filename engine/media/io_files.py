"""Sound files, looked at, read and converted off the loop: a disk may take its time, and an hour of sound some seconds.

One thread does it all, in small pieces. What is short is converted as a whole before it is handed out; of what is long
the first seconds, and the rest while it plays, with pauses, between which other files have their turn.
"""

from __future__ import annotations

import logging
import queue
import socket
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.log_format import pairs
from engine.media.codecs import FRAME, RATE, WIDE_FRAME, WIDE_RATE
from engine.media.io_sound_cache import Making, SoundCache
from engine.media.io_sound_file import SoundFile, Stamp, stamp_of
from engine.media.prompts import Clip, SoundError
from engine.media.rates import RateChange, whole

log = logging.getLogger(__name__)

SHORT_S: Final = 30.0
"""What is no longer than this is handed out when it is whole."""
AHEAD_S: Final = 10.0
"""So much of a longer sound is there before it is handed out; the rest comes many times faster than it is played."""

_PAUSE_S: Final = 0.01
"""Between two pieces of a sound that plays already."""
_REMEMBERED: Final = 64
"""Clips that are kept though nobody plays them; those that are played are kept by that."""

_PATIENCE_S: Final = 5.0
"""A disk that does not answer for so long does not keep the process from ending."""

Done = Callable[[Clip | SoundError], None]


class Files:
    """`wire.Files` with one loading thread, which starts with the first file."""

    def __init__(self, cache: Path | None = None) -> None:
        """`cache`: the directory that keeps sounds as they are played; None: they are kept in memory."""
        self._waiting: dict[str, list[Done]] = {}
        self._orders: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._loaded: queue.SimpleQueue[tuple[str, Clip | SoundError]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loader = Loader(SoundCache(cache), self._hand_out)
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)

    def fileno(self) -> int:
        """Readable when `ready` has something to hand out."""
        return self._bell.fileno()

    def load(self, path: str, done: Done) -> None:
        """See `wire.Files`."""
        if path in self._waiting:
            self._waiting[path].append(done)
            return
        self._waiting[path] = [done]
        if self._thread is None:
            self._thread = threading.Thread(target=self._loader.run, args=(self._orders,), name="sounds", daemon=True)
            self._thread.start()
        self._orders.put(path)

    def ready(self, now: float) -> None:
        """Hand out what the thread has finished; called on the loop."""
        try:
            self._bell.recv(4096)
        except BlockingIOError:
            return
        while not self._loaded.empty():
            path, result = self._loaded.get()
            for done in self._waiting.pop(path, []):
                done(result)

    def _hand_out(self, path: str, result: Clip | SoundError) -> None:
        """Called by the thread."""
        self._loaded.put((path, result))
        try:
            self._ring.send(b"\0")
        except BlockingIOError:
            pass  # it rings already
        except OSError:
            log.debug("sound_for_nobody", extra=pairs(file=path))  # closed meanwhile

    def close(self) -> None:
        """Let the thread go and wait for it."""
        self._orders.put(None)
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)
        self._bell.close()
        self._ring.close()


class Loader:
    """What the thread does."""

    def __init__(self, cache: SoundCache, hand_out: Callable[[str, Clip | SoundError], None]) -> None:
        self._cache = cache
        self._hand_out = hand_out
        self._known: dict[str, tuple[Stamp, weakref.ref[Clip]]] = {}
        self._recent: OrderedDict[str, Clip] = OrderedDict()
        self._unfinished: list[Iterator[None]] = []
        """Long sounds that play already."""

    def run(self, orders: queue.SimpleQueue[str | None]) -> None:
        """Load what is ordered until None is."""
        try:
            while (path := self._next(orders)) is not None:
                self._load(path)
        finally:
            for sound in self._unfinished:
                sound.close()  # type: ignore[attr-defined]

    def _next(self, orders: queue.SimpleQueue[str | None]) -> str | None:
        """The next order; while there is none, longer sounds go on by turns."""
        while self._unfinished:
            try:
                return orders.get(timeout=_PAUSE_S)
            except queue.Empty:
                sound = self._unfinished.pop(0)
                if self._goes_on(sound):
                    self._unfinished.append(sound)
        return orders.get()

    def _goes_on(self, sound: Iterator[None]) -> bool:
        try:
            next(sound)
        except StopIteration:
            return False
        return True

    def _load(self, path: str) -> None:
        try:
            clip = self._find(path, stamp_of(path))
            if clip is None:
                sound = self._convert(path)
                if self._goes_on_to_play(sound):
                    self._unfinished.append(sound)
                return
        except SoundError as error:
            self._hand_out(path, error)
        except (OSError, ValueError, MemoryError) as error:
            self._hand_out(path, SoundError(getattr(error, "strerror", None) or str(error) or type(error).__name__))
        else:
            self._hand_out(path, clip)

    @staticmethod
    def _goes_on_to_play(sound: Iterator[None]) -> bool:
        """Whether there is more to convert when the beginning has been handed out. Raises what is wrong with it."""
        return next(sound, sound) is None

    def _find(self, path: str, stamp: Stamp) -> Clip | None:
        known = self._known.get(path)
        clip = known[1]() if known is not None and known[0] == stamp else None
        if clip is None:
            clip = self._cache.find(_key(path, stamp))
            if clip is None:
                return None
        self._remember(path, stamp, clip)
        return clip

    def _remember(self, path: str, stamp: Stamp, clip: Clip) -> None:
        self._known[path] = stamp, weakref.ref(clip)
        self._recent[path] = clip
        self._recent.move_to_end(path)
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        if len(self._known) > 4 * _REMEMBERED:
            self._known = {name: known for name, known in self._known.items() if known[1]() is not None}

    def _convert(self, path: str) -> Iterator[None]:
        """Hand out a clip as soon as it may be played, and go on until it is whole. Yields between pieces of what
        plays already."""
        with SoundFile(path) as file:
            told = max(1, -(-round(file.seconds * RATE) // FRAME))
            making = self._cache.make(_key(path, file.stamp), told + 1)
            try:
                yield from self._fill(path, file, making, told)
            except (SoundError, OSError) as error:
                if path in self._known:  # who plays it already hears silence from here on
                    del self._known[path]
                    self._recent.pop(path, None)
                    log.warning("sound_broken", extra=pairs(file=path, reason=str(error)))
                    return
                raise
            finally:
                making.abandon()
        self._cache.tidy()

    def _fill(self, path: str, file: SoundFile, making: Making, told: int) -> Iterator[None]:
        cutter = _Cutter(file.rate)
        short = file.seconds <= SHORT_S
        plays = False
        for block in file.blocks():
            making.write(*cutter.feed(block))
            if plays:
                yield
            elif not short and cutter.samples >= AHEAD_S * RATE:
                self._play(path, file.stamp, making.clip(told * FRAME))
                plays = True
        making.write(*cutter.end())
        if not cutter.samples:
            raise SoundError("no sound in it")
        making.finish(cutter.samples)
        if not plays:
            self._play(path, file.stamp, making.clip(cutter.samples))

    def _play(self, path: str, stamp: Stamp, clip: Clip) -> None:
        self._remember(path, stamp, clip)
        self._hand_out(path, clip)


class _Cutter:
    """Makes whole frames at 8 and 16 kHz of the sound of a file."""

    def __init__(self, rate: int) -> None:
        self._changes = RateChange(rate, RATE), RateChange(rate, WIDE_RATE)
        self._rest = [np.zeros(0, np.float32), np.zeros(0, np.float32)]
        self.samples = 0
        """At 8 kHz, so far."""

    def feed(self, block: NDArray[np.float32]) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """[frames, 160] and [frames, 320], as many of each."""
        made = [change.feed(block) for change in self._changes]
        self.samples += len(made[0])
        return self._cut(made, ends=False)

    def end(self) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        """The last ones, filled up with silence."""
        made = [change.end() for change in self._changes]
        self.samples += len(made[0])
        return self._cut(made, ends=True)

    def _cut(self, made: list[NDArray[np.float32]], *, ends: bool) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
        sound = [np.concatenate(both) for both in zip(self._rest, made, strict=True)]
        sizes = FRAME, WIDE_FRAME
        if ends:
            count = -(-len(sound[0]) // FRAME)
            sound = [
                np.pad(each, (0, max(0, count * size - len(each)))) for each, size in zip(sound, sizes, strict=True)
            ]
        else:
            count = min(len(each) // size for each, size in zip(sound, sizes, strict=True))
        self._rest = [each[count * size :] for each, size in zip(sound, sizes, strict=True)]
        narrow, wide = (
            whole(each[: count * size]).reshape(count, size) for each, size in zip(sound, sizes, strict=True)
        )
        return narrow, wide


def _key(path: str, stamp: Stamp) -> str:
    """What a sound is kept under."""
    return "\0".join(("1", path, *map(str, stamp)))
