"""The process that gives finished recordings their last form: `python -m engine.media.io_convert`.

A line of JSON on standard input is a job, lines of JSON on standard output are what became of it; it ends with its
input. The file that ran is deleted only when the new one is whole and on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile

from engine.media.commands import RecordingFormat, RecordingKey
from engine.media.io_converter import SEALED
from engine.media.io_recording_file import PlainFile, RecordingFile, SealedFile
from engine.media.vault import SALT_SIZE, Opener, Sealer, VaultError, master
from engine.media.wav_header import CHANNELS, OCTETS, SIZE, read_head

_BLOCK: Final = 1 << 16
RUNNING: Final = (".running.wav", ".running.hlr")
_KINDS: Final = {RecordingFormat.FLAC: ("FLAC", "PCM_16"), RecordingFormat.OPUS: ("OGG", "OPUS")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A file in its last form."""

    path: str
    octets: int
    seconds: float
    trouble: str = ""


class Sink:
    """What libsndfile writes into: gathered, and put at its place in a plain or encrypted file."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file
        self._at = 0
        self._begin = 0
        self._gathered = bytearray()
        self._size = 0
        self.error: OSError | None = None
        """The first failure: nothing may be raised through libsndfile."""

    def write(self, octets: bytes) -> int:
        if self._at != self._begin + len(self._gathered) or len(self._gathered) >= _BLOCK:
            self._put()
            self._begin = self._at
        self._gathered += octets
        self._at += len(octets)
        self._size = max(self._size, self._at)
        return len(octets)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, count: int) -> bytes:
        return b""

    def flush(self) -> None:
        """Nothing: it is done at the end."""

    def _put(self) -> None:
        if self._gathered and self.error is None:
            try:
                self._file.put(self._begin, bytes(self._gathered))
            except OSError as error:
                self.error = error
        self._gathered.clear()

    def finish(self) -> None:
        """Raises OSError when anything could not be written."""
        self._put()
        if self.error is not None:
            raise self.error
        self._file.end(self._size)


def sound(source: str, key: RecordingKey | None) -> tuple[int, Iterator[bytes]]:
    """Samples per second, and the sound of a file that ran, whole or cut off. Raises OSError, VaultError."""
    if source.endswith(SEALED):
        if key is None:
            raise VaultError("it is encrypted and no key is configured")
        pieces = _sealed(source, key)
    else:
        pieces = _plain(source)
    return int.from_bytes(next(pieces), "big"), pieces


def _plain(source: str) -> Iterator[bytes]:
    with open(source, "rb") as file:
        found = read_head(file.read(SIZE))
        if found is None:
            raise VaultError("it does not begin like a recording")
        rate, left = found
        yield rate.to_bytes(4, "big")
        while left and (octets := file.read(min(_BLOCK, left))):
            left -= len(octets)
            yield octets[: len(octets) // OCTETS * OCTETS]


def _sealed(source: str, key: RecordingKey) -> Iterator[bytes]:
    with open(source, "rb") as file:
        opener = Opener(file.read, master(key))
        found = None
        end = 0
        for at, octets in opener.chunks():
            if at == 0:
                first = found is None
                found = read_head(octets)
                if found is None:
                    raise VaultError("it does not begin like a recording")
                if first:
                    yield found[0].to_bytes(4, "big")
                continue
            place = at - SIZE
            if place < end or (octets[:4] == b"LIST" and octets[8:12] == b"INFO"):
                continue  # the note behind the sound
            yield from _silence(place - end)
            yield octets
            end = place + len(octets)
        if found is None:
            raise VaultError("nothing was written")
        yield from _silence(found[1] - end)


def _silence(octets: int) -> Iterator[bytes]:
    while octets > 0:
        yield bytes(min(_BLOCK, octets))
        octets -= _BLOCK


def finish(source: str, stem: str, form: RecordingFormat, key: RecordingKey | None, comment: str) -> Result:
    """Give one file its last form. When that cannot be done it is kept as the WAV that it is, and told why. Raises
    OSError, VaultError when not even that."""
    with _mine(source):
        rate, pieces = sound(source, key)
        seal = SEALED if source.endswith(SEALED) else ""
        trouble = ""
        if form is not RecordingFormat.WAV:
            path = f"{stem}.{form}{seal}"
            try:
                seconds = _encode(rate, pieces, path, form, key if seal else None, comment)
                os.unlink(source)
                return Result(path=path, octets=os.stat(path).st_size, seconds=seconds)
            except (OSError, RuntimeError) as error:
                trouble = f"kept as WAV: {getattr(error, 'strerror', None) or error}"
        seconds = _length(source, key)
        path = f"{stem}.wav{seal}"
        os.rename(source, path)
        return Result(path=path, octets=os.stat(path).st_size, seconds=seconds, trouble=trouble)


@contextlib.contextmanager
def _mine(source: str) -> Iterator[None]:
    """Keep others away from a file. Raises BlockingIOError when somebody has it."""
    with open(source, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _length(source: str, key: RecordingKey | None) -> float:
    rate, pieces = sound(source, key)
    return round(sum(map(len, pieces)) / (rate * OCTETS), 3)


def _encode(
    rate: int, pieces: Iterator[bytes], path: str, form: RecordingFormat, key: RecordingKey | None, comment: str
) -> float:
    """Write a file that replaces `path` when it is whole; its seconds."""
    part = path + ".part"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    file = PlainFile(part) if key is None else SealedFile(part, Sealer(master(key), os.urandom(SALT_SIZE), form))
    try:
        sink = Sink(file)
        kind, subtype = _KINDS[form]
        frames = 0
        with soundfile.SoundFile(sink, "w", rate, CHANNELS, format=kind, subtype=subtype) as encoder:
            if comment:
                encoder.comment = comment
            for octets in pieces:
                samples = np.frombuffer(octets, "<i2").reshape(-1, CHANNELS)
                encoder.write(samples)
                frames += len(samples)
                if sink.error is not None:
                    break
            if not frames:  # libsndfile writes no file without any
                encoder.write(np.zeros((1, CHANNELS), np.int16))
        sink.finish()
        file.sync()
        os.rename(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise
    finally:
        file.close()
    return round(frames / rate, 3)


def tidy(directory: str, form: RecordingFormat, key: RecordingKey | None) -> Iterator[dict[str, object]]:
    """Finish every file under a directory that ran and whose process is gone."""
    for folder, _, names in os.walk(directory):
        for name in sorted(names):
            ending = next((each for each in RUNNING if name.endswith(each)), None)
            if ending is None:
                continue
            source = os.path.join(folder, name)
            stem = source.removesuffix(ending)
            try:
                result = finish(source, stem, form, key, "The recorder ended before the call.")
            except (BlockingIOError, FileNotFoundError):
                continue  # it still runs, or another process has finished it
            except (OSError, VaultError) as error:
                yield {"stem": stem, "trouble": f"{source}: {getattr(error, 'strerror', None) or error}"}
            else:
                yield {"stem": stem, **_words(result)}


def _words(result: Result) -> dict[str, object]:
    return {
        **{"path": result.path, "octets": result.octets, "seconds": result.seconds},
        "trouble": result.trouble,
    }


def answers(job: dict[str, Any]) -> Iterator[dict[str, object]]:
    """What became of one job."""
    form = RecordingFormat(job["format"])
    key = None if job["key"] is None else RecordingKey(key=job["key"])
    if "directory" in job:
        yield from tidy(job["directory"], form, key)
        yield {"end": True}
        return
    source, stem = job["source"], job["stem"]
    try:
        yield _words(finish(source, stem, form, key, job["comment"]))
    except FileNotFoundError as error:
        # Another process, started meanwhile, took it for a leftover.
        last = next((path for path in map(Path, _last_forms(stem)) if path.exists()), None)
        if last is None:
            yield {"trouble": f"{source}: {error.strerror}"}
        else:
            yield {"path": str(last), "octets": last.stat().st_size, "trouble": ""}
    except (OSError, VaultError) as error:
        yield {"trouble": f"{source}: {getattr(error, 'strerror', None) or error}"}


def _last_forms(stem: str) -> Iterator[str]:
    for form in RecordingFormat:
        yield from (f"{stem}.{form}", f"{stem}.{form}{SEALED}")


def main() -> int:
    """Serve until the input ends."""
    for line in sys.stdin.buffer:
        for answer in answers(json.loads(line)):
            _say(answer)
    return 0


def _say(answer: dict[str, object]) -> None:
    """The media process may be gone; what was begun is done all the same."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
