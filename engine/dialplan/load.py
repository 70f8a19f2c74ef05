"""Read a dialplan file and the sounds that it names. The only file of the package that touches a disk."""

from __future__ import annotations

import tomllib
import wave
from pathlib import Path

from engine.dialplan.check import check
from engine.dialplan.model import Dialplan
from engine.errors import ConfigError


def load_dialplan(path: Path) -> Dialplan:
    """The dialplan in this file; paths of sounds in it are relative to it.

    Raises ConfigError that names file, key, what was found and what is allowed, one line for each fault.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from error
    folder = path.absolute().parent
    return check(str(path), tables, lambda name: _sound(folder / name))


def _sound(path: Path) -> str:
    """The path, when it leads to a WAV file with sound in it. Raises ValueError."""
    try:
        with path.open("rb") as raw, wave.open(raw) as sound:
            frames = sound.getnframes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a PCM WAV file: {str(error) or 'it ends too soon'}") from error
    if frames == 0:
        raise ValueError(f"{path} holds no sound")
    return str(path)
