"""The paths that sound can take, which the media benchmark measures: who has which far ends, and what is set up."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path as File
from typing import Any, Final

import psutil

from tests.bench.media_traffic import End
from tests.support.media_plane import Control


class Path(StrEnum):
    """What becomes of the sound."""

    RELAYED = "relayed"
    """Two legs in PCMU, passed on."""
    MIXED = "mixed"
    """Two legs in PCMU, decoded, added and encoded. Asterisk decodes and encodes; it adds nothing up."""
    TRANSCODED = "transcoded"
    """PCMU on one side, PCMA on the other."""
    SRTP = "srtp"
    """Two legs in PCMU, one of them encrypted (AES_CM_128_HMAC_SHA1_80)."""
    MUSIC = "music"
    """Callers who hear hold music."""
    RECORDED = "recorded"
    """As relayed, with a stereo recording of each call."""
    CONFERENCE = "conference"
    """Conferences of three; one of each speaks."""
    BESIDE = "beside"
    """Relayed calls beside mixed ones in one process; ours only."""


MUSIC: Final = File(__file__).resolve().parents[2] / "dialplans/sounds/hold-music.wav"
"""What callers on hold hear, on both sides."""

SIDES: Final = ("hearthline", "asterisk", "rtpengine", "floor")
"""Ours, two rivals, and a loop of bare system calls in Python."""

WHO: Final[dict[Path, tuple[str, ...]]] = {
    Path.RELAYED: SIDES,
    Path.MIXED: ("hearthline", "asterisk"),
    Path.TRANSCODED: ("hearthline", "asterisk", "rtpengine"),
    Path.SRTP: ("hearthline", "asterisk", "rtpengine"),
    Path.MUSIC: ("hearthline", "asterisk"),
    Path.RECORDED: ("hearthline", "asterisk"),
    Path.CONFERENCE: ("hearthline", "asterisk"),
    Path.BESIDE: ("hearthline",),
}
"""rtpengine mixes nothing, plays no queue's music, and records by another process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is to be set up."""

    path: Path
    calls: int
    """Calls, callers with music, or conferences."""
    beside: int = 0
    """Mixed legs beside relayed calls."""


@dataclass(slots=True, kw_only=True)
class Bridged:
    """Calls that are up; what sends and hears is given by `ends`."""

    process: psutil.Process
    address: str
    """Where the far ends are."""
    ends: list[End]
    rss_per_leg: float
    """Octets of resident memory that each leg has added."""
    control: Control | None = None
    """To our process, for its own figures."""
    notes: dict[str, Any] = field(default_factory=dict)
