"""Makes the sounds beside it: `python dialplans/sounds/make_sounds.py`. They are our own composition, under the licence
of the rest.

hold-music.wav: 20 s in C major at 96 beats a minute, eight bars of soft chords with an arpeggio above, made as a
circle: what rings beyond the end is added to the beginning, so the loop has no seam. announcement.wav: a rising chime
of three bells.
"""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
BEAT = RATE * 60 // 96
BARS = 8

CHORDS = [(48, 64, 67, 71), (45, 60, 64, 67), (41, 60, 65, 69), (43, 59, 62, 67)] * 2
"""Cmaj7, Am7, F, G twice; notes as MIDI numbers, the bass first."""

ARPEGGIO = (1, 2, 3, 2, 1, 3, 2, 3)
"""Note of the chord for each quaver, two octaves of which the upper is soft."""

Samples = NDArray[np.float64]


def frequency(note: float) -> float:
    return float(440 * 2 ** ((note - 69) / 12))


def string(note: float, seconds: float) -> Samples:
    """A held note: few harmonics, slow to rise and to fall."""
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = frequency(note)
    sound = sum(
        np.sin(2 * np.pi * pitch * detune * harmonic * times) / harmonic**2.2
        for harmonic in (1, 2, 3)
        for detune in (0.998, 1.002)
        if pitch * harmonic < 3400
    )
    shape = np.minimum(1, times / 0.35) * np.minimum(1, (seconds - times) / 0.6)
    return np.asarray(sound * shape)


def pluck(note: float, seconds: float = 1.6) -> Samples:
    """A plucked note: the higher a harmonic, the sooner it is gone."""
    times = np.arange(round(seconds * RATE)) / RATE
    pitch = frequency(note)
    sound = sum(
        np.sin(2 * np.pi * pitch * harmonic * times) * np.exp(-times * (2.2 + 1.5 * harmonic)) / harmonic
        for harmonic in (1, 2, 3, 4)
        if pitch * harmonic < 3400
    )
    return np.asarray(sound * np.minimum(1, times / 0.004))


def add(circle: Samples, at: int, sound: Samples, level: float) -> None:
    """Add a sound to a piece that has no end."""
    np.add.at(circle, (at + np.arange(len(sound))) % len(circle), level * sound)


def hold_music() -> Samples:
    piece = np.zeros(BARS * 4 * BEAT)
    for bar, chord in enumerate(CHORDS):
        start = bar * 4 * BEAT
        for note in chord:
            add(piece, start, string(note, 4 * BEAT / RATE + 0.5), 0.35 if note == chord[0] else 0.2)
        for quaver, index in enumerate(ARPEGGIO):
            octave = 12 if quaver in (3, 7) and bar % 2 else 0
            add(piece, start + quaver * BEAT // 2, pluck(chord[index] + octave), 0.5 if quaver % 4 == 0 else 0.33)
    return piece


def announcement() -> Samples:
    piece = np.zeros(round(2.4 * RATE))
    for place, note in enumerate((67, 72, 76)):
        sound = pluck(note, 1.5)
        at = round(place * 0.35 * RATE)
        piece[at : at + len(sound)] += sound[: len(piece) - at]
    return piece


def write(path: Path, samples: Samples, *, peak_dbfs: float = -12.0) -> None:
    """8 kHz mono 16-bit, whole frames of 20 ms."""
    scaled = samples / np.max(np.abs(samples)) * 32767 * 10 ** (peak_dbfs / 20)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(scaled[: len(scaled) // 160 * 160]).astype("<i2").tobytes())


def main() -> None:
    here = Path(__file__).parent
    write(here / "hold-music.wav", hold_music())
    write(here / "announcement.wav", announcement())


if __name__ == "__main__":
    main()
