"""The last form of a recording: whole, on the disk, and only then in the place of the file that ran."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from engine.media.commands import RecordingFormat
from engine.media.io_convert import finish
from engine.media.io_recording_file import PlainFile
from engine.media.wav_header import OCTETS, head

RATE = 8000


def ran(path: Path, samples: int, cut: int = 0) -> Path:
    """A file that ran; the last octets may not have come to the disk."""
    sound = np.arange(2 * samples, dtype="<i2").tobytes()
    path.write_bytes((head(RATE, len(sound)) + sound)[: len(head(RATE, 0)) + len(sound) - cut])
    return path


def test_half_a_sample_at_the_end_of_a_crash_is_left_out(tmp_path: Path) -> None:
    source = ran(tmp_path / "r.running.wav", RATE, cut=OCTETS - 1)
    result = finish(str(source), str(tmp_path / "r"), RecordingFormat.FLAC, None, "")
    found, _ = soundfile.read(result.path, dtype="int16")
    assert len(found) == RATE - 1
    assert (found.reshape(-1) == np.arange(2 * (RATE - 1), dtype=np.int16)).all()


def test_the_file_that_ran_goes_when_the_new_one_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ran(tmp_path / "r.running.wav", RATE)
    done: list[str] = []
    sync, rename, unlink = PlainFile.sync, os.rename, os.unlink

    def synced(self: PlainFile) -> None:
        sync(self)
        done.append("sync")

    monkeypatch.setattr(PlainFile, "sync", synced)
    monkeypatch.setattr("os.rename", lambda *paths: (rename(*paths), done.append("rename")))
    monkeypatch.setattr("os.unlink", lambda path: (unlink(path), done.append(f"unlink {Path(path).name}")))
    finish(str(source), str(tmp_path / "r"), RecordingFormat.FLAC, None, "")
    assert done == ["sync", "rename", "unlink r.running.wav"]


def test_an_attempt_that_failed_leaves_the_file_that_ran_and_nothing_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ran(tmp_path / "r.running.wav", RATE)

    def broken(self: PlainFile) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(PlainFile, "sync", broken)
    result = finish(str(source), str(tmp_path / "r"), RecordingFormat.FLAC, None, "")
    assert result.trouble == "kept as WAV: Input/output error"
    assert [path.name for path in tmp_path.iterdir()] == ["r.wav"]
