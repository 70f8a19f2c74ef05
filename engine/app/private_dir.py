"""A directory in a place that every user of the machine may write to, which is nevertheless ours alone."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from engine.errors import ConfigError


def make_private(directory: Path) -> None:
    """Make the directory, mode 0700, or find that the one which is there is no worse. Raises ConfigError that says what
    is wrong with it: its name can be guessed, so that somebody else may have come first and would read along.

    What passes stays as it is: nobody but us can rename or remove it in a directory with the sticky bit, as `/tmp`.
    """
    try:
        with suppress(FileExistsError):
            directory.mkdir(mode=0o700)
        found = directory.lstat()
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; {_ADVICE}") from error
    wrong = _fault(found)
    if wrong is not None:
        raise ConfigError(f"{directory} {wrong}; remove it when nobody needs it, or: {_ADVICE}")


_ADVICE: Final = "a shorter service.state_dir needs no directory for sockets outside of it"


def _fault(found: os.stat_result) -> str | None:
    """Why this cannot be trusted."""
    if stat.S_ISLNK(found.st_mode):
        return "is a symbolic link"
    if not stat.S_ISDIR(found.st_mode):
        return "is no directory"
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}, and we are user {os.geteuid()}"
    mode = stat.S_IMODE(found.st_mode)
    return f"is open to others (mode {mode:04o})" if mode & 0o077 else None
