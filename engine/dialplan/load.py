"""Read a dialplan file and the sounds that it names. The only file of the package that touches a disk."""

from __future__ import annotations

import tomllib
from pathlib import Path

from engine.dialplan.check import check
from engine.dialplan.model import Dialplan
from engine.dialplan.sound_file import playable
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
    return check(str(path), tables, lambda name: playable(folder / name))
