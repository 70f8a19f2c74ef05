"""The key that recordings are encrypted with: from a file, or from a command that asks a vault."""

from __future__ import annotations

import shlex
import stat
import subprocess
from pathlib import Path
from typing import Final

from engine.app.config_recording import RecordingConfig
from engine.errors import ConfigError
from engine.media.commands import RecordingKey

COMMAND_S: Final = 10.0
_MAX: Final = 4096


def recording_key(config: RecordingConfig) -> RecordingKey | None:
    """The key; None where recordings are not encrypted. Raises ConfigError, which shows nothing of it."""
    if config.key_command:
        source, text = f"recording.key_command {config.key_command!r}", _output(config.key_command)
    elif config.key_file:
        source, text = f"recording.key_file {config.key_file}", _content(Path(config.key_file))
    else:
        return None
    key = RecordingKey(key=text.strip())
    from engine.media.vault import VaultError, master  # noqa: PLC0415 - brings cryptography

    try:
        master(key)
    except VaultError as error:
        raise ConfigError(f"{source}: {error}") from error
    return key


def _content(file: Path) -> str:
    try:
        if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
            raise ConfigError(f"recording.key_file {file}: others may read or change it; chmod 600 {file}")
        with file.open("rb") as opened:
            return opened.read(_MAX).decode("ascii", "replace")
    except OSError as error:
        raise ConfigError(f"recording.key_file {file}: cannot be read: {error.strerror}") from error


def _output(command: str) -> str:
    source = f"recording.key_command {command!r}"
    try:
        done = subprocess.run(
            shlex.split(command), stdin=subprocess.DEVNULL, capture_output=True, timeout=COMMAND_S, check=False
        )
    except OSError as error:
        raise ConfigError(f"{source}: cannot be run: {error.strerror}") from error
    except subprocess.TimeoutExpired as error:
        raise ConfigError(f"{source}: printed no key within {COMMAND_S:g} s") from error
    if done.returncode != 0:
        told = done.stderr[-200:].decode("utf-8", "replace").strip()
        raise ConfigError(f"{source}: ended with status {done.returncode}{f': {told}' if told else ''}")
    return done.stdout[:_MAX].decode("ascii", "replace")
