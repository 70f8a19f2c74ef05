"""Heads of WAV files, read by another's reader."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest
import soundfile

from engine.media.wav_header import SIZE, head, note, read_head


@pytest.mark.parametrize("rate", [8000, 16000])
def test_others_read_what_we_write(rate: int) -> None:
    sound = np.arange(600, dtype="<i2").reshape(-1, 2)
    text = note("Silence where sound was lost")
    data = head(rate, sound.nbytes, len(text)) + sound.tobytes() + text
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (rate, 2, 2)
        assert file.readframes(1000) == sound.tobytes()
    with soundfile.SoundFile(io.BytesIO(data)) as read:
        assert read.comment == "Silence where sound was lost"
        assert (read.read(dtype="int16") == sound).all()
    assert read_head(data) == (rate, sound.nbytes)


def test_only_heads_of_ours_are_read() -> None:
    assert read_head(b"RIFF") is None
    assert read_head(bytes(SIZE)) is None
    assert read_head(b"no sound at all" * 10) is None
    assert read_head(head(8000, 4)[:-5] + b"x" + head(8000, 4)[-4:]) is None
    assert read_head(head(8000, 4)) == (8000, 4)


def test_no_note_is_nothing() -> None:
    assert note("") == b""
    assert len(note("odd")) % 2 == 0
