"""Whether recordings are whole: finished, readable, nothing half-made beside them."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from pathlib import Path

import soundfile

from engine.media.commands import RecordingKey
from engine.media.io_convert import RUNNING
from engine.media.vault import Opener, master


def check_tapes(directory: Path, key: str) -> tuple[Counter[str], float, list[str]]:
    """Files by ending, their seconds together, and what is wrong with any."""
    kinds: Counter[str] = Counter()
    seconds, wrong = 0.0, []
    for path in sorted(each for each in directory.rglob("*") if each.is_file()):
        if path.name.endswith((".part", *RUNNING)):
            wrong.append(f"{path.name} is not finished")
            continue
        kinds["".join(path.suffixes)] += 1
        try:
            source = BytesIO(_opened(path, key)) if path.suffix == ".hlr" else path
            with soundfile.SoundFile(source) as sound:
                frames = sum(len(block) for block in sound.blocks(blocksize=1 << 16, dtype="int16"))
                if frames != sound.frames or sound.channels != 2:
                    wrong.append(f"{path.name}: {frames} of {sound.frames} frames")
                seconds += frames / sound.samplerate
        except Exception as error:
            # Whatever is wrong with one file, the others are looked at.
            wrong.append(f"{path.name}: {type(error).__name__}: {error}")
    return kinds, round(seconds, 1), wrong


def _opened(path: Path, key: str) -> bytes:
    found = bytearray()
    with path.open("rb") as file:
        for at, octets in Opener(file.read, master(RecordingKey(key=key))).chunks():
            found[at : at + len(octets)] = octets
    return bytes(found)
