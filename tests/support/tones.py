"""Tones for tests: make them, measure their level, find where they begin and where they are interrupted.

Samples are float arrays of shape `[n]`, 1.0 at full scale. Levels are dBFS with a full-scale sine at 0 dBFS (AES17), so
that 0 dBm0, the digital milliwatt, is -3.17 dBFS in mu-law (ITU-T G.711: full scale is +3.17 dBm0) and -3.14 in A-law.
"""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float64]

SILENCE_DBFS = -160.0
"""What is said of no signal at all, in the place of minus infinity."""

DIGITAL_MILLIWATT_DBFS = -3.17
"""0 dBm0 in mu-law; Asterisk's Milliwatt() plays it at 1004 Hz."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch in which a tone that should be there is not."""

    start_s: float
    length_s: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Audio:
    """What a recording holds."""

    rate: int
    """Samples a second."""
    samples: Samples

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate

    def between(self, start_s: float, end_s: float) -> Audio:
        """The part from `start_s` to `end_s`; shorter where the recording is."""
        return Audio(rate=self.rate, samples=self.samples[round(start_s * self.rate) : round(end_s * self.rate)])


def sine(frequency: float, *, seconds: float, rate: int = 8000, dbfs: float = -10.0) -> Samples:
    """A pure tone of `dbfs`, beginning at phase 0."""
    times = np.arange(round(seconds * rate)) / rate
    return np.asarray(10 ** (dbfs / 20) * np.sin(2 * np.pi * frequency * times))


def to_pcm16(samples: Samples) -> bytes:
    """Little-endian 16-bit samples, clipped at full scale."""
    return np.clip(np.rint(samples * 32767), -32768, 32767).astype("<i2").tobytes()


def from_pcm16(data: bytes) -> Samples:
    """The reverse of `to_pcm16`; an odd last byte is dropped."""
    return np.frombuffer(data[: len(data) // 2 * 2], dtype="<i2").astype(np.float64) / 32767


def read_wav(path: Path, *, channel: int = 0) -> Audio:
    """One channel of a 16-bit WAV file."""
    with wave.open(str(path), "rb") as file:
        if file.getsampwidth() != 2:
            raise ValueError(f"{path}: {file.getsampwidth() * 8} bits a sample, expected 16")
        samples = from_pcm16(file.readframes(file.getnframes()))
        return Audio(rate=file.getframerate(), samples=samples[channel :: file.getnchannels()])


def write_wav(path: Path, audio: Audio) -> None:
    """A 16-bit WAV file with one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(audio.rate)
        file.writeframes(to_pcm16(audio.samples))


def to_dbfs(amplitude: float) -> float:
    """Level of a sine of that amplitude."""
    return max(SILENCE_DBFS, 20 * float(np.log10(amplitude))) if amplitude > 0 else SILENCE_DBFS


def rms_dbfs(audio: Audio) -> float:
    """Level of everything together."""
    if not len(audio.samples):
        return SILENCE_DBFS
    return to_dbfs(float(np.sqrt(2 * np.mean(audio.samples**2))))


def tone_dbfs(audio: Audio, frequency: float, *, block_s: float = 0.5) -> float:
    """Level of `frequency` alone: the projection on it, Hann-windowed, its power averaged over blocks.

    Blocks, because two sound clocks differ by some parts per million, which over a whole recording would turn the phase
    away. Another tone 20 Hz off or more is suppressed by over 80 dB at the default block of half a second.
    """
    size = min(len(audio.samples), round(block_s * audio.rate))
    if size == 0:
        return SILENCE_DBFS
    blocks = audio.samples[: len(audio.samples) // size * size].reshape(-1, size)
    window = np.hanning(size)
    turning = np.exp(-2j * np.pi * frequency * np.arange(size) / audio.rate)
    amplitudes = 2 * np.abs(blocks @ (window * turning)) / window.sum()
    return to_dbfs(float(np.sqrt(np.mean(amplitudes**2))))


def line_dbfs(audio: Audio, frequency: float, *, block_s: float = 0.5) -> float:
    """The loudest that `frequency` gets as a line of the spectrum in any block; `SILENCE_DBFS` when it never is one.

    For proving that something is not heard. A click, where a packet came too late or twice, spreads over the spectrum
    and so has a part at every frequency, but none stands out; a tone does, if only for one packet of 20 ms. So a block
    counts if `frequency` is 10 dB over the middle of its surroundings, and the loudest one is told, not the average:
    what is heard for a moment is heard. Blocks overlap by half, so that each moment is well inside one. Blackman-Harris
    windows (sidelobes at -92 dB), so that a loud tone elsewhere hides nothing.
    """
    size = min(len(audio.samples), round(block_s * audio.rate))
    if size == 0:
        return SILENCE_DBFS
    around = np.arange(40, 141, 4)  # Hz; the nearest are clear of the widest line, that of one packet
    offsets = np.concatenate(([0], around, -around))
    window = _blackman_harris(size)
    turning = np.exp(-2j * np.pi * (frequency + offsets) * np.arange(size)[:, None] / audio.rate)
    blocks = np.lib.stride_tricks.sliding_window_view(audio.samples, size)[:: size // 2]
    amplitudes = 2 * np.abs(blocks @ (window[:, None] * turning)) / window.sum()
    stands_out = amplitudes[:, 0] > 10 ** (10 / 20) * np.median(amplitudes[:, 1:], axis=1)
    return to_dbfs(float(np.max(amplitudes[stands_out, 0], initial=0.0)))


def _blackman_harris(size: int) -> Samples:
    turns = 2 * np.pi * np.arange(size) / size
    terms = (0.35875, -0.48829, 0.14128, -0.01168)
    return np.asarray(sum(term * np.cos(order * turns) for order, term in enumerate(terms)))


def dominant_frequency(audio: Audio) -> float:
    """The strongest frequency in Hz, between the bins by a parabola through the logarithms; 0.0 of silence."""
    samples = audio.samples * np.hanning(len(audio.samples))
    spectrum = np.abs(np.fft.rfft(samples))
    if len(spectrum) < 3 or not spectrum[1:-1].any():
        return 0.0
    peak = 1 + int(np.argmax(spectrum[1:-1]))
    left, middle, right = np.log(spectrum[peak - 1 : peak + 2] + 1e-30)
    offset = 0.5 * (left - right) / (left - 2 * middle + right)
    return float((peak + offset) * audio.rate / len(samples))


def envelope(audio: Audio, frequency: float, *, window_ms: float = 10.0) -> Samples:
    """Amplitude of `frequency` around each sample, seen through a Hann window; shape `[n]` as the input's."""
    size = max(3, round(window_ms * audio.rate / 1000)) | 1
    window = np.hanning(size + 2)[1:-1]
    turned = audio.samples * np.exp(-2j * np.pi * frequency * np.arange(len(audio.samples)) / audio.rate)
    return np.asarray(2 * np.abs(np.convolve(turned, window, mode="same")) / window.sum())


def gaps(
    audio: Audio, frequency: float, *, longer_than_ms: float = 40.0, expected_dbfs: float | None = None
) -> list[Gap]:
    """Where the tone is away for longer than `longer_than_ms`, at the ends of the recording too.

    Away is 6 dB under `expected_dbfs` (default: the tone's median level): at the edge of a silence half of the window
    still hears the tone, so the lengths found are the true ones.
    """
    level = envelope(audio, frequency)
    usual = float(np.median(level)) if expected_dbfs is None else 10 ** (expected_dbfs / 20)
    away = np.concatenate(([False], level < usual / 2, [False]))
    edges = np.flatnonzero(np.diff(away.astype(np.int8)))
    return [
        Gap(start_s=float(start) / audio.rate, length_s=float(end - start) / audio.rate)
        for start, end in edges.reshape(-1, 2)
        if (end - start) / audio.rate * 1000 > longer_than_ms
    ]


def held_dbfs(audio: Audio, frequency: float) -> float:
    """Level of `frequency` while it is there: the median of its envelope.

    For sound that came through a telephone's jitter buffer: where that repeats or leaves out a packet, because some
    program was run late, the phase jumps, and `tone_dbfs` takes that for a lower level.
    """
    return to_dbfs(float(np.median(envelope(audio, frequency))))


def away_s(audio: Audio, frequency: float, *, longer_than_ms: float = 40.0) -> float:
    """How long the tone is away in sum, in `gaps` longer than that."""
    return sum(gap.length_s for gap in gaps(audio, frequency, longer_than_ms=longer_than_ms))


def onset_s(audio: Audio, frequency: float, *, above_dbfs: float = -40.0, for_ms: float = 30.0) -> float | None:
    """When the tone is first above `above_dbfs` for `for_ms` on end, in seconds; None when it never is."""
    there = np.concatenate(([False], envelope(audio, frequency) > 10 ** (above_dbfs / 20), [False]))
    edges = np.flatnonzero(np.diff(there.astype(np.int8))).reshape(-1, 2)
    for start, end in edges:
        if (end - start) / audio.rate * 1000 >= for_ms:
            return float(start) / audio.rate
    return None
