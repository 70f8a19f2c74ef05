from __future__ import annotations

import wave
from pathlib import Path

import pytest

from engine.app.calls_setup import calls_config
from engine.app.config import Config
from engine.app.sounds import hold_music, library, music_warnings, sound_rules
from engine.calls.directory import Directory, Queue
from engine.errors import ConfigError
from engine.ids import QueueName
from tests.support.dialplans import write_wav


def config(music: Path | str | list[str]) -> Config:
    return Config.model_validate({"media": {"music": music if isinstance(music, list) else str(music)}})


def with_sounds(**keys: object) -> Config:
    return Config.model_validate({"sounds": keys})


def test_without_a_file_our_own_music_plays() -> None:
    (own,) = hold_music(config(""))
    with wave.open(own, "rb") as sound:
        assert sound.getframerate() == 8000


def test_a_file_of_the_operators_own(tmp_path: Path) -> None:
    write_wav(tmp_path / "own.wav")
    assert hold_music(config(tmp_path / "own.wav")) == (str(tmp_path / "own.wav"),)


def test_a_directory_is_played_in_the_order_of_its_names(tmp_path: Path) -> None:
    for name in ("b.wav", "a.wav", "c.WAV"):
        write_wav(tmp_path / "music" / name)
    (tmp_path / "music" / "cover.jpg").write_bytes(b"no sound")
    expected = tuple(str(tmp_path / "music" / name) for name in ("a.wav", "b.wav", "c.WAV"))
    assert hold_music(config(tmp_path / "music")) == expected


def test_a_list_keeps_its_order_and_opens_directories_in_it(tmp_path: Path) -> None:
    for name in ("z.wav", "more/a.wav"):
        write_wav(tmp_path / name)
    listed = [str(tmp_path / "z.wav"), str(tmp_path / "more"), str(tmp_path / "z.wav")]
    assert hold_music(config(listed)) == (listed[0], str(tmp_path / "more" / "a.wav"), listed[0])


def test_an_empty_directory_and_an_empty_list_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"media\.music: .*: no sound files in it \(\.wav, \.flac"):
        hold_music(config(tmp_path))
    with pytest.raises(ConfigError, match=r"sounds\.music\.jazz: found an empty list"):
        sound_rules(with_sounds(music={"jazz": []}))


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"", "no WAV"), (b"ID3 mp3 perhaps", "no WAV")]
)
def test_a_file_that_cannot_be_played_is_told_at_once(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "music.wav"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"media\.music: .*music\.wav .*{reason}"):
        hold_music(config(file))


def test_sounds_are_found_by_language_and_name(tmp_path: Path) -> None:
    for name in ("en/welcome.wav", "en/digits/1.wav", "de_DE_f_Anna/digits/1.WAV", "beep.wav", "custom/hi.wav"):
        write_wav(tmp_path / name)
    (tmp_path / "en" / "welcome.gsm").write_bytes(b"another format")
    (tmp_path / "en" / "notes.txt").write_text("not a sound")
    found = library(str(tmp_path))
    assert found.languages == ("de_DE_f_Anna", "en")
    assert found.all("en") == {
        "beep": str(tmp_path / "beep.wav"),
        "custom/hi": str(tmp_path / "custom" / "hi.wav"),
        "digits/1": str(tmp_path / "en" / "digits" / "1.wav"),
        "welcome": str(tmp_path / "en" / "welcome.wav"),
    }
    assert found.find("digits/1", "de") == str(tmp_path / "de_DE_f_Anna" / "digits" / "1.WAV")


def test_of_two_formats_the_uncompressed_is_taken(tmp_path: Path) -> None:
    for name in ("a.ogg", "a.flac", "b.ogg", "b.flac", "b.wav"):
        (tmp_path / name).write_bytes(b"-")
    found = library(str(tmp_path)).all("en")
    assert {name: Path(file).suffix for name, file in found.items()} == {"a": ".flac", "b": ".wav"}


def test_a_link_to_a_language_is_a_language(tmp_path: Path) -> None:
    write_wav(tmp_path / "sounds" / "en_US_f_Allison" / "hi.wav")
    (tmp_path / "sounds" / "en").symlink_to("en_US_f_Allison")
    (tmp_path / "sounds" / "en_US_f_Allison" / "round").symlink_to(tmp_path / "sounds")
    assert library(str(tmp_path / "sounds")).find("hi", "en") == str(tmp_path / "sounds" / "en" / "hi.wav")


def test_a_directory_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sounds\.directory: .*none: No such file or directory"):
        library(str(tmp_path / "none"))
    assert library("").all("en") == {}


def test_rules_of_a_configuration(tmp_path: Path) -> None:
    write_wav(tmp_path / "jazz.wav")
    write_wav(tmp_path / "de" / "hi.wav")
    rules = sound_rules(
        with_sounds(directory=str(tmp_path), language="de", country="de", music={"jazz": str(tmp_path / "jazz.wav")})
    )
    assert (rules.language, rules.country) == ("de", "de")
    assert rules.music == {"jazz": (str(tmp_path / "jazz.wav"),)}
    assert rules.library.find("hi", "de") == str(tmp_path / "de" / "hi.wav")


def test_music_of_queues_that_is_not_there_is_told(tmp_path: Path) -> None:
    write_wav(tmp_path / "own.wav")
    write_wav(tmp_path / "jazz.wav")
    rules = sound_rules(with_sounds(music={"jazz": str(tmp_path / "jazz.wav")}))
    queues = [
        Queue(name=QueueName(f"q{number}"), music=music)
        for number, music in enumerate(("", "jazz", str(tmp_path / "own.wav"), "rock", str(tmp_path / "gone.wav")))
    ]
    missing = "cannot be read: No such file or directory"
    assert music_warnings(Directory.of(queues), rules) == [
        f"queue q3: music 'rock' is no name of [sounds.music] (jazz), and rock {missing}",
        f"queue q4: music '{tmp_path}/gone.wav' is no name of [sounds.music] (jazz), and {tmp_path}/gone.wav {missing}",
    ]


def test_the_calls_are_told_of_them(tmp_path: Path) -> None:
    write_wav(tmp_path / "jazz.wav")
    config = Config.model_validate({"media": {"music": str(tmp_path / "jazz.wav")}, "sounds": {"country": "de"}})
    told = calls_config(config, None)
    assert (told.hold_music, told.sounds.country) == ((str(tmp_path / "jazz.wav"),), "de")
