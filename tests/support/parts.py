"""Which system parts this machine has, and one line about the ones it lacks.

An integration test begins with `require("asterisk", "sipp")`. Where a part is missing the test is skipped with the
command that brings it; with `CI=true` it fails instead, so that a green run there has really run everything.
"""

from __future__ import annotations

import ctypes.util
import importlib.util
import os
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

PartName = Literal[
    "asterisk",
    "sipp",
    "kamailio",
    "baresip",
    "linphone",
    "tshark",
    "pulseaudio",
    "portaudio",
    "pjsua2",
    "promtool",
    "rtpengine",
    "espeak-ng",
    "capture",
]

SYSTEM_DEPS = "make system-deps"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Something real that tests run against."""

    name: PartName
    lack: Callable[[], str | None]
    """Says in a few words what is missing; None when the part is there."""
    remedy: str = SYSTEM_DEPS
    """The command that brings it."""


def asterisk_root() -> Path:
    """Where `make system-deps` puts the root directory that holds Asterisk 22."""
    cache = os.environ.get("HEARTHLINE_CACHE")
    if not cache:
        base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        cache = f"{base}/hearthline"
    return Path(cache) / "asterisk-22"


def _lack_asterisk() -> str | None:
    if os.geteuid() != 0:
        return "needs root for chroot"
    root = asterisk_root()
    if not (root / "usr/sbin/asterisk").exists():
        return f"no Asterisk 22 in {root}"
    return None


def _lack_programs(*names: str) -> Callable[[], str | None]:
    def lack() -> str | None:
        absent = [name for name in names if shutil.which(name) is None]
        return f"no program {' '.join(absent)}" if absent else None

    return lack


def _lack_portaudio() -> str | None:
    # The wheels of sounddevice for macOS and Windows bring the library; on Linux it is the system's.
    if importlib.util.find_spec("sounddevice") is None:
        return "no module sounddevice"
    bundled = importlib.util.find_spec("_sounddevice_data") is not None
    return None if bundled or ctypes.util.find_library("portaudio") else "no library portaudio"


def _lack_capture() -> str | None:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
    except (AttributeError, OSError):
        return "needs root, or CAP_NET_RAW, to see packets pass"
    return None


def _lack_pjsua2() -> str | None:
    return None if importlib.util.find_spec("pjsua2") is not None else "no module pjsua2"


PARTS: dict[PartName, Part] = {
    part.name: part
    for part in (
        Part(name="asterisk", lack=_lack_asterisk),
        Part(name="sipp", lack=_lack_programs("sipp")),
        Part(name="kamailio", lack=_lack_programs("kamailio")),
        Part(name="baresip", lack=_lack_programs("baresip")),
        Part(name="linphone", lack=_lack_programs("linphonec")),
        Part(name="tshark", lack=_lack_programs("tshark")),
        Part(name="pulseaudio", lack=_lack_programs("pulseaudio", "pactl", "pacat", "parec")),
        Part(name="portaudio", lack=_lack_portaudio),
        Part(name="pjsua2", lack=_lack_pjsua2, remedy="make venv"),
        Part(name="promtool", lack=_lack_programs("promtool")),
        Part(name="rtpengine", lack=_lack_programs("rtpengine")),
        Part(name="espeak-ng", lack=_lack_programs("espeak-ng")),
        Part(name="capture", lack=_lack_capture, remedy="sudo"),
    )
}


def explain_missing(names: tuple[PartName, ...]) -> str | None:
    """One line on what of `names` is missing and what brings it; None when all are there."""
    missing = [(PARTS[name], lack) for name in names if (lack := PARTS[name].lack()) is not None]
    if not missing:
        return None
    what = ", ".join(f"{part.name} ({lack})" for part, lack in missing)
    remedies = " and ".join(dict.fromkeys(f"`{part.remedy}`" for part, _ in missing))
    return f"missing {what}: run {remedies}"


def in_ci() -> bool:
    """Whether a missing part has to fail the run."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def require(*names: PartName) -> None:
    """Go on only where all these parts are there.

    Otherwise skips the test (or the module, when called at import) in one line; with `CI=true` fails it.
    """
    line = explain_missing(names)
    if line is None:
        return
    if in_ci():
        pytest.fail(line, pytrace=False)
    pytest.skip(line, allow_module_level=True)
