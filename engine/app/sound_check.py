"""Reads a sound file to its end as the media process does, and tells what it is."""

from __future__ import annotations

from math import log10
from pathlib import Path

from engine.errors import InvalidRequest
from engine.media.io_sound_file import SoundFile
from engine.media.prompts import SoundError


def checked(file: Path) -> dict[str, object]:
    """Its path, rate, channels, length in seconds and loudest sample in dBFS. Raises InvalidRequest for a file that
    cannot be played, with the reason."""
    try:
        with SoundFile(str(file.absolute())) as sound:
            heard, loudest = 0, 0.0
            for block in sound.blocks():
                heard += len(block)
                loudest = max(loudest, float(abs(block).max()))
            return {
                "file": str(file),
                "rate": sound.rate,
                "channels": sound.channels,
                "seconds": round(heard / sound.rate, 3),
                "loudest_dbfs": round(20 * log10(loudest), 1) if loudest else None,
            }
    except SoundError as error:
        raise InvalidRequest(f"{file}: {error}") from error
