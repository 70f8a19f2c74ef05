"""`hearthline sound` and `hearthline dialplan check`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.command_line import CommandLine
from tests.support.dialplans import extension, write_wav
from tests.support.tones import sine


@pytest.fixture
def sounds(tmp_path: Path, config_file: Path) -> Path:
    """A directory of sounds that the configuration names."""
    root = tmp_path / "sounds"
    for name in ("de/digits/1-and", "de/digits/20", "en/hi", "en/digits/1"):
        write_wav(root / f"{name}.wav")
    (tmp_path / "plan.toml").write_text(extension("a", "600", 'play = ["hi", "bye"]'), encoding="utf-8")
    config_file.write_text(
        config_file.read_text(encoding="utf-8")
        + f'\n[sounds]\ndirectory = "{root}"\n[dialplan]\nfile = "{tmp_path}/plan.toml"\n',
        encoding="utf-8",
    )
    return root


def test_the_list_tells_what_numbers_lack(hearthline: CommandLine, sounds: Path) -> None:
    rows = hearthline.json("sound", "list")
    assert [(row["language"], row["sounds"]) for row in rows] == [("de", 2), ("en", 2)]
    assert "digits/2" in rows[1]["numbers_lack"]
    assert "digits/1" not in rows[1]["numbers_lack"]
    assert "digits/20" in hearthline("sound", "list")


def test_all_sounds_of_one_language(hearthline: CommandLine, sounds: Path) -> None:
    assert hearthline.json("sound", "list", "--language", "en") == [
        {"name": "digits/1", "file": str(sounds / "en" / "digits" / "1.wav")},
        {"name": "hi", "file": str(sounds / "en" / "hi.wav")},
    ]
    assert f"looked for {sounds}/fr/*.wav" in hearthline("sound", "list", "--language", "fr")


def test_a_language_without_rules_says_so(hearthline: CommandLine, sounds: Path) -> None:
    write_wav(sounds / "xx" / "hi.wav")
    (row,) = [row for row in hearthline.json("sound", "list") if row["language"] == "xx"]
    assert row["numbers_lack"] == [
        "no rules to speak numbers in 'xx'; there are: en, en_GB, de, fr, es, it, nl, pl, pt"
    ]


def test_what_a_number_is_made_of_and_what_is_missing(hearthline: CommandLine, sounds: Path) -> None:
    assert hearthline.json("sound", "say", "221", "--language", "de") == [
        {"name": "digits/2", "file": ""},
        {"name": "digits/hundred", "file": ""},
        {"name": "digits/1-and", "file": str(sounds / "de" / "digits" / "1-and.wav")},
        {"name": "digits/20", "file": str(sounds / "de" / "digits" / "20.wav")},
    ]
    told = hearthline("sound", "say", "221", "--language", "de")
    assert f"missing; looked for {sounds}/de/digits/hundred.wav (.flac, .ogg, .oga, .opus)" in told


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("21",), "20 1"),
        (("21", "--as", "ordinal"), "20 h-1"),
        (("2*", "--as", "digits"), "2 star"),
        (("1", "--language", "es", "--gender", "f"), "1F"),
    ],
)
def test_ways_to_say_it(hearthline: CommandLine, sounds: Path, words: tuple[str, ...], names: str) -> None:
    rows = hearthline.json("sound", "say", *words)
    assert [row["name"] for row in rows] == [f"digits/{name}" for name in names.split()]


def test_a_duration(hearthline: CommandLine, sounds: Path) -> None:
    rows = hearthline.json("sound", "say", "61", "--as", "duration")
    assert [row["name"] for row in rows] == ["digits/1", "minute", "digits/1", "second"]


def test_what_cannot_be_said_is_an_error(hearthline: CommandLine, sounds: Path) -> None:
    assert "'ten' is no whole number; --as digits takes all" in hearthline.fails("sound", "say", "ten")
    assert "no rules to speak numbers in 'xx'" in hearthline.fails("sound", "say", "1", "--language", "xx")


def test_the_dialplan_is_checked_and_missing_sounds_are_told(hearthline: CommandLine, sounds: Path) -> None:
    done = hearthline.run("dialplan", "check")
    assert done.status == 0
    assert done.out.endswith("plan.toml: good. 1 contexts, 1 extensions.\n")
    (warning,) = done.err.splitlines()
    assert "context.a.extension[0].play: no sound bye in 'en'; looked for " in warning
    (sounds.parent / "plan.toml").write_text(extension("a", "600", "play = 5"), encoding="utf-8")
    assert "play: found 5" in hearthline.fails("dialplan", "check")


def test_a_file_is_read_as_it_will_be_played(hearthline: CommandLine, tmp_path: Path) -> None:
    samples = np.stack([sine(500, seconds=0.5, rate=44_100, dbfs=-6), sine(500, seconds=0.5, rate=44_100, dbfs=-6)], 1)
    for name in ("tone.flac", "tone.ogg", "tone.wav"):
        soundfile.write(tmp_path / name, samples, 44_100)
        (found,) = hearthline.json("sound", "check", str(tmp_path / name))
        assert (found["file"], found["rate"], found["channels"]) == (str(tmp_path / name), 44_100, 2)
        assert found["seconds"] == pytest.approx(0.5, abs=0.01)
        assert found["loudest_dbfs"] == pytest.approx(-6, abs=0.7)


def test_silence_has_no_loudness(hearthline: CommandLine, tmp_path: Path) -> None:
    write_wav(tmp_path / "still.wav", frames=800)
    assert hearthline.json("sound", "check", str(tmp_path / "still.wav"))[0]["loudest_dbfs"] is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "the file is empty"), (b"no sound at all", "not a sound file")],
)
def test_a_file_that_cannot_be_played_says_why(
    hearthline: CommandLine, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (tmp_path / "x.wav").write_bytes(content)
    told = hearthline.fails("sound", "check", str(tmp_path / "x.wav"))
    assert told.startswith(f"invalid_request: {tmp_path}/x.wav: ")
    assert reason in told


def test_check_config_tells_them_too(hearthline: CommandLine, sounds: Path, config_file: Path) -> None:
    done = hearthline.run("check-config", str(config_file))
    assert done.status == 0
    assert "no sound bye in 'en'" in done.err
