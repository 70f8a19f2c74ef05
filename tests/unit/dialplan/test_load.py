from __future__ import annotations

from pathlib import Path

import pytest

from engine.calls.routing import ToAnnouncement
from engine.dialplan.load import load_dialplan
from engine.errors import ConfigError
from tests.support.dialplans import extension, write_wav


def fault(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_dialplan(path)
    return str(caught.value)


def test_sounds_are_found_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wav(tmp_path / "plans" / "sounds" / "hi.wav")
    plan = tmp_path / "plans" / "plan.toml"
    plan.write_text(extension("a", "602", 'announcement = "sounds/hi.wav"'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    loaded = load_dialplan(Path("plans/plan.toml"))
    assert loaded.file == "plans/plan.toml"
    expected = ToAnnouncement(file=str(tmp_path / "plans" / "sounds" / "hi.wav"))
    assert loaded.contexts["a"].exact["602"].action == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is no WAV, FLAC or Ogg file"),
        (b"RIFF\x04\0\0\0WAVE", "is a WAV file that ends before its sound"),
        (b"ID3" + bytes(100), "is no WAV, FLAC or Ogg file"),
    ],
)
def test_a_sound_that_cannot_be_played_is_a_fault(tmp_path: Path, content: bytes | None, message: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(extension("a", "602", 'announcement = "hi.wav"'), encoding="utf-8")
    if content is not None:
        (tmp_path / "hi.wav").write_bytes(content)
    found = fault(plan)
    assert found.startswith(f'{plan}: context.a.extension[0].announcement: found "hi.wav"; {tmp_path / "hi.wav"} ')
    assert message in found


def test_a_sound_without_sound_is_a_fault(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(extension("a", "602", 'announcement = "hi.wav"'), encoding="utf-8")
    write_wav(tmp_path / "hi.wav", frames=0)
    assert fault(plan).endswith("hi.wav holds no sound")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert fault(tmp_path / "no.toml") == f"{tmp_path / 'no.toml'}: cannot be read: No such file or directory"


def test_a_file_that_is_no_toml(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("[context.a\n", encoding="utf-8")
    assert fault(plan).startswith(f"{plan}: is not TOML: ")
    assert "line 1" in fault(plan)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_bytes(b"# caf\xe9\n")
    assert fault(plan) == f"{plan}: is not UTF-8 text (byte 5)"


def test_faults_of_the_content_name_the_file(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("x = 1\n[context.a]\n", encoding="utf-8")
    assert fault(plan) == f"{plan}: x: unknown key; allowed here: phrases, context"
