from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from softphone.audio.recorder import Recorder
from softphone.errors import AudioFileError
from tests.support.tones import read_wav


def frames(*values: int) -> list[np.ndarray]:
    return [np.full(320, value, dtype=np.int16) for value in values]


def test_frames_follow_one_another_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    recorder = Recorder(path, rate=16000)
    recorder.write(frames(1, 2))
    recorder.write([])
    recorder.write(frames(3))
    recorder.close()
    audio = read_wav(path)
    assert audio.rate == 16000
    assert np.rint(audio.samples[::320] * 32767).tolist() == [1, 2, 3]


def test_an_empty_recording_is_a_valid_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "none.wav", rate=48000)
    recorder.close()
    recorder.close()
    assert read_wav(tmp_path / "none.wav").seconds == 0


def test_a_place_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioFileError, match=r"gone/heard\.wav: cannot be written \(No such file"):
        Recorder(tmp_path / "gone" / "heard.wav", rate=16000)


def test_a_full_disk_ends_the_recording_once() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("missing /dev/full: it is there on Linux")
    recorder = Recorder(full, rate=16000)
    with pytest.raises(AudioFileError, match=r"the recording ends here \(No space left"):
        recorder.write(frames(*range(200)))
    recorder.write(frames(1))
    recorder.close()
