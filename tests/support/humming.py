"""Phones that hum a tone each, and who of them hears whom."""

from __future__ import annotations

import time

from tests.support.plain_phone import PlainPhone
from tests.support.tones import tone_dbfs

SAID_DBFS = -16.0
TONES = (450, 750, 1150)


def heard(phones: list[PlainPhone], *, seconds: float = 0.8) -> list[str]:
    """Whom each phone hears from now on, by letters: "a" is the first, "A" where it is not at the level that it has."""
    for phone in phones:
        phone.voice.sound.clear()
    time.sleep(seconds)
    told = []
    for phone in phones:
        audio = phone.voice.audio()
        levels = {name: tone_dbfs(audio, tone) for name, tone in zip("abc", TONES, strict=True)}
        loud = {name: level for name, level in levels.items() if level > -45}
        told.append("".join(name if abs(level - SAID_DBFS) < 3 else name.upper() for name, level in loud.items()))
    return told


def hear(phones: list[PlainPhone], *expected: str, timeout: float = 15.0) -> None:
    """Return once each phone hears just these. A busy machine may let sound stumble, so there are several tries."""
    ends, told = time.monotonic() + timeout, []
    while time.monotonic() < ends:
        told = heard(phones)
        if told == list(expected):
            return
    raise AssertionError(f"heard {told}; expected {list(expected)}")


def hum(*phones: PlainPhone) -> list[PlainPhone]:
    for phone, tone in zip(phones, TONES, strict=False):
        phone.voice.hum(tone, SAID_DBFS)
    return list(phones)
