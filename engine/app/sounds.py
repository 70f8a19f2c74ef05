"""Which sounds this configuration means."""

from __future__ import annotations

import wave
from pathlib import Path

from engine.app.config import Config
from engine.app.share import shared_file
from engine.errors import ConfigError


def hold_music(config: Config) -> str:
    """Absolute path of the music for those who wait. Raises ConfigError when a configured file is no WAV file."""
    if not config.media.music:
        return str(shared_file("dialplans/sounds/hold-music.wav"))
    try:
        with wave.open(config.media.music, "rb"):
            pass
    except OSError as error:
        reason = error.strerror
    except (wave.Error, EOFError) as error:
        reason = f"is no WAV file ({str(error) or 'it is empty'})"
    else:
        return str(Path(config.media.music).absolute())
    raise ConfigError(f"media.music: {config.media.music}: {reason}; it must be a PCM WAV file, or empty")
