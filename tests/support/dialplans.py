"""Dialplans that tests write: text in, a checked `Dialplan` out, without a file."""

from __future__ import annotations

import tomllib
import wave
from pathlib import Path

from engine.dialplan.check import check
from engine.dialplan.model import Dialplan


def dialplan(text: str) -> Dialplan:
    """The dialplan in this text; every sound it names is there, under /sounds. Raises ConfigError."""
    return check("plan.toml", tomllib.loads(text), lambda name: f"/sounds/{name}")


def extension(context: str, number: str, action: str) -> str:
    """One extension in TOML, such as ("a", "600", 'queue = "q"')."""
    return f'[[context.{context}.extension]]\nnumber = "{number}"\n{action}\n'


def write_wav(path: Path, *, frames: int = 80) -> None:
    """Silence, 8 kHz mono 16 bit."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * frames)
