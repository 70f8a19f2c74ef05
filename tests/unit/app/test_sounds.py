from __future__ import annotations

import wave
from pathlib import Path

import pytest

from engine.app.config import Config
from engine.app.sounds import hold_music
from engine.errors import ConfigError


def config(music: Path | str) -> Config:
    return Config.model_validate({"media": {"music": str(music)}})


def test_without_a_file_our_own_music_plays() -> None:
    with wave.open(hold_music(config("")), "rb") as sound:
        assert sound.getframerate() == 8000


def test_a_file_of_the_operators_own(tmp_path: Path) -> None:
    file = tmp_path / "own.wav"
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0" * 160)
    assert hold_music(config(file)) == str(file)


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "no WAV"), (b"ID3 mp3 perhaps", "no WAV")]
)
def test_a_file_that_cannot_be_played_is_told_at_once(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "music.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"media\.music: .*music\.wav: .*{reason}"):
        hold_music(config(file))
