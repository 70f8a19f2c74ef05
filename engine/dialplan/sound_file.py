"""Whether a file looks like one that the media process can play: by its first octets, without decoding it (which would
bring numpy into the control process). `hearthline sound check` reads a file as the media process does."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

_MAGIC: Final = {b"fLaC": "FLAC", b"OggS": "Ogg"}


def playable(path: Path) -> str:
    """The path as text, when it leads to a WAV, FLAC or Ogg file with sound in it. Raises ValueError, saying why."""
    try:
        with path.open("rb") as file:
            fault = _fault(file)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if fault:
        raise ValueError(f"{path} {fault}")
    return str(path)


def _fault(file: BinaryIO) -> str:
    """What is wrong with it; empty where nothing is to be seen."""
    head = file.read(12)
    if head[:4] in _MAGIC:
        return ""
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return "is no WAV, FLAC or Ogg file"
    while len(chunk := file.read(8)) == 8:
        size = int.from_bytes(chunk[4:], "little")
        if chunk[:4] == b"data":
            return "" if size and file.read(1) else "holds no sound"
        file.seek(size + size % 2, 1)
    return "is a WAV file that ends before its sound"
