"""Recordings on stand-ins: how they are begun, and how what they hold is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.media.codecs import decode
from engine.media.commands import Codec, RecordingFormat, StartRecording
from tests.support.media_fakes import Bench, FakeTape


def start(leg: str = "a", other: str | None = "b", **changes: object) -> StartRecording:
    values: dict[str, object] = {
        **{"recording": "r", "leg": leg, "other": other, "stem": "/recordings/r", "format": RecordingFormat.WAV},
    }
    return StartRecording(**(values | changes))  # type: ignore[arg-type]


def recorded(bench: Bench, name: str = "r") -> FakeTape:
    return bench.tapes.tapes[name]


def level_db(samples: NDArray[np.int16]) -> float:
    """Root mean square over full scale."""
    return float(20 * np.log10(max(1e-9, float(np.sqrt(np.mean(samples.astype(float) ** 2))) / 32768)))


def snr_db(found: NDArray[np.int16], reference: NDArray[np.int16]) -> float:
    noise = found.astype(float) - reference
    return float(10 * np.log10(np.sum(reference.astype(float) ** 2) / max(1e-9, np.sum(noise**2))))


def expected(frames: list[bytes], codec: Codec) -> NDArray[np.int16]:
    return decode(np.frombuffer(b"".join(frames), np.uint8), codec)
