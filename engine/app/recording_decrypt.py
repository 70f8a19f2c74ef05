"""Gives an encrypted recording back as the sound file that it is."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from engine.errors import AlreadyExists, InvalidRequest
from engine.media.commands import RecordingKey
from engine.media.vault import Opener, master


@dataclass(frozen=True, slots=True, kw_only=True)
class Decrypted:
    """What came of it."""

    path: Path
    octets: int
    complete: bool
    """False: the file was cut off; the sound is there up to its last whole chunk."""


def decrypt(source: Path, key: RecordingKey, target: Path | None) -> Decrypted:
    """Write the sound file to `target`; None: beside the source, under its name without `.hlr`. Raises VaultError for
    another key or a file that was changed, AlreadyExists, InvalidRequest for what cannot be read or written."""
    try:
        with source.open("rb") as file:
            opener = Opener(file.read, master(key))
            path = target or _plain_name(source, opener.ending)
            octets = _write(opener, path)
    except FileExistsError as error:
        raise AlreadyExists(f"{error.filename} is there already") from error
    except OSError as error:
        raise InvalidRequest(f"{error.filename or source}: {error.strerror}") from error
    return Decrypted(path=path, octets=octets, complete=opener.complete)


def _plain_name(source: Path, ending: str) -> Path:
    name = source.name.removesuffix(".hlr")
    return source.with_name(name if name.endswith(f".{ending}") else f"{name}.{ending}")


def _write(opener: Opener, path: Path) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for at, octets in opener.chunks():
            written = 0
            while written < len(octets):
                written += os.pwrite(descriptor, octets[written:], at + written)
        os.ftruncate(descriptor, opener.size)
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    finally:
        os.close(descriptor)
    return opener.size
