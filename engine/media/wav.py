"""WAV files to 8 kHz mono 16-bit, once, when they are loaded."""

from __future__ import annotations

import io
import wave
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.errors import EngineError
from engine.media.codecs import RATE

MAX_SECONDS: Final = 3600
MAX_RATE: Final = 192_000
_TAPS_PER_PHASE: Final = 48
"""Length of the low-pass in output samples when the rate goes down: 60 dB beyond 4.4 kHz, flat to 3.4 kHz."""


class SoundError(EngineError):
    """A sound file cannot be played; the message says why."""

    code = "media_sound"


def read_wav(data: bytes) -> NDArray[np.int16]:
    """Samples of a WAV file as 8 kHz mono int16. Takes PCM of 8, 16, 24 or 32 bits, any rate and channels. Raises
    SoundError."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            channels, width, rate, frames = (
                file.getnchannels(),
                file.getsampwidth(),
                file.getframerate(),
                file.getnframes(),
            )
            if not 1 <= rate <= MAX_RATE or not 1 <= channels <= 16:
                raise SoundError(f"{rate} Hz with {channels} channels is out of range")
            if frames > rate * MAX_SECONDS:
                raise SoundError(f"longer than {MAX_SECONDS} s")
            raw = file.readframes(frames)
    except (wave.Error, EOFError, ValueError) as error:
        raise SoundError(f"not a PCM WAV file: {str(error) or 'it ends too soon'}") from error
    samples = _floats(raw, width)
    whole = len(samples) // channels * channels
    if not whole:
        raise SoundError("no sound in it")
    mono = samples[:whole].reshape(-1, channels).mean(axis=1)
    return np.clip(np.rint(resample(mono, rate, RATE)), -32768, 32767).astype(np.int16)


def _floats(raw: bytes, width: int) -> NDArray[np.float64]:
    """Interleaved samples of any width, in units of 16-bit steps."""
    raw = raw[: len(raw) // width * width]
    if width == 1:  # unsigned, as the format has it
        return (np.frombuffer(raw, np.uint8).astype(np.float64) - 128) * 256
    if width == 2:
        return np.frombuffer(raw, "<i2").astype(np.float64)
    if width == 3:
        octets = np.frombuffer(raw, np.uint8).reshape(-1, 3)
        high = octets[:, 1:].copy().view("<i2").reshape(-1)
        return high + octets[:, 0] / 256
    if width == 4:
        return np.frombuffer(raw, "<i4") / 65536
    raise SoundError(f"{8 * width} bits per sample are not supported")


def resample(samples: NDArray[np.float64], rate: int, to: int) -> NDArray[np.float64]:
    """Change the sampling rate by the ratio of whole numbers `to / rate` with a windowed-sinc low-pass.

    Upsample by L, filter, take every Mth, without computing what is thrown away: output n is the dot product of the
    input around n * M / L with the filter's phase n * M mod L (polyphase form; Crochiere & Rabiner, 1983).
    """
    if rate == to:
        return samples
    up, down = to // gcd(rate, to), rate // gcd(rate, to)
    half = _TAPS_PER_PHASE * max(up, down) // 2
    # Cut at 0.93 of the lower Nyquist frequency, so that the transition band ends shortly above it.
    times = np.arange(-half, half + 1)
    cutoff = 0.93 / max(up, down)
    low_pass = up * cutoff * np.sinc(cutoff * times) * np.kaiser(2 * half + 1, 7.0)
    count = -(-len(samples) * up // down)
    reach = half // up + 1
    padded = np.concatenate((np.zeros(reach), samples, np.zeros(reach + 1)))
    out = np.empty(count)
    for phase in range(min(up, count)):
        # Outputs phase, phase + up, ... all use the same taps, `down` inputs apart.
        position = phase * down
        first = -(-(position - half) // up)
        last = (position + half) // up
        taps = low_pass[position - np.arange(first, last + 1) * up + half]
        outputs = len(range(phase, count, up))
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(taps))
        starts = first + reach + np.arange(outputs) * down
        for begin in range(0, outputs, 8192):
            chunk = starts[begin : begin + 8192]
            out[phase + begin * up : phase + (begin + len(chunk)) * up : up] = windows[chunk] @ taps
    return out
