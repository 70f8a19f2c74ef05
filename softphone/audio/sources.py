"""What the phone says when no microphone does: a tone, a WAV file in a loop, or nothing."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Final, Protocol

import numpy as np

from softphone.audio.meter import FULL_SCALE
from softphone.audio.ring import Samples
from softphone.errors import AudioFileError

MAX_FILE_S: Final = 600
"""A loop longer than ten minutes is a mistake, and it is held in memory."""


class Source(Protocol):
    """Gives the next samples of the outgoing voice, as many as are asked, on the SIP stack's clock."""

    def read(self, count: int) -> Samples:
        """Return exactly `count` samples and move on."""
        ...


class Silence:
    """Says nothing."""

    def read(self, count: int) -> Samples:
        """Return zeros."""
        return np.zeros(count, dtype=np.int16)


class Tone:
    """A sine without phase jumps, accurate to the rounding of one sample in level and frequency."""

    def __init__(self, *, hz: float, level_dbfs: float, rate: int) -> None:
        """`level_dbfs` 0 is a sine whose peak is 32767."""
        if not 0 < hz < rate / 2:
            raise ValueError(f"tone of {hz} Hz: allowed is above 0 and below {rate / 2:g} Hz (half the rate)")
        if level_dbfs > 0:
            raise ValueError(f"tone level {level_dbfs} dBFS: allowed is 0 (full scale) or below")
        self._step = hz / rate
        self._amplitude = FULL_SCALE * 10 ** (level_dbfs / 20)
        self._index = 0

    def read(self, count: int) -> Samples:
        """Return the next `count` samples of the sine."""
        # The phase is taken from the sample's number, not summed up, so it does not creep in an eight-hour call.
        cycles = np.mod((self._index + np.arange(count)) * self._step, 1.0)
        self._index += count
        samples: Samples = np.rint(self._amplitude * np.sin(2 * np.pi * cycles)).astype(np.int16)
        return samples


class Loop:
    """Plays the same samples again and again."""

    def __init__(self, samples: Samples) -> None:
        if len(samples) == 0:
            raise ValueError("a loop needs at least one sample")
        self._samples = samples
        self._index = 0

    def read(self, count: int) -> Samples:
        """Return the next `count` samples, starting over at the end."""
        where = (self._index + np.arange(count)) % len(self._samples)
        self._index = (self._index + count) % len(self._samples)
        return self._samples[where]


def load_wav(path: Path, *, rate: int) -> Samples:
    """Read a 16-bit PCM WAV file as mono at `rate`; raises AudioFileError saying what was found and what is allowed."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, found_rate, frames = (
                file.getnchannels(),
                file.getsampwidth(),
                file.getframerate(),
                file.getnframes(),
            )
            if width != 2:
                raise AudioFileError(f"{path}: {8 * width} bits a sample; allowed is 16-bit PCM")
            if not 0 < frames <= MAX_FILE_S * found_rate:
                raise AudioFileError(f"{path}: {frames / found_rate:.1f} s long; allowed is up to {MAX_FILE_S} s")
            data = file.readframes(frames)
    except (OSError, wave.Error, EOFError) as error:
        why = str(error) if str(error) else "it ends too early"
        raise AudioFileError(f"{path}: cannot be read as a 16-bit PCM WAV file ({why})") from error
    whole = len(data) // (2 * channels) * channels
    if whole == 0:
        raise AudioFileError(f"{path}: has no samples")
    mono = np.frombuffer(data, dtype="<i2", count=whole).reshape(-1, channels).mean(axis=1)
    return _resample(mono, found_rate, rate)


def _resample(samples: np.ndarray[tuple[int], np.dtype[np.float64]], found: int, wanted: int) -> Samples:
    """Change the rate in the frequency domain; its assumption that the signal repeats is true of a loop."""
    if found != wanted:
        count = max(1, round(len(samples) * wanted / found))
        spectrum = np.fft.rfft(samples)
        samples = np.fft.irfft(spectrum[: count // 2 + 1], n=count) * (count / len(samples))
    rounded: Samples = np.clip(np.rint(samples), -FULL_SCALE - 1, FULL_SCALE).astype(np.int16)
    return rounded
