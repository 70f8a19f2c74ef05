"""Files as people bring them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.media.io_sound_file import SoundFile, stamp_of
from engine.media.prompts import SoundError

FORMATS = [
    ("WAV", "PCM_U8", "wav"),
    ("WAV", "PCM_16", "wav"),
    ("WAV", "PCM_24", "wav"),
    ("WAV", "PCM_32", "wav"),
    ("WAV", "FLOAT", "wav"),
    ("WAV", "ULAW", "wav"),
    ("WAV", "ALAW", "wav"),
    ("WAV", "IMA_ADPCM", "wav"),
    ("WAV", "GSM610", "wav"),
    ("FLAC", "PCM_16", "flac"),
    ("FLAC", "PCM_24", "flac"),
    ("OGG", "VORBIS", "ogg"),
    ("OGG", "OPUS", "opus"),
    ("AIFF", "PCM_16", "aiff"),
]


def tone(pitch: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return 0.25 * np.sin(2 * np.pi * pitch * np.arange(round(rate * seconds)) / rate)


def read(path: Path) -> np.ndarray:
    with SoundFile(str(path)) as file:
        return np.concatenate(list(file.blocks()))


def refusal(path: Path | str) -> str:
    with pytest.raises(SoundError) as caught, SoundFile(str(path)) as file:
        list(file.blocks())
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "subtype", "ending", "channels"),
    [(*each, channels) for each in FORMATS for channels in (1, 2) if (each[1], channels) != ("GSM610", 2)],
)
def test_every_kind_of_file_sounds_alike(tmp_path: Path, kind: str, subtype: str, ending: str, channels: int) -> None:
    rate = 8000 if subtype in ("GSM610", "OPUS") else 22050
    path = tmp_path / f"it.{ending}"
    sound = np.column_stack([tone(1004, rate), tone(601, rate)][:channels])
    soundfile.write(path, sound, rate, subtype, format=kind)
    heard = read(path)

    assert len(heard) == pytest.approx(rate, abs=600)
    spectrum = 2 * np.abs(np.fft.rfft(heard[:rate])) / rate
    expected = 0.25 / channels
    assert spectrum[1004] == pytest.approx(expected, rel=0.06)
    assert spectrum[601] == pytest.approx(expected if channels == 2 else 0, abs=0.012)


def test_a_wav_file_that_was_cut_off_is_played_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(440, 8000), 8000)
    path.write_bytes(path.read_bytes()[:-8001])

    assert len(read(path)) == pytest.approx(4000, abs=2)


def test_a_flac_file_that_is_broken_within_says_where(tmp_path: Path) -> None:
    path = tmp_path / "broken.flac"
    noise = np.random.default_rng(1).normal(0, 0.1, 80_000)
    soundfile.write(path, noise, 8000)
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2 : len(octets) // 2 + 30_000] = bytes(30_000)
    path.write_bytes(octets)

    assert refusal(path).startswith("broken after ")
    assert "WAV, FLAC or Ogg anew" in refusal(path)


def test_says_why_a_file_cannot_be_played(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not sound at all")
    (tmp_path / "empty.wav").touch()
    soundfile.write(tmp_path / "silent.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "slow.wav", np.zeros(10), 2000)
    soundfile.write(tmp_path / "fast.wav", np.zeros(10), 300_000)
    soundfile.write(tmp_path / "many.wav", np.zeros((10, 17)), 8000)
    soundfile.write(tmp_path / "long.wav", np.zeros(4000 * 3601, np.int16), 4000)
    (tmp_path / "huge.wav").touch()
    os.truncate(tmp_path / "huge.wav", 3 << 30)

    assert refusal(tmp_path / "none.wav") == "No such file or directory"
    assert refusal(tmp_path) == "Is a directory; name a sound file in it"
    assert refusal(tmp_path / "text.wav").startswith("not a sound file that can be read (")
    assert refusal(tmp_path / "empty.wav") == "the file is empty"
    assert refusal(tmp_path / "silent.wav") == "no sound in it"
    assert refusal(tmp_path / "slow.wav") == "sampled at 2000 Hz; 4000 to 192000 are taken"
    assert refusal(tmp_path / "fast.wav") == "sampled at 300000 Hz; 4000 to 192000 are taken"
    assert refusal(tmp_path / "many.wav") == "17 channels; up to 16 are taken"
    assert refusal(tmp_path / "long.wav") == "3601 s long; up to 3600 s are taken: cut it into a playlist"
    assert refusal(tmp_path / "huge.wav") == "3072 MiB large; up to 2048 MiB are taken"
    assert "null" in refusal("a\0b")


def test_what_is_no_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    assert refusal(tmp_path / "pipe.wav") == "not a regular file (a pipe, socket or device)"
    assert refusal("/dev/null") == "not a regular file (a pipe, socket or device)"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "s"))
        assert refusal(tmp_path / "s")


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", tone(440, 8000), 8000)
    (tmp_path / "b.wav").write_text("not sound at all")
    before = len(os.listdir("/proc/self/fd"))
    read(tmp_path / "a.wav")
    for name in ("b.wav", "none.wav", ""):
        refusal(tmp_path / name)

    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_not_a_number_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    soundfile.write(path, np.array([0.5, np.nan, np.inf, -np.inf]), 8000, "FLOAT")

    assert read(path).tolist() == [0.5, 0.0, 1.0, -1.0]


def test_another_file_under_the_name_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("one")
    first = stamp_of(str(path))
    (tmp_path / "b").write_text("two")
    os.replace(tmp_path / "b", path)

    assert stamp_of(str(path)) != first
    with pytest.raises(SoundError, match="No such file"):
        stamp_of(str(tmp_path / "none"))
