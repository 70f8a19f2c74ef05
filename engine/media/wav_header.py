"""The head of a WAV file of 16-bit stereo sound, and the note behind its sound (Multimedia Programming Interface and
Data Specifications 1.0, IBM and Microsoft 1991: RIFF, `fmt `, `data`, LIST INFO)."""

from __future__ import annotations

import struct
from typing import Final

CHANNELS: Final = 2
OCTETS: Final = 2 * CHANNELS
"""Of one sample in both channels."""
SIZE: Final = 44
"""Octets of the head; sound follows."""
MAX_SOUND: Final = 0xFFFF0000
"""Octets of sound that a WAV file's 32-bit lengths can tell, with room for the head and a note."""
MAX_RATE: Final = 48_000
MAX_NOTE: Final = 4096

_HEAD: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")


def head(rate: int, sound: int, note: int = 0) -> bytes:
    """The first 44 octets of a file with so many octets of sound, and of a note behind it."""
    return _HEAD.pack(
        *(b"RIFF", SIZE - 8 + sound + note, b"WAVE"),
        *(b"fmt ", 16, 1, CHANNELS, rate, rate * OCTETS, OCTETS, 16),
        *(b"data", sound),
    )


def read_head(octets: bytes) -> tuple[int, int] | None:
    """(samples per second, octets of sound) by a head of ours; None when it is not one."""
    if len(octets) < SIZE:
        return None
    fields = _HEAD.unpack_from(octets)
    rate, sound, behind = fields[7], fields[12], fields[1] - (SIZE - 8) - fields[12]
    if rate > MAX_RATE or sound > MAX_SOUND or not 0 <= behind <= MAX_NOTE:
        return None
    return (rate, sound) if octets[:SIZE] == head(rate, sound, behind) else None


def note(text: str) -> bytes:
    """A comment to stand behind the sound; nothing for an empty one."""
    if not text:
        return b""
    octets = text.encode()[: MAX_NOTE - 96] + b"\0"
    octets += b"\0" * (len(octets) % 2)
    body = b"INFO" + b"ICMT" + struct.pack("<I", len(octets)) + octets
    return b"LIST" + struct.pack("<I", len(body)) + body
