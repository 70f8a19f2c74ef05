"""The key of recordings, from a file and from a command, and what is wrong with it."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from engine.app import recording_key as module
from engine.app.config_recording import RecordingConfig
from engine.app.recording_key import recording_key
from engine.errors import ConfigError
from engine.media.commands import RecordingKey

GOOD = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def written(tmp_path: Path, text: str, mode: int = 0o600) -> RecordingConfig:
    file = tmp_path / "key"
    file.write_text(text)
    file.chmod(mode)
    return RecordingConfig(key_file=str(file))


def printed(command: str) -> RecordingConfig:
    return RecordingConfig(key_command=command)


def test_without_a_key_nothing_is_encrypted() -> None:
    assert recording_key(RecordingConfig()) is None


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640])
def test_a_key_in_a_file(tmp_path: Path, mode: int) -> None:
    assert recording_key(written(tmp_path, GOOD + "\n", mode)) == RecordingKey(key=GOOD)


def test_a_key_that_a_command_prints() -> None:
    assert recording_key(printed(f"printf '%s\\n' {GOOD}")) == RecordingKey(key=GOOD)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="others may read or change it; chmod 600"):
        recording_key(written(tmp_path, GOOD, 0o604))


def test_what_is_wrong_is_told_and_no_key_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be 32 octets in Base64") as caught:
        recording_key(written(tmp_path, GOOD[:-4]))
    assert GOOD[:8] not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        recording_key(RecordingConfig(key_file=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/no/such/program", "cannot be run: No such file"),
        (f"sh -c {shlex.quote('echo locked >&2; exit 3')}", "ended with status 3: locked"),
        ("true", "must be 32 octets"),
        ("sleep 5", "printed no key within 0.1 s"),
    ],
)
def test_a_command_that_fails(command: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMAND_S", 0.1 if command == "sleep 5" else 10.0)
    with pytest.raises(ConfigError, match=reason):
        recording_key(printed(command))
