"""The file of one recording while it runs, and what is left where it cannot be had."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from engine.media.commands import RecordingFormat
from engine.media.events import MediaEvent
from engine.media.io_recording_file import PlainFile, Unwritten
from engine.media.io_tape import Label, TapeWriter
from engine.media.wav_header import OCTETS, SIZE, read_head

RATE = 8000


def writer(stem: Path, events: list[MediaEvent]) -> TapeWriter:
    label = Label(recording="r", stem=str(stem), rate=RATE, format=RecordingFormat.WAV, key=None)
    return TapeWriter(label, None, events.append)


def test_directories_of_recordings_are_for_us_alone(tmp_path: Path) -> None:
    made = writer(tmp_path / "2026" / "11" / "r", [])
    made.open()
    made.abandon()
    assert (tmp_path / "2026" / "11").stat().st_mode & 0o077 == 0


def test_a_file_whose_head_cannot_be_written_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: PlainFile, at: int, octets: bytes) -> None:
        raise Unwritten(OSError(errno.ENOSPC, "No space left on device"), 0)

    events: list[MediaEvent] = []
    made = writer(tmp_path / "r", events)
    monkeypatch.setattr(PlainFile, "put", full)
    with pytest.raises(OSError, match="No space left"):
        made.open()
    assert list(tmp_path.iterdir()) == []
    assert events == []
    made.write(0, b"sound of nobody")
    assert made.finish(0, "") == ""


def test_a_recording_that_ends_in_a_gap_has_its_length_all_the_same(tmp_path: Path) -> None:
    made = writer(tmp_path / "r", [])
    made.open()
    made.write(0, b"\x01" * OCTETS * RATE)
    assert made.finish(3 * OCTETS * RATE, "") == ""
    octets = (tmp_path / "r.running.wav").read_bytes()
    assert read_head(octets) == (RATE, 3 * OCTETS * RATE)
    assert len(octets) == SIZE + 3 * OCTETS * RATE
    assert not any(octets[SIZE + OCTETS * RATE :])
