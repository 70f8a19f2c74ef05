"""Which sounds this configuration means: music, and what callers are told. Disks are read here, once, at the start."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from engine.app.config import Config
from engine.app.share import shared_file
from engine.calls.directory import Directory
from engine.calls.sound_rules import SoundRules
from engine.dialplan.sound_file import playable
from engine.errors import ConfigError
from engine.speech.library import Library
from engine.speech.phrases import FILE_ENDINGS

_LANGUAGE_FOLDER: Final = re.compile(r"[a-z]{2,3}(_[A-Za-z0-9]+)*")
"""Anything else ("digits", "custom") is a folder of sounds for all languages."""


def hold_music(config: Config) -> tuple[str, ...]:
    """Absolute paths of the music for those who wait. Raises ConfigError for what cannot be played."""
    if not config.media.music:
        return (str(shared_file("dialplans/sounds/hold-music.wav")),)
    return _playlist("media.music", config.media.music)


def sound_rules(config: Config) -> SoundRules:
    """The operator's sounds in the words of the calls layer. Raises ConfigError."""
    sounds = config.sounds
    return SoundRules(
        library=library(sounds.directory),
        language=sounds.language,
        country=sounds.country,
        music={name: _playlist(f"sounds.music.{name}", listed) for name, listed in sounds.music.items()},
    )


def library(directory: str) -> Library:
    """All sounds under a directory, by language; empty for none. Raises ConfigError."""
    if not directory:
        return Library()
    root = Path(directory).absolute()
    found: dict[str, dict[str, str]] = {}
    try:
        for entry in sorted(root.iterdir()):
            spoken = entry.is_dir() and _LANGUAGE_FOLDER.fullmatch(entry.name)
            base, folder = (entry, entry.name) if spoken else (root, "")
            for path in _files(entry) if entry.is_dir() else (entry,):
                _shelve(found.setdefault(folder, {}), path, base)
    except OSError as error:
        raise ConfigError(f"sounds.directory: {root}: {error.strerror}") from error
    return Library(directory=str(root), sounds={folder: names for folder, names in found.items() if names})


def _files(folder: Path) -> Iterable[Path]:
    """Every file below; links to folders within it are not followed, so that there are no circles."""
    for place, _, names in os.walk(folder):
        yield from (Path(place) / name for name in names)


def _shelve(shelf: dict[str, str], path: Path, base: Path) -> None:
    """Note a sound under its name. Where two formats are there, the first of FILE_ENDINGS is taken."""
    ending = path.suffix.lower()
    if ending not in FILE_ENDINGS:
        return
    name = path.relative_to(base).with_suffix("").as_posix()
    known = shelf.get(name)
    if known is None or FILE_ENDINGS.index(ending) < FILE_ENDINGS.index(Path(known).suffix.lower()):
        shelf[name] = str(path)


def _playlist(key: str, listed: str | tuple[str, ...]) -> tuple[str, ...]:
    """A file, a list of files and directories, or a directory, as the files that are played. Raises ConfigError."""
    found: list[str] = []
    for each in (listed,) if isinstance(listed, str) else listed:
        path = Path(each).absolute()
        if path.is_dir():
            inside = _sorted_sounds(key, path)
            if not inside:
                raise ConfigError(f"{key}: {path}: no sound files in it ({', '.join(FILE_ENDINGS)})")
        else:
            inside = [path]
        try:
            found += [playable(file) for file in inside]
        except ValueError as error:
            raise ConfigError(f"{key}: {error}") from error
    if not found:
        raise ConfigError(f"{key}: found an empty list; allowed: a file, a list of files, or a directory")
    return tuple(found)


def _sorted_sounds(key: str, folder: Path) -> list[Path]:
    try:
        return sorted(file for file in folder.iterdir() if file.suffix.lower() in FILE_ENDINGS)
    except OSError as error:
        raise ConfigError(f"{key}: {folder}: {error.strerror}") from error


def music_warnings(directory: Directory, rules: SoundRules) -> list[str]:
    """Queues whose music is neither a name of the configuration nor a file that can be played."""
    told = []
    for queue in directory.queues.values():
        if not queue.music or queue.music in rules.music:
            continue
        try:
            playable(Path(queue.music))
        except ValueError as error:
            names = ", ".join(rules.music) or "none"
            told.append(
                f"queue {queue.name}: music {queue.music!r} is no name of [sounds.music] ({names}), and {error}"
            )
    return told
