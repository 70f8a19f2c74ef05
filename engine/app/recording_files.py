"""The files of recordings in their directories: the truth about which there are, whoever made or removed them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.media.commands import RecordingFormat

SEALED: Final = ".hlr"
_RUNNING: Final = (".running.wav", ".running.hlr")
_FINISHED: Final = tuple(f".{form}{seal}" for form in RecordingFormat for seal in ("", SEALED))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingFile:
    """One file."""

    path: str
    """Under the directory."""
    recording: str
    """The last part of its name: the call, and a number where it has several."""
    state: str
    """"running" (or left behind by a crash) or "finished"."""
    format: str
    encrypted: bool
    octets: int
    changed: float
    """Seconds since the epoch."""


def recordings(directory: Path, *, limit: int, of: str = "") -> list[RecordingFile]:
    """The latest files, those that began last first; `of`: only those of this call. Empty where there is no directory.
    Looks into no more directories of days than it needs."""
    found: list[RecordingFile] = []
    for file in _newest_first(directory):
        entry = _entry(directory, file)
        if entry is not None and (not of or entry.recording == of or entry.recording.startswith(f"{of}-")):
            found.append(entry)
            if len(found) == limit:
                break
    return found


def _newest_first(directory: Path) -> Iterator[Path]:
    """Names are made of dates and times, so they sort."""
    try:
        with os.scandir(directory) as scan:
            entries = sorted(scan, key=lambda entry: entry.name, reverse=True)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _newest_first(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)


def _entry(directory: Path, file: Path) -> RecordingFile | None:
    endings = (*_RUNNING, *_FINISHED)
    ending = next((each for each in endings if file.name.endswith(each)), None)
    if ending is None:
        return None
    try:
        status = file.stat()
    except OSError:
        return None  # finished or removed meanwhile
    running = ending in _RUNNING
    name = file.name.removesuffix(ending)
    return RecordingFile(
        path=str(file.relative_to(directory)),
        recording=name.partition("-")[2] or name,
        state="running" if running else "finished",
        format="wav" if running else ending.removesuffix(SEALED).removeprefix("."),
        encrypted=ending.endswith(SEALED),
        octets=status.st_size,
        changed=status.st_mtime,
    )
